"""`postflow contact` from start to end, and a sandbox like the Frame.io that it met."""

from __future__ import annotations

import json
import signal
import stat
from pathlib import Path

import httpx
import pytest

from postflow.cli.contact import _tell
from postflow.delivery.ways import NO_TUNNEL
from postflow.sandbox import Sandbox
from postflow.service.console import Exit, first_contact
from postflow.service.contact.question import QUESTIONS
from postflow.service.contact.report import Entry
from postflow.service.contact.run import Outcome
from tests.cli.command_line import CommandLine
from tests.cli.conftest import STUDIO, SaveStudio
from tests.support.wait import wait_until_sync

pytestmark = pytest.mark.prefect

MET = {
    "fetch_style": "head_then_get",
    "fetch_idle_timeout": 1.0,
    "stack_name": "creation",
    "duplicate_files": "refuse",
}


def test_what_it_was_told_makes_a_sandbox_like_it(
    postflow: CommandLine, save_studio: SaveStudio, world: Sandbox, tmp_path: Path
) -> None:
    save_studio()
    world.turn(**MET, fetch_delay=30.0)
    first = postflow.start("contact")
    wait_until_sync(lambda: len(world.assets()) > 3, description="clips on their way")
    first.signal(signal.SIGKILL)
    assert first.wait().code == -signal.SIGKILL
    assert [folder["path"].count("/") for folder in world.folders()].count(0) == 1
    world.turn(fetch_delay=0.0)
    file = tmp_path / "contact.json"
    assert first_contact(STUDIO).startswith("To ask this Frame.io first")

    ran = postflow("contact", "--file", file)

    assert ran.code == Exit.DELIVERED, ran.text
    assert (world.folders(), world.assets()) == ([], [])
    assert "! How is a clip fetched? HEAD first, then GET" in ran.out
    assert "a clip that was exported again is refused: not handled: please report." in ran.out
    assert first_contact(STUDIO).startswith("This Frame.io was asked")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = json.loads(file.read_text())
    assert told["versions"]["ngrok"].startswith("3.")
    unanswered = {key: entry for key, entry in told["answers"].items() if "unanswered" in entry}
    assert unanswered.keys() == {"offline_access", "size_limit"}

    running = postflow.start("sandbox", "--json", "--like", file)
    wait_until_sync(
        lambda: running.streams["out"].read_text().endswith("\n"), description="the sandbox"
    )
    like = json.loads(running.streams["out"].read_text())["url"]
    switches = httpx.get(f"{like}/sandbox/switches").json()
    running.signal(signal.SIGTERM)
    assert running.wait().code == Exit.TERMINATED
    answers = {key: entry["answer"] for key, entry in told["answers"].items() if "answer" in entry}
    assert answers.items() <= switches.items()
    assert {key: switches[key] for key in ("fetch_style", "stack_name", "duplicate_files")} == {
        key: MET[key] for key in ("fetch_style", "stack_name", "duplicate_files")
    }


def test_a_reason_that_many_questions_share_is_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said: set[str] = set()
    for question in QUESTIONS[:3]:
        entry = Entry(asked=question.asks, unanswered="no tunnel", seconds=0.0)
        _tell(said, Outcome(question, entry, NO_TUNNEL()))
    told = capsys.readouterr().out
    assert told.splitlines() == [
        f"· {QUESTIONS[0].asks} Not known: no tunnel. {NO_TUNNEL().message}"
    ]


def test_stopped_it_leaves_nothing(
    postflow: CommandLine, save_studio: SaveStudio, world: Sandbox, tmp_path: Path
) -> None:
    save_studio()
    world.turn(fetch_delay=300.0)
    running = postflow.start("contact", "--file", tmp_path / "contact.json")
    wait_until_sync(lambda: len(world.assets()) > 3, description="clips on their way")

    running.signal(signal.SIGTERM)

    assert running.wait().code == Exit.TERMINATED
    assert (world.folders(), world.assets()) == ([], [])
    assert not (tmp_path / "contact.json").exists()
