"""A person at a terminal, from nothing to the first clip that is delivered."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from postflow.sandbox import Sandbox
from postflow.servers import password
from postflow.service.studio_file import as_toml, read_studio_file
from tests.cli.conftest import secrets_of
from tests.support.terminal import Terminal

CLIP = "SQ07_UNDLM_00152_v003.mov"
ENTER = "\r"


@pytest.fixture
def browser(tmp_path: Path) -> str:
    """Goes where Adobe's sign-in ends, and minds no certificate; Adobe's console it leaves be."""
    script = tmp_path / "browser"
    script.write_text(
        '#!/bin/sh\ncase "$1" in */ims/authorize*) exec curl -skL -o /dev/null "$1";; esac\n'
    )
    script.chmod(0o755)
    return str(script)


@pytest.mark.prefect
def test_eleven_answers_at_most_and_no_file_to_edit(
    world: Sandbox,
    prefect_api: str,
    private_state: Path,
    tmp_path: Path,
    exports: Path,
    browser: str,
    redirect_uri: str,
) -> None:
    addresses = tmp_path / "addresses.toml"  # of the sandbox: the true ones are known
    tables: dict[str, dict[str, Any]] = {
        "frameio": {"base_url": world.url},
        "adobe": {"ims_url": world.url, "redirect_uri": redirect_uri},
        "studio.watching": {"quiet": 1.0, "interval": 1.0, "idle_timeout": 1.0},
    }
    addresses.write_text(as_toml(tables))
    written = tmp_path / "studio.toml"
    answers = (
        ("Which kind of credential?", ENTER),
        ("Client ID:", world.client_id + ENTER),
        ("Client secret:", world.client_secret + ENTER),
        ("How do clips travel?", ENTER),
        ("Webhook URL", world.discord_webhook_url + ENTER),
        ("Which folder is watched?", f"{exports}-typo{ENTER}"),
        ("Which folder is watched?", f"{exports}{ENTER}"),
        ("Which naming rules?", ENTER),
        ("Deliver them?", "2" + ENTER),
        ("documents leave open?", ENTER),
        ("Start PostFlow?", ENTER),
    )
    environment = {
        **os.environ,
        "BROWSER": browser,
        "POSTFLOW_STATE_DIR": str(private_state),
        "PREFECT_API_URL": prefect_api,
        "PREFECT_API_AUTH_STRING": password(),
    }
    command = ("setup", "--studio", "first", "--from", str(addresses), "--write", str(written))
    with Terminal(*command, environment=environment, folder=tmp_path) as terminal:
        for question, keys in answers:
            terminal.see(question)
            terminal.press(keys)
        terminal.see(f"Set up, with {len(answers)} answers.")
        terminal.see(f"{CLIP} http")
    assert len(answers) < 12
    assert [asset["name"] for asset in world.assets()] == [CLIP]
    assert not [secret for secret in secrets_of(world) if secret in terminal.text]
    assert not list((private_state / "setup").glob("first.*")), "it holds secrets"
    _demand_the_same_studio(written)


def _demand_the_same_studio(written: Path) -> None:
    """As from `postflow setup --file` with what was answered."""
    from postflow.blocks.studio import load_studio
    from postflow.service.save_studio import studio_of

    assert written.stat().st_mode & 0o077 == 0
    saved, of_file = asyncio.run(load_studio("first")), studio_of(read_studio_file(written))
    for part in ("naming", "watching", "transfer", "tunnel"):
        assert getattr(saved, part) == getattr(of_file, part)
    assert saved.discord
    assert of_file.discord
    assert saved.discord.get_url() == of_file.discord.get_url()
    assert saved.frameio.project == of_file.frameio.project
    assert saved.adobe.client_secret == of_file.adobe.client_secret
    assert saved.adobe.refresh_token is not None, "the sign-in came along"
