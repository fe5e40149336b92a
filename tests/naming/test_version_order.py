"""Versions on a stack are in the order a person would put them in, whenever they arrive."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postflow.delivery.stacking import VersionGroup
from postflow.errors import Fatal, Skip
from postflow.models import RemoteFile, Shot
from postflow.naming import FINAL_VERSION, Naming
from postflow.naming.version import version_key, version_number, version_order

NOON = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "versions",
    [
        (None, "WIP2", "WIP10", "v001", "v2", "v010", "v999", "vDEF"),
        ("v003", "v003a", "v003b", "v003z", "v003aa", "v004"),
        ("revA", "revB", "revZ", "revAA", "revAB"),
        ("A", "B", "Z", "AA"),
        ("r1", "r2a", "r10"),
        ("v003", "v003-t01", "v003-t02", "v003-t10", "v004-t01"),
        ("v003t02", "v003t10", "v004t01"),
        ("1", "1.9", "1.10", "2.0"),
        ("v1.9.9", "v1.10.0"),
        ("2025-06-30", "2025-07-07", "2025-10-01"),
        ("20250630", "20250707"),
        ("20250630-0900", "20250630-1830"),
        ("draft3", "v1", "MASTER"),
        ("v003", "v003_final", "v004"),
        ("v099", "final", "final2", "final10"),
        ("v999", "vAPPROVED", "vDEF"),
    ],
)
def test_natural_order(versions: tuple[str | None, ...]) -> None:
    for earlier, later in itertools.pairwise(versions):
        assert version_order(earlier) < version_order(later), (earlier, later)


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("DDMMYY", ("300625", "010725", "070725", "010126", "vDEF")),
        ("MMDDYYYY", ("06302025", "07012025", "01012026")),
        ("DD-MM-YYYY", ("30-06-2025", "01-07-2025")),
        ("YYMMDD", ("250630", "250701")),
        ("DDMMMYYYY", ("30Jun2025", "01JUL2025", "01apr2026")),
    ],
)
def test_a_date_is_in_order_however_the_rule_says_that_it_is_written(
    written: str, days: tuple[str, ...]
) -> None:
    for earlier, later in itertools.pairwise(days):
        assert version_order(earlier, written) < version_order(later, written), (earlier, later)


@pytest.mark.parametrize(
    ("version", "number"), [("v003", 3), ("revB", 2), ("1.10", 1), ("vDEF", FINAL_VERSION)]
)
def test_a_version_has_a_number_for_those_who_ask(version: str, number: int) -> None:
    assert version_number(version) == number


def rules(version: str, example: str, **more: Any) -> Naming:
    fields = {"sequence": r"SQ\d{2}", "shot": r"\d{4}", "version": version}
    rule = {
        "name": "r",
        "template": "{sequence}_{shot}_{version}.{ext}",
        "folder": "{sequence}/{shot}",
        "stack": "{sequence}_{shot}",
        "examples": [f"SQ01_0010_{example}.mov"],
        "fields": fields,
    }
    return Naming([rule | more])


def remote(name: str, minutes: int) -> RemoteFile:
    return RemoteFile(
        id=str(minutes),
        account_id="a",
        project_id="p",
        folder_id="f",
        name=name,
        size=1,
        status="uploaded",
        view_url="https://x",
        created_at=NOON + timedelta(minutes=minutes),
    )


@pytest.mark.parametrize(
    ("pattern", "versions", "more"),
    [
        (r"v\d{3}[a-z]", ("v003a", "v003b"), {}),
        (r"v\d{3}-t\d{2}", ("v003-t02", "v003-t10"), {}),
        (r"rev[A-Z]{1,2}", ("revB", "revAA"), {}),
        (r"\d\.\d{1,2}", ("1.9", "1.10"), {}),
        (r"\d{4}-\d{2}-\d{2}", ("2025-06-30", "2025-07-07"), {}),
        (r"\d{6}|vDEF", ("300625", "070725", "vDEF"), {"version_date": "DDMMYY"}),
        (r"WIP\d|v\d{3}", ("WIP9", "v001"), {}),
        (r"\d{12}", ("202506301830", "202507070900"), {}),
        (r"\d{14}|vDEF", ("20250630183000", "20250630183001", "vDEF"), {}),
    ],
)
def test_a_stack_is_in_order_when_the_earlier_ones_arrive_late(
    pattern: str, versions: tuple[str, ...], more: dict[str, Any]
) -> None:
    naming = rules(pattern, versions[0], **more)
    names = [f"SQ01_0010_{version}.mov" for version in versions]
    arrived = [remote(name, minutes) for minutes, name in enumerate(reversed(names))]
    group = VersionGroup(naming, "SQ01_0010")
    assert [each.name for each in group.in_order(arrived)] == names


def test_a_name_in_frameio_that_cannot_be_read_costs_no_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    naming = rules(r"v\d{3}", "v001")
    files = [remote(f"SQ01_0010_{v}.mov", n) for n, v in enumerate(("v002", "odd", "v001"))]
    real = Naming.identify

    def tripping(self: Naming, name: str, **given: Any) -> Shot:
        if "odd" in name:
            raise IndexError("a fault of ours")
        return real(self, name, **given)

    monkeypatch.setattr(Naming, "identify", tripping)
    group = VersionGroup(naming, "SQ01_0010")
    assert [group.holds(each) for each in files] == [True, False, True]
    assert [each.name[10:] for each in group.in_order(files)] == [
        "odd.mov",
        "v001.mov",
        "v002.mov",
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("v3", "V003", True),
        ("v003a", "v003b", False),
        ("v003-t01", "v003-t02", False),
        ("1.9", "1.10", False),
        ("20250630-1830", "20250630-1915", False),
        ("20250630183000", "20250630183001", False),
        ("revA", "revB", False),
        ("vDEF", "v999", False),
        ("vDEF", "vMASTER", False),
    ],
)
def test_two_versions_are_the_same_where_no_part_of_them_differs(
    one: str, other: str, same: bool
) -> None:
    assert (version_key(one) == version_key(other)) == same


def test_a_day_that_is_none_is_told() -> None:
    naming = rules(r"\d{6}", "300625", version_date="DDMMYY")
    with pytest.raises(Skip, match="“310225” is no date written DDMMYY") as told:
        naming.identify("SQ01_0010_310225.mov")
    assert told.value.code == "name.version"


@pytest.mark.parametrize(
    ("pattern", "example", "written", "says"),
    [
        (r"\d{6}", "300625", "DDMM", "version_date is “DDMM”"),
        (r"\d{6}", "300625", "jjmmaa", "version_date is “jjmmaa”"),
        (r"\d{6}", "999999", "DDMMYY", "is no date written DDMMYY"),
        (r"v\d{15}", "v000000000000001", None, "longer than 14 digits"),
        ("v[a-z]{40}", f"v{'a' * 40}", None, "longer than 32 characters"),
    ],
)
def test_versions_that_cannot_be_put_in_order_are_refused_when_the_rules_load(
    pattern: str, example: str, written: str | None, says: str
) -> None:
    more = {"version_date": written} if written else {}
    with pytest.raises(Fatal, match=says):
        rules(pattern, example, **more)


@pytest.mark.parametrize(
    ("name", "folder", "stack"),
    [
        ("EP101_SQ010_SH0100_v003.mov", "EP101/SQ010/SH0100", "EP101_SQ010_SH0100"),
        ("ep102_sq010_sh0100_v003.mov", "EP102/SQ010/SH0100", "EP102_SQ010_SH0100"),
        ("S01E02_SQ010_SH0100_v003.mov", "S01E02/SQ010/SH0100", "S01E02_SQ010_SH0100"),
        ("SHOW_EP101_SQ010_SH0100_v003.mov", "EP101/SQ010/SH0100", "SHOW_EP101_SQ010_SH0100"),
        ("FILM_SQ010_SH0100_v003.mov", "SQ010/SH0100", "FILM_SQ010_SH0100"),
        ("SQ010_SH0100_v003.mov", "SQ010/SH0100", "SQ010_SH0100"),
    ],
)
def test_episodes_do_not_share_a_folder(name: str, folder: str, stack: str) -> None:
    found = Naming.preset("generic").identify(name)
    assert ("/".join(found.folder), found.stack) == (folder, stack)


@pytest.mark.parametrize(
    ("name", "proposed"),
    [
        ("SQ01_UNDLM_00000_v001.mov", None),
        ("SQ01_UNDLM_00000000000000000152_v001.mov", None),
        ("SQ01_UNDLM_SH152_v001.mov", None),
        ("SQ08_UNDLM_00207_v001_été.mov", "SQ08_UNDLM_00207_v001.mov"),
        ("SQ08_UNDLM_00207_v001_v002.mov", None),
        ("SQ08_ÜNDLM_00207_v001.mov", "SQ08_UNDLM_00207_v001.mov"),
        ("SQ08_UNDLM_00205_v001 final.mov", "SQ08_UNDLM_00205_v001.mov"),
        ("SQ08_UNDLM_00205_v001 (2).mov", "SQ08_UNDLM_00205_v001.mov"),
        ("SQ08_UNDLM_00205_v001_2.mov", "SQ08_UNDLM_00205_v001.mov"),
        ("SQ08_UNDLM_00205_v001_final.mov", "SQ08_UNDLM_00205_v001.mov"),
        ("SQ08_UNDLM_00205_v001 - Copie é (2).mov", "SQ08_UNDLM_00205_v001.mov"),
    ],
)
def test_a_proposal_is_the_clip_that_was_meant(name: str, proposed: str | None) -> None:
    assert Naming.preset().explain(name).nearest == proposed


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "SQ08_UNDLM_00205_v001 final.mov",
            "after “SQ08_UNDLM_00205_v001” should come “.mov”, not “ final.mov”",
        ),
        ("SQ08_UNDLM_00205_v001", "the extension is missing: after “SQ08_UNDLM_00205_v001”"),
        ("UNDLM_00510.mov", "the version is missing: after “UNDLM_00510” should come “_v001”"),
    ],
)
def test_what_is_wrong_is_a_sentence(name: str, says: str) -> None:
    assert says in str(Naming.preset().explain(name).problem)
