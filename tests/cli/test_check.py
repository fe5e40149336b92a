"""`postflow check`: every part in order, each failure with its remedy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from postflow.sandbox import Sandbox
from postflow.sandbox.ngrok_agent.settings import write_wrapper
from postflow.service.console import Exit
from tests.cli.command_line import CommandLine
from tests.cli.conftest import STUDIO, SaveStudio
from tests.cli.studio_keeper import StudioKeeper

pytestmark = pytest.mark.prefect

PARTS = [
    "Prefect's server",
    "State folders",
    "Naming rules",
    "Watch folders",
    "Ledger",
    "Hosts",
    "Adobe sign-in",
    "Adobe scopes",
    "Frame.io user",
    "Frame.io account",
    "Frame.io workspace",
    "Frame.io project",
    "Frame.io storage",
    "Frame.io write access",
    "Frame.io direct upload",
    "ngrok agent",
    "ngrok account",
    "Outlet, seen from outside",
    "Discord webhook",
]
NOT_ASKED = ("not asked", "comes first", "")


def test_a_sound_set_up_is_told_part_by_part_and_left_as_it_was(
    postflow: CommandLine, save_studio: SaveStudio, world: Sandbox
) -> None:
    save_studio()

    ran = postflow("check")

    assert ran.code == Exit.DELIVERED, ran.text
    *lines, offer = ran.out.splitlines()
    assert offer.endswith(f"postflow contact --studio {STUDIO}")
    assert [line.split(": ")[0] for line in lines] == [f"✓ {part}" for part in PARTS]
    told = dict(line.removeprefix("✓ ").split(": ", 1) for line in lines)
    assert told["Watch folders"] == "none; clips are delivered by hand only"
    assert "ledger.db on this machine's own disk" in told["Ledger"]
    assert "Service Account User" in told["Frame.io user"]
    assert told["Frame.io account"] == "Studio"
    assert told["Frame.io workspace"] == "Main"
    assert world.project_id in told["Frame.io project"]
    assert told["Frame.io storage"] == "0 bytes used, without a limit"
    assert told["Frame.io direct upload"].startswith("a small file was taken with its checksum")
    assert told["ngrok agent"].startswith("version 3.")
    assert "PostFlow sandbox" in told["Discord webhook"]
    assert (world.assets(), world.folders(), world.messages()) == ([], [], [])


Expected = tuple[str, str, str]


@dataclass(frozen=True)
class Trouble:
    """What is wrong, and verdict, words and remedy of each part that is not simply ok."""

    expected: dict[str, Expected]
    code: Exit = Exit.FATAL
    tables: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    cause: Callable[[Sandbox, Path], dict[str, Any] | None] = lambda _world, _folder: None


def signed_in(world: Sandbox, scopes: str, *, told: bool) -> dict[str, Any]:
    """The table of a web app with a sign-in for these scopes."""
    tokens = world.tokens(scopes)
    return {
        "kind": "web",
        "access_token": tokens["access_token"],
        "refresh_token": tokens["refresh_token"],
        "expires_at": datetime.now(UTC) + timedelta(days=1),
        "renewable_until": datetime.now(UTC) + timedelta(days=2),
        "scopes": scopes.split() if told else [],
    }


def nothing_works(world: Sandbox, _: Path) -> dict[str, Any]:
    httpx.delete(world.discord_webhook_url)
    return {"adobe": {"client_secret": "p8e-wrong"}, "tunnel": {"ngrok_path": "/nowhere/ngrok"}}


def a_scope_was_not_granted(world: Sandbox, _: Path) -> dict[str, Any]:
    world.fault("agent_refuse", "agent", code=105)
    return {"adobe": signed_in(world, "openid email profile offline_access", told=True)}


def a_scope_is_missing_and_adobe_does_not_say(world: Sandbox, _: Path) -> dict[str, Any]:
    world.fault("free_plan", "edge", times=None)
    return {"adobe": signed_in(world, "openid email profile offline_access", told=False)}


def the_wrong_project_and_an_old_agent(_: Sandbox, folder: Path) -> dict[str, Any]:
    agent = write_wrapper(folder / "ngrok", authtoken=None, version="3.20.0")
    return {"frameio": {"project": "undlm"}, "tunnel": {"ngrok_path": str(agent)}}


def no_way_to_the_store(world: Sandbox, _: Path) -> None:
    world.fault("reset", "parts.put", times=None)


def neither_rights_nor_volumes(world: Sandbox, folder: Path) -> dict[str, Any]:
    world.fault("status", "folders.create", code=403, times=None)
    full = {"id": world.account_id, "storage_usage": 1_990_000_000, "storage_limit": 2 * 10**9}
    page = {"data": [full | {"display_name": "Studio"}], "links": {"next": None}}
    world.fault("status", "accounts.list", code=200, times=None, body=page)
    world.fault("quota_page", "edge", times=None)
    (folder / "new").mkdir()
    folders = [str(folder / "new"), str(folder / "away")]
    return {"studio": {"watching": {"folders": folders}, "ledger": "mysql://me:pw@db/postflow"}}


TROUBLES = {
    "nothing works": Trouble(
        {
            "Adobe sign-in": ("failed", "does not know this client", "developer.adobe.com"),
            **dict.fromkeys(PARTS[7:15], NOT_ASKED),
            "ngrok agent": ("failed", "not at /nowhere/ngrok", "https://ngrok.com/download"),
            **dict.fromkeys(PARTS[16:18], NOT_ASKED),
            "Discord webhook": ("failed", "does not know the webhook", "Make a new webhook"),
        },
        cause=nothing_works,
    ),
    "a scope was not granted": Trouble(
        {
            "Adobe sign-in": ("warning", "ends on 20", "Run `postflow login` before then"),
            "Adobe scopes": ("failed", "additional_info.roles", "postflow login"),
            **dict.fromkeys(PARTS[8:15], NOT_ASKED),
            "ngrok account": ("failed", "authtoken is malformed", "your-authtoken"),
            "Outlet, seen from outside": NOT_ASKED,
            "Discord webhook": ("ok", "none", ""),
        },
        tables={"discord": None},
        cause=a_scope_was_not_granted,
    ),
    "a scope is missing and Adobe does not say": Trouble(
        {
            "Adobe sign-in": ("warning", "ends on 20", "Run `postflow login` before then"),
            "Adobe scopes": ("warning", "did not say", "sign in again"),
            "Frame.io user": ("failed", "(401)", "additional_info.roles"),
            **dict.fromkeys(PARTS[9:15], NOT_ASKED),
            "Outlet, seen from outside": ("warning", "warning page", "paid plan"),
            "Discord webhook": ("failed", "not one of a webhook", "Copy URL"),
        },
        tables={"discord": {"url": "https://discord.com/channels/1/2"}},
        cause=a_scope_is_missing_and_adobe_does_not_say,
    ),
    "the wrong project and an old agent": Trouble(
        {
            "Frame.io project": ("failed", "no project called “undlm”", "Did you mean “UNDLM”?"),
            **dict.fromkeys(PARTS[12:15], NOT_ASKED),
            "ngrok agent": ("failed", "too old", "ngrok update"),
            **dict.fromkeys(PARTS[16:18], NOT_ASKED),
        },
        cause=the_wrong_project_and_an_old_agent,
    ),
    "no tunnel, and no way to the store": Trouble(
        {
            "Frame.io direct upload": ("failed", "cannot be reached", "firewall"),
            "Tunnel": ("ok", "sent directly", ""),
        },
        code=Exit.FATAL,
        tables={"tunnel": None},
        cause=no_way_to_the_store,
    ),
    "neither rights nor volumes": Trouble(
        {
            "Watch folder new": ("warning", "without its marker", "`postflow up` puts"),
            "Watch folder away": ("failed", "There is no folder", "Mount the volume"),
            "Ledger": ("failed", "neither a path nor", "postgresql://"),
            "Hosts": ("not asked", "Ledger comes first", ""),
            "Frame.io storage": ("warning", "2.0 GB of 2.0 GB used", "buy more storage"),
            "Frame.io write access": ("failed", "(403)", "editing rights"),
            "Frame.io direct upload": NOT_ASKED,
            "Outlet, seen from outside": ("failed", "bandwidth", "larger plan"),
        },
        cause=neither_rights_nor_volumes,
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_each_trouble_has_its_line_and_its_remedy(
    postflow: CommandLine,
    save_studio: SaveStudio,
    world: Sandbox,
    tmp_path: Path,
    trouble: Trouble,
) -> None:
    save_studio(**trouble.tables | (trouble.cause(world, tmp_path) or {}))

    ran = postflow("check", "--json")

    assert ran.code == trouble.code, ran.text
    findings = {each["part"].replace(f"{tmp_path}/", ""): each for each in ran.json}
    for part, finding in findings.items():
        verdict, says, hint = trouble.expected.get(part, ("ok", "", ""))
        assert finding["verdict"] == verdict, finding
        assert says in finding["says"]
        assert hint in finding["hint"]
        assert bool(finding["hint"]) == (verdict in {"failed", "warning"})
    assert trouble.expected.keys() <= findings.keys()


def test_rules_broken_in_prefects_ui_are_found(
    postflow: CommandLine, save_studio: SaveStudio, keeper: StudioKeeper
) -> None:
    save_studio(tunnel={"provider": "loopback"})
    asyncio.run(_break_the_rules())
    keeper.forget()

    ran = postflow("check")

    assert ran.code == Exit.FATAL
    assert "✗ Naming rules: Naming rule “torn”" in ran.out
    assert "  → Its keys are name" in ran.out
    assert "✓ Outlet, seen from outside" in ran.out


async def _break_the_rules() -> None:
    from postflow.blocks.studio import Studio

    studio = await Studio.aload(STUDIO)
    studio.rules = [{"name": "torn", "template": "{shot}"}]
    await studio.asave(STUDIO, overwrite=True)
