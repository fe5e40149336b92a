"""`postflow login`: both ways of signing in, at the sandbox's Adobe."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from postflow.sandbox import Sandbox
from postflow.service.console import Exit
from tests.cli.command_line import CommandLine
from tests.cli.conftest import STUDIO, SaveStudio
from tests.support.wait import wait_until_sync

pytestmark = pytest.mark.prefect


@pytest.fixture
def text_browser(tmp_path: Path) -> str:
    """Follows the address to its end before it returns, as lynx would; minds no certificate."""
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\nexec curl --silent --insecure --location "$1" >{tmp_path}/seen\n'
    )
    browser.chmod(0o755)
    return str(browser)


def stored() -> Any:
    from postflow.blocks.adobe import BlockTokenStore

    return asyncio.run(BlockTokenStore(f"{STUDIO}-adobe").load())


@pytest.mark.parametrize("kind", ["web", "native"])
def test_the_browser_brings_the_tokens_into_the_block(
    postflow: CommandLine,
    save_studio: SaveStudio,
    world: Sandbox,
    tmp_path: Path,
    text_browser: str,
    redirect_uri: str,
    kind: str,
) -> None:
    client = {"web": world.client_id, "native": world.public_client_id}[kind]
    save_studio(adobe={"kind": kind, "client_id": client, "redirect_uri": redirect_uri})

    ran = postflow("login", BROWSER=text_browser)

    assert ran.code == Exit.DELIVERED, ran.text
    assert "Adobe granted" in ran.out
    assert "additional_info.roles" in ran.out
    assert "You can close this page" in (tmp_path / "seen").read_text()
    tokens = stored()
    assert tokens.access_token.get_secret_value() not in ran.text
    me = httpx.get(
        f"{world.url}/v4/me",
        headers={"Authorization": f"Bearer {tokens.access_token.get_secret_value()}"},
    )
    assert me.json()["data"]["name"] == "Studio Operator"


def test_an_address_pasted_by_hand_signs_in_once(
    postflow: CommandLine, save_studio: SaveStudio, world: Sandbox, redirect_uri: str
) -> None:
    save_studio(adobe={"kind": "web", "redirect_uri": redirect_uri})
    running = postflow.start("login", "--paste", stdin=None)
    shown = running.streams["err"]
    wait_until_sync(lambda: "/ims/authorize" in shown.read_text(), description="the address")
    address = re.search(r"http\S+/ims/authorize\S+", shown.read_text())
    assert address
    ended_at = httpx.get(address[0]).headers["Location"]
    running.type(f'  "{ended_at}"\n')

    ran = running.wait()

    assert ran.code == Exit.DELIVERED, ran.text
    assert httpx.URL(ended_at).params["code"] not in ran.text
    assert stored().refresh_token is not None

    again = postflow("login", "--paste", stdin=ended_at + "\n")

    assert again.code == Exit.FATAL
    assert "belongs to another sign-in" in again.err
    assert "postflow login" in again.err


def test_what_adobe_refuses_is_told(
    postflow: CommandLine, save_studio: SaveStudio, redirect_uri: str
) -> None:
    save_studio(adobe={"kind": "web", "redirect_uri": redirect_uri})

    nonsense = postflow("login", "--paste", stdin="https://localhost/elsewhere\n")

    assert nonsense.code == Exit.FATAL
    assert "There is no sign-in code in this address." in nonsense.err
    assert redirect_uri in nonsense.err


def test_a_server_to_server_credential_needs_no_sign_in(
    postflow: CommandLine, save_studio: SaveStudio
) -> None:
    save_studio()
    ran = postflow("login")
    assert ran.code == Exit.FATAL
    assert "needs no sign-in" in ran.err
    assert "postflow check" in ran.err
