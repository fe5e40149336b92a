"""`postflow setup`: a studio from a file, and no secret of it ever on the screen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from postflow.service.console import Exit
from tests.cli.command_line import CommandLine
from tests.support.studio_file import GOOD, SECRETS

pytestmark = pytest.mark.prefect


@pytest.fixture
def quiet_postflow(postflow: CommandLine) -> CommandLine:
    postflow.secrets |= SECRETS
    return postflow


def test_a_file_makes_a_studio_and_the_next_steps_are_told(
    quiet_postflow: CommandLine, tmp_path: Path
) -> None:
    from postflow.blocks.studio import load_studio

    file = tmp_path / "studio.toml"
    file.write_text(GOOD)

    ran = quiet_postflow("setup", "--file", file)

    assert ran.code == Exit.DELIVERED, ran.text
    assert "postflow login --studio north" in ran.out
    assert "postflow check --studio north" in ran.out
    studio = asyncio.run(load_studio("north"))
    assert studio.frameio.project == "UNDERLAMES"
    assert studio.adobe.client_secret is not None
    assert studio.adobe.client_secret.get_secret_value() == "p8e-TopSecret"
    assert studio.tunnel is not None
    assert studio.tunnel.domain == "north.ngrok.app"
    assert studio.discord is not None
    assert studio.retry_policy.attempts == 5
    assert studio.get_naming().identify("SQ07_UNDLM_00152_v003.mov").folder[0] == "WIP_BYSHOT"


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ('"p8e-TopSecret"', '"p8e-TopSecret', "line 16"),
        ('kind = "web"', 'kind = "p8e-TopSecret"', "[adobe] kind has to be"),
    ],
    ids=["torn", "a secret in the wrong place"],
)
def test_a_mistake_is_told_by_its_place_and_nothing_is_saved(
    quiet_postflow: CommandLine, tmp_path: Path, right: str, wrong: str, says: str
) -> None:
    file = tmp_path / "studio.toml"
    file.write_text(GOOD.replace('"north"', '"atlantis"').replace(right, wrong))
    file.chmod(0o600)

    ran = quiet_postflow("setup", "--file", file)

    assert ran.code == Exit.FATAL, ran.text
    told, remedy = ran.err.splitlines()
    assert says in told
    assert "postflow setup --example" in remedy
    assert asyncio.run(_blocks_called("atlantis")) == []


async def _blocks_called(name: str) -> list[str]:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        found = await client.read_block_documents(limit=200, offset=0)
    return [each.name for each in found if each.name == name]
