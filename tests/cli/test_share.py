"""`postflow share` and `history NAME`: a link made by hand, and who looked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from postflow.sandbox import Sandbox
from postflow.service.console import Exit
from tests.cli.command_line import CommandLine
from tests.cli.conftest import MakeClip, SaveStudio

pytestmark = pytest.mark.prefect

VERSIONS = [f"SQ07_UNDLM_00152_v00{number}.mov" for number in (1, 2)]


def test_a_link_by_hand_opens_the_latest_version_and_who_looked_is_told(
    postflow: CommandLine, save_studio: SaveStudio, world: Sandbox, make_clip: MakeClip
) -> None:
    save_studio(tunnel={"provider": "loopback"})
    assert postflow("upload", *map(make_clip, VERSIONS)).code == 0
    nobody = postflow("share", "SQ99")
    assert (nobody.code, "share.unknown" in nobody.err) == (Exit.SKIPPED, True)
    assert world.shares() == []

    world.fault("lost_answer", "shares.create")
    options = ("--expires", "3", "--downloads", "--passphrase")
    made = postflow("share", "UNDLM_00152", *options, stdin="sesame\n")
    [share] = world.shares()
    assert (made.code, made.out.strip()) == (0, share["url"])
    assert "sesame" not in made.text
    [stack] = {asset["stack"] for asset in world.assets()}
    assert share["asset_ids"] == [stack]
    assert share["downloading_enabled"] is True
    left = datetime.fromisoformat(share["expiration"]) - datetime.now(UTC)
    assert timedelta(days=2) < left <= timedelta(days=3)

    assert "Nobody has looked" in postflow("history", VERSIONS[1]).out
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.post(share["url"], data={"passphrase": "sesame"}).text
    assert all(name in page for name in VERSIONS)
    told = postflow("history", VERSIONS[1])
    assert "somebody opened the link (UNDLM · UNDLM_00152)" in told.out
    assert share["url"] not in told.text
    [clip] = postflow("history", VERSIONS[1], "--json").json
    assert [seen["did"] for seen in clip["looked"]] == ["share_viewed"]
    assert postflow("share", "SQ07", "--json").json["url"] == world.shares()[1]["url"]
