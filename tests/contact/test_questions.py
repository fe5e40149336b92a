"""First contact finds out how the other side is set, whichever of its switches is how."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from postflow.outlet.ngrok.provider import NgrokProvider
from postflow.outlet.tunnel import StaticProvider
from postflow.sandbox import Sandbox
from postflow.sandbox.switches import Switches
from postflow.service.contact.question import QUESTIONS, Question
from postflow.service.contact.report import Entry, answered
from postflow.service.contact.run import Outcome, ask_all
from postflow.service.contact.visit import Bounds, Visit
from tests.contact.conftest import QUICK

BY_KEY = {question.key: question for question in QUESTIONS}
# Also what is not asked, as no single clip tells it: a slow fetch from one of a fast line.
NOT_TOLD = {"fetch_style": {"slow"}}


NUMBERS: dict[str, tuple[Any, ...]] = {
    "part_bytes": (5 << 20, 20 << 20, 64 << 20),
    "part_url_seconds": (900, 24 * 3600),
    "fetch_attempts": (1, 3, 5),
    "size_limit": (50 * 10**9, 50 << 30),
    "fetch_user_agent": ("sandbox-fetcher/1.0", "Go-http-client/2.0", ""),
    **dict.fromkeys(
        ("fetch_delay", "finish_seconds", "fail_seconds", "fetch_pause", "transcode_seconds"),
        (0.0, 0.4),
    ),
    "fetch_idle_timeout": (2.0, 2.5),
}


def settings_of(key: str) -> tuple[Any, ...]:
    annotation = Switches.model_fields[key].annotation
    if annotation is bool:
        return True, False
    return NUMBERS.get(key) or tuple(
        setting for setting in get_args(annotation) if setting not in NOT_TOLD.get(key, ())
    )


SETTINGS = {key: settings_of(key) for key in BY_KEY}
# What hides the answer to another question, or is hidden, by itself.
APART: tuple[dict[str, Any], ...] = (
    {"share_policy": "forbidden"},
    {"transcodes": False},
    {"fetch_attempts": 1},
    {"size_limit": 50 * 10**9, "too_big": "refuse"},
)
HIDING = {key: each[key] for each in APART for key in each if len(each) == 1}
# What never happens is waited for no longer than this.
NEVER = Bounds(slow=1.5, poll=0.02)


def round_of(number: int) -> dict[str, Any]:
    """Of each switch the so-manieth setting that hides nothing; the last where there are fewer."""
    seen = {
        key: [each for each in found if key not in HIDING or HIDING[key] != each]
        for key, found in SETTINGS.items()
    }
    settings = {key: found[: number + 1][-1] for key, found in seen.items()}
    if settings["media_type_at"] == "creation" and settings["signed_content_type"] == "guessed":
        settings["media_type_at"] = "upload"
    return settings


ROUNDS = [round_of(number) for number in range(max(map(len, SETTINGS.values())))]


async def ask(visit: Visit, *questions: Question) -> dict[str, Entry]:
    return await ask_all(visit, StaticProvider(), lambda _: None, questions=questions)


@pytest.mark.parametrize("number", range(len(ROUNDS)))
async def test_how_the_other_side_is_set_is_found_out(
    number: int, world: Sandbox, visit: Visit
) -> None:
    """What is asked together does not disturb each other."""
    settings = ROUNDS[number]
    world.turn(**settings)
    visit.renews = "refresh_token" in world.tokens()

    entries = await ask_all(visit, StaticProvider(), lambda _: None)

    unknown = {key for key, entry in entries.items() if entry.unanswered}
    breaks_off = settings["fetch_style"] in ("ranges", "abort_and_resume")
    hidden = {"fetch_idle_timeout": breaks_off, "size_limit": settings["too_big"] == "fail"}
    assert unknown == {key for key, is_hidden in hidden.items() if is_hidden}
    found = {key: entry.answer for key, entry in entries.items() if key not in unknown}
    timed = {key for key in found if BY_KEY[key].answers == "seconds"}
    assert {key: found[key] for key in found.keys() - timed} == {
        key: settings[key] for key in found.keys() - timed
    }
    assert {key: found[key] for key in timed if found[key] < settings[key]} == {}
    assert (world.folders(), world.assets()) == ([], [])


@pytest.mark.parametrize("settings", APART, ids=str)
async def test_what_hides_another_answer_is_found_out(
    settings: dict[str, Any], world: Sandbox, visit: Visit
) -> None:
    visit.bounds = NEVER if "transcodes" in settings else QUICK
    world.turn(**settings)
    entries = await ask(visit, *(BY_KEY[key] for key in settings))
    assert {key: entry.answer for key, entry in entries.items()} == settings


def test_each_setting_of_each_switch_is_met() -> None:
    met = {(key, str(setting)) for settings in ROUNDS for key, setting in settings.items()}
    met |= {(key, str(setting)) for each in APART for key, setting in each.items()}
    assert {(key, str(each)) for key, found in SETTINGS.items() for each in found} == met


def test_each_open_question_about_frameio_is_asked_or_named_as_not_asked() -> None:
    """A row of these tables in docs/sandbox.md that says what it stands for."""
    told = Path("docs/sandbox.md").read_text(encoding="utf-8")
    tables = told.partition("### Fetching and what follows")[2].partition("### Discord")[0]
    open_questions = re.findall(r"^\| `(\w+)` \|[^|]*\| [^|]*\w[^|]*\|", tables, re.MULTILINE)
    page = Path("docs/first-contact.md").read_text(encoding="utf-8")
    conveniences = {"rate_scale", "contract", "keep_bytes", "code_seconds", "consent"}
    unnamed = {key for key in open_questions if f"| `{key}` |" not in page}
    assert unnamed - conveniences == set()
    assert BY_KEY.keys() <= set(open_questions) | {"transcode_seconds"}


def test_every_answer_but_the_assumed_one_has_its_consequence() -> None:
    for question in QUESTIONS:
        if question.assumed is not None:
            assert isinstance(question.answers, dict)
            others = {answer for answer in question.answers if answer != question.assumed}
            assert others == question.otherwise.keys() | question.unhandled.keys(), question.key


async def test_what_may_not_be_asked_is_no_failure(world: Sandbox, visit: Visit) -> None:
    world.fault("status", "folders.create", code=403, times=None)

    entries = await ask(visit, *QUESTIONS)

    whys = {entry.unanswered for entry in entries.values()}
    assert whys == {None, "no permission"}
    assert [key for key, entry in entries.items() if not entry.unanswered] == [
        "offline_access",
        "rate_window",
        "audit_log",
        "share_assets",
    ]


@pytest.mark.parametrize("body", [[], {"data": 7}, {"data": [{}]}, {"data": {"upload_urls": []}}])
async def test_an_answer_of_another_shape_is_no_fault_of_ours(
    body: object, world: Sandbox, visit: Visit
) -> None:
    keys = ("part_rule", "page_sizes", "odd_names", "stack_name", "probe", "share_policy")
    for where, code in (("files.*", 201), ("folders.children", 200), ("shares.create", 201)):
        world.fault("status", where, code=code, body=body, times=None)
    world.fault("status", "folders.create", code=201, body=body, skip=1, times=None)

    entries = await ask(visit, *(BY_KEY[key] for key in keys))

    assert {entry.unanswered for entry in entries.values()} <= {"another answer", None}


async def test_without_a_tunnel_the_rest_is_asked(visit: Visit, tmp_path: Path) -> None:
    provider = NgrokProvider(ngrok_path=Path("/nowhere/ngrok"), state_dir=tmp_path)
    told: list[Outcome] = []
    asked = [BY_KEY[key] for key in ("part_etag", "fetch_style", "stack_of_one")]

    entries = await ask_all(visit, provider, told.append, questions=asked)

    whys = {key: entry.unanswered for key, entry in entries.items()}
    assert whys == {"part_etag": None, "fetch_style": "no tunnel", "stack_of_one": None}
    assert [each.error.code for each in told if each.error] == ["tunnel.ngrok.missing"]


async def test_of_a_programs_name_nothing_else_is_told(world: Sandbox, visit: Visit) -> None:
    world.turn(
        fetch_user_agent="Fetch/1.2 (+https://frame.example/?id=7; abc) curl/8.1 https://x.y"
    )
    entry = (await ask(visit, BY_KEY["fetch_user_agent"]))["fetch_user_agent"]
    assert entry.answer == "Fetch/1.2 curl/8.1 https"


def test_no_answer_is_told_that_is_of_no_known_kind() -> None:
    for key, answer in (("fetch_style", "https://x.y"), ("part_bytes", "7"), ("too_big", True)):
        with pytest.raises(ValidationError):
            answered(BY_KEY[key], answer, 0.0)
