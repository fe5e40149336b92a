"""Messages of many clips, read aloud."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from postflow.discord.summary import MOST_NAMES, batch_card, skipped_card
from postflow.errors import Skip
from postflow.ledger import BatchClip, Namesake, ShareLink, State
from tests.discord.conftest import NOON
from tests.discord.summaries import batch_of, clip_done, clip_failed, clip_waiting

UNKNOWN = Skip("No rule knows this name.", hint="Rename it.", code="naming.no_rule")


def test_a_batch_spells_failures_out_before_what_arrived() -> None:
    clips = [clip_done(f"SQ07_{number:03}.mov") for number in range(40)]
    skipped = clip_failed("odd.mov", "No rule knows it.", state=State.SKIPPED, hint="Rename it.")
    put_off = clip_waiting("slow.mov", reason="Frame.io is busy.", hint="It is tried again.")
    failed = clip_failed("huge.mov", "Too big.", hint="Split it.")
    card = batch_card(batch_of(*clips, put_off, clip_waiting(), skipped, failed))
    (embed,) = card.payload()["embeds"]
    assert embed["color"] == 0x0099FF
    assert (card.picture, card.called) == ("0" * 32, ()), "it is not over"
    assert embed["timestamp"] == "2026-11-22T12:05:00+00:00"
    told = embed["description"].splitlines()
    assert told[:4] == [
        "❌ huge.mov: Too big. Split it.",
        "❌ odd.mov: No rule knows it. Rename it.",
        "⏳ slow.mov: Frame.io is busy. It is tried again.",
        r"✅ [SQ07\_000.mov](https://next.frame.io/project/p/view/f)",
    ]
    assert told[-1] == f"… and {43 - (len(told) - 1)} more"
    assert {field["name"]: field["value"] for field in embed["fields"]} == {
        "Delivered": "40 (33 GB)",
        "Failed": "1",
        "Skipped": "1",
        "Waiting": "2",
        "Project": "UNDLM",
    }


def test_a_batch_tells_of_namesakes_and_of_those_in_doubt_first() -> None:
    before = Namesake(root="/mnt/B", relpath="b/SQ07_v1.mov", is_same_path=False, finished_at=NOON)
    again = before.model_copy(update={"is_same_path": True})
    clips = [clip_done("1.mov"), clip_done("2.mov", namesake=again)]
    told = batch_card(batch_of(*clips, clip_done("3.mov", namesake=before))).description
    link = "(https://next.frame.io/project/p/view/f)"
    assert (told or "").splitlines() == [
        rf"⚠️ [3.mov]{link}: other content of this name and version came from b/SQ07\_v1.mov",
        f"✅ [1.mov]{link}",
        f"✅ [2.mov]{link}: exported again",
    ]


def test_a_batch_says_which_link_is_for_whom_as_many_as_there_is_room_for() -> None:
    links = tuple(
        ShareLink(
            id=number,
            name=f"UNDLM · {number}",
            access="secure" if number == 9 else "public",
            url=SecretStr(f"https://f.io/{number:0200}"),
            passphrase=SecretStr("open_sesame") if number == 8 else None,
            expires_at=NOON,
        )
        for number in range(10)
    )
    batch = batch_of(clip_done()).model_copy(update={"links": links})
    lines = dict(batch_card(batch).lines)
    assert lines["For invited reviewers"].startswith("[UNDLM · 9](https://f.io/")
    told = lines["For everybody with the link"].splitlines()
    assert told[0].startswith("[UNDLM · 8]")
    assert told[0].endswith(r"until 2026-11-22, passphrase: open\_sesame")
    assert len(told) == 4


@pytest.mark.parametrize(
    ("clips", "title"),
    [
        ([clip_waiting()], "1 clip is on the way"),
        ([clip_waiting()] * 2, "2 clips are on the way"),
        ([clip_waiting(), clip_failed()], "2 clips are on the way"),
        ([clip_done()], "1 clip is ready for review"),
        ([clip_done()] * 12, "12 clips are ready for review"),
        ([clip_failed()], "1 clip was not delivered"),
        ([clip_failed()] * 2, "2 clips were not delivered"),
        ([clip_done(), clip_failed()], "1 of 2 clips is ready for review"),
        ([clip_done(), clip_done(), clip_failed()], "2 of 3 clips are ready for review"),
    ],
)
def test_the_title_says_how_far_they_are(clips: list[BatchClip], title: str) -> None:
    assert batch_card(batch_of(*clips)).title == title


def test_nothing_new_is_no_new_content() -> None:
    """What only moves on its way edits no message."""
    before = batch_card(batch_of(clip_done(), clip_waiting()))
    after = batch_card(batch_of(clip_done(), clip_waiting(state=State.REQUESTED)))
    assert before == after
    assert batch_card(batch_of(clip_waiting())) == batch_card(batch_of(clip_waiting()))


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (["a.mov"], "1 clip has a name PostFlow does not know"),
        (["a.mov", "b.mov"], "2 clips have names PostFlow does not know"),
    ],
)
def test_unknown_names_are_told_in_one_message(names: list[str], title: str) -> None:
    card = skipped_card(dict.fromkeys(names, UNKNOWN))
    assert card.title == title
    told = [f"❌ {name}: No rule knows this name. Rename it." for name in names]
    assert card.description == "\n".join(told)


def test_as_many_names_as_have_room_are_all_told_however_long_they_are() -> None:
    why = Skip("_" * 500, hint="*" * 500, code="name.unknown")
    names = [f"{number}{'_' * 200}.mov" for number in range(100, 100 + MOST_NAMES)]
    told = str(skipped_card(dict.fromkeys(names, why)).description).splitlines()
    assert [line[:5] for line in told] == [f"❌ {name[:3]}" for name in names]
