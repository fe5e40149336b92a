"""Every foreseeable failure of an upload: one message, its remedy, an exit code, no traceback."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from postflow.sandbox import Sandbox
from postflow.service.console import Exit
from tests.cli.command_line import CommandLine
from tests.cli.conftest import MakeClip, SaveStudio

pytestmark = pytest.mark.prefect

OVER_50_GB = 50 * 10**9 + 1


@pytest.fixture
def bad_files(make_clip: MakeClip, tmp_path: Path) -> dict[str, Path]:
    """By the code that says what is wrong with them."""
    files = {
        "file.missing": tmp_path / "SQ07_UNDLM_00001_v001.mov",
        "file.empty": tmp_path / "SQ07_UNDLM_00002_v001.mov",
        "file.not_a_file": tmp_path / "SQ07_UNDLM_00003_v001.mov",
        "file.extension": tmp_path / "SQ07_UNDLM_00004_v001.txt",
        "name.unknown": make_clip("holidays.mov"),
        "file.unreadable": make_clip("SQ07_UNDLM_00005_v001.mov"),
        "frameio.too_large": make_clip("SQ07_UNDLM_00006_v001.mov"),
    }
    files["file.empty"].touch()
    files["file.not_a_file"].mkdir()
    files["file.extension"].write_text("no clip")
    files["file.unreadable"].chmod(0)
    os.truncate(files["frameio.too_large"], OVER_50_GB)
    return files


def test_each_bad_file_is_told_with_its_remedy_and_holds_no_other_up(
    postflow: CommandLine,
    save_studio: SaveStudio,
    world: Sandbox,
    make_clip: MakeClip,
    bad_files: dict[str, Path],
) -> None:
    save_studio(studio={"transfer": "tunnel"})

    ran = postflow("upload", make_clip(), *bad_files.values(), "--json")

    assert ran.code == Exit.FATAL
    good, *bad = ran.json
    assert good["success"] is True
    assert [each["name"] for each in world.assets()] == [make_clip().name]
    assert {each["code"]: Path(each["file"]) for each in bad} == bad_files
    for each in bad:
        assert each["success"] is False
        assert each["error"]
        assert each["hint"]
    kinds = {each["code"]: each["kind"] for each in bad}
    assert kinds.pop("frameio.too_large") == kinds.pop("file.unreadable") == "fatal"
    assert set(kinds.values()) == {"skip"}


def test_skipped_files_are_told_to_a_person_one_by_one(
    postflow: CommandLine, save_studio: SaveStudio, world: Sandbox, bad_files: dict[str, Path]
) -> None:
    save_studio()
    skipped = [bad_files["file.missing"], bad_files["file.empty"], bad_files["name.unknown"]]

    ran = postflow("upload", *skipped)

    assert ran.code == Exit.SKIPPED
    assert ran.out == ""
    assert ran.err.count("✗") == ran.err.count("→") == len(skipped)
    for path in skipped:
        assert path.name in ran.err
    assert "volume" in ran.err
    assert "Render or copy it again" in ran.err
    assert world.assets() == []


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the world or the set-up, and what a person has to read."""

    says: str
    remedy: str
    code: Exit = Exit.FATAL
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    cause: Callable[[Sandbox], dict[str, Any] | None] = lambda _: None


def agent_refuses(code: int) -> Callable[[Sandbox], None]:
    return lambda world: world.fault("agent_refuse", "agent", code=code, times=None)


def sign_in_lacks_a_scope(world: Sandbox) -> dict[str, Any]:
    tokens = world.tokens("openid email profile offline_access")
    return {
        "adobe": {
            "kind": "web",
            "access_token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"],
            "expires_at": datetime.now(UTC) + timedelta(days=1),
        }
    }


TROUBLES = {
    "nobody signed in": Trouble(
        "Nobody has signed in with Adobe yet.",
        "postflow login",
        tables={"adobe": {"kind": "web"}},
    ),
    "a scope is missing": Trouble("(401)", "additional_info.roles", cause=sign_in_lacks_a_scope),
    "ngrok is not installed": Trouble(
        "The ngrok agent is not at /nowhere/ngrok.",
        "https://ngrok.com/download",
        tables={"tunnel": {"ngrok_path": "/nowhere/ngrok"}},
    ),
    "ngrok 108": Trouble(
        "as many agents as its plan allows", "Stop ngrok", Exit.RETRY, cause=agent_refuses(108)
    ),
    "the project is gone": Trouble(
        "There is no project called “UNDLN”",
        "Did you mean “UNDLM”?",
        tables={"frameio": {"project": "UNDLN"}},
    ),
    "the folder is gone": Trouble(
        "(404)",
        "It was deleted",
        cause=lambda world: world.fault("status", "files.remote_upload", code=404, times=None),
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_one_message_with_a_remedy(
    postflow: CommandLine,
    save_studio: SaveStudio,
    world: Sandbox,
    make_clip: MakeClip,
    trouble: Trouble,
) -> None:
    by_tunnel = {"studio": {"transfer": "tunnel"}}
    save_studio(**by_tunnel | trouble.tables | (trouble.cause(world) or {}))

    ran = postflow("upload", make_clip())

    assert ran.code == trouble.code, ran.text
    assert ran.out == ""
    told, remedy = ran.err.strip().splitlines()[-2:]
    assert told.startswith(f"✗ {make_clip().name}: ")
    assert trouble.says in told
    assert remedy.startswith("  → ")
    assert trouble.remedy in remedy
    assert world.assets() == []


def test_a_studio_that_is_not_there(postflow: CommandLine, make_clip: MakeClip) -> None:
    ran = postflow("upload", make_clip(), "--studio", "atlantis")
    assert ran.code == Exit.FATAL
    assert "There is no studio called 'atlantis'" in ran.err
    assert "postflow setup" in ran.err
