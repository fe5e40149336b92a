"""`postflow upload`: clips by hand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest

from postflow.sandbox import Sandbox
from postflow.service.console import Exit
from tests.cli.command_line import CommandLine
from tests.cli.conftest import MakeClip, SaveStudio

pytestmark = pytest.mark.prefect

CLIPS = ("SQ07_UNDLM_00152_v003.mov", "SQ08_UNDLM_00010_v001.mov")


@pytest.fixture
def agent_starts(world: Sandbox, tmp_path: Path) -> tuple[str, Path]:
    """An ngrok agent that notes its arguments in a file whenever it is started."""
    starts, agent = tmp_path / "starts", tmp_path / "ngrok"
    starts.touch()
    agent.write_text(f'#!/bin/sh\necho "$@" >> {starts}\nexec {world.ngrok_path} "$@"\n')
    agent.chmod(0o755)
    return str(agent), starts


def tunnels(starts: Path) -> list[str]:
    """Starts that were more than a question for the version."""
    return [line for line in starts.read_text().splitlines() if "version" not in line]


def test_several_clips_share_one_tunnel(
    postflow: CommandLine,
    save_studio: SaveStudio,
    world: Sandbox,
    make_clip: MakeClip,
    agent_starts: tuple[str, Path],
) -> None:
    save_studio(tunnel={"ngrok_path": agent_starts[0]})
    clips = [make_clip(name) for name in CLIPS]

    ran = postflow("upload", *clips)

    assert ran.code == Exit.DELIVERED, ran.text
    assert len(tunnels(agent_starts[1])) == 1
    assets = {asset["name"]: asset for asset in world.assets()}
    assert set(assets) == set(CLIPS)
    for clip in clips:
        asset = assets[clip.name]
        assert asset["sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()
        assert clip.name in ran.out
        assert asset["view_url"] in ran.out
        assert clip.name in ran.err, "its bar"

    again = postflow("upload", *clips, "--json")

    assert again.code == Exit.DELIVERED
    assert again.err == ""
    for document, clip in zip(again.json, clips, strict=True):
        assert document["success"] is True
        assert document["adopted"] is True
        assert document["file"] == str(clip)
        assert document["size"] == clip.stat().st_size
        assert document["project_id"] == world.project_id
        assert document["file_id"] == assets[clip.name]["id"]
        assert document["folder_id"] == assets[clip.name]["folder_id"]
        assert assets[clip.name]["path"].endswith(f"{document['folder']}/{clip.name}")
        assert document["view_url"] == assets[clip.name]["view_url"]
    assert len(world.assets()) == len(clips)
    assert len(tunnels(agent_starts[1])) == 1, "what is there needs no tunnel"


def test_a_dry_run_asks_nobody_anything(
    postflow: CommandLine, save_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    save_studio()
    good, bad = make_clip(), make_clip("holidays.mov")

    told = postflow("upload", good, bad, "--dry-run")
    as_json = postflow("upload", good, bad, "--dry-run", "--json", "--project", "OTHER")

    assert told.code == as_json.code == Exit.SKIPPED
    assert "would go to UNDLM/2_FROM_ANIM/SQ07/UNDLM_00152/SQ07_UNDLM_00152_v003.mov" in told.out
    assert "holidays.mov" in told.err
    assert as_json.err == ""
    plan, error = as_json.json
    assert (plan["project"], plan["sequence"], plan["shot"]) == ("OTHER", "SQ07", "00152")
    assert error["code"].startswith("name.")
    assert error["hint"]
    assert world.requests() == []


def test_scene_shot_project_and_webhook_given_by_hand_win(
    postflow: CommandLine, save_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    save_studio()
    token = world.tokens()["access_token"]
    workspace = f"{world.url}/v4/accounts/{world.account_id}/workspaces/{world.workspace_id}"
    made = httpx.post(
        f"{workspace}/projects",
        json={"data": {"name": "TRAILER"}},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert made.status_code == 201
    by_hand = ("--project", "TRAILER", "--scene", "SQ09", "--shot", "00042")

    with Sandbox() as elsewhere:
        webhook = {"POSTFLOW_DISCORD_WEBHOOK_URL": elsewhere.discord_webhook_url}
        ran = postflow("upload", make_clip("final.mov"), *by_hand, **webhook)
        told = elsewhere.messages()

    assert ran.code == Exit.DELIVERED, ran.text
    (asset,) = world.assets()
    assert asset["project_id"] == made.json()["data"]["id"]
    assert "SQ09" in asset["path"]
    assert "00042" in asset["path"]
    assert asset["view_url"] in str(told)
    assert world.messages() == []


def test_a_folder_deleted_in_frameio_is_made_again(
    postflow: CommandLine, save_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    save_studio()
    assert postflow("upload", make_clip()).code == Exit.DELIVERED
    (asset,) = world.assets()
    gone = httpx.delete(
        f"{world.url}/v4/accounts/{world.account_id}/folders/{asset['folder_id']}",
        headers={"Authorization": f"Bearer {world.tokens()['access_token']}"},
    )
    assert gone.is_success

    again = postflow("upload", make_clip())

    assert again.code == Exit.DELIVERED, again.text
    (asset,) = world.assets()
    assert asset["view_url"] in again.out


def test_a_deleted_webhook_does_not_undo_a_delivery(
    postflow: CommandLine, save_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    save_studio()
    httpx.delete(world.discord_webhook_url)

    ran = postflow("upload", make_clip(), "--json")

    assert ran.code == Exit.DELIVERED
    (asset,) = world.assets()
    (row,) = ran.json
    assert row["view_url"] == asset["view_url"]
    assert "Discord does not know the webhook any more" in row["not_told"]
    assert ran.err.count("Discord does not know the webhook any more") == 1
    assert "Make a new webhook" in ran.err
