"""kill -9 of what `ingest` leans on: the ngrok agent and the Prefect server."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.crash.agents import agents
from tests.crash.conftest import MakeGround
from tests.crash.prefect_server import PrefectServer
from tests.crash.record import check_delivered_once, check_messages, check_nothing_false, sent
from tests.support.wait import wait_until_sync

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

CLIP = "SQ07_UNDLM_00152_v001.mov"
ATOMS = 100_000


async def test_the_agent_is_killed_in_mid_transfer(make_ground: MakeGround) -> None:
    """The same run opens another tunnel and asks again; the first placeholder is withdrawn."""
    async with make_ground(tunnel="ngrok") as ground:
        ground.world.fault("rate", "edge", bytes_per_second=100_000)
        clip = ground.drop(CLIP, atoms=ATOMS)
        life = ground.start()
        wait_until_sync(
            lambda: life.order.log.exists() and "being fetched" in life.order.log.read_text(),
            description="its bytes",
        )
        for agent in agents(ground.state):
            agent.kill()
        assert life.ends()
        assert sent(ground.world, "files.remote_upload") == 2
        check_delivered_once(ground, {CLIP: clip})
        assert check_messages(ground, 1, []) == 0
        assert not agents(ground.state)


async def test_the_prefect_server_is_killed_in_mid_transfer(
    make_ground: MakeGround, tmp_path: Path
) -> None:
    """Whatever the run makes of that: nothing false meanwhile, and delivered once at the end."""
    with PrefectServer(tmp_path / "prefect") as server:
        with temporary_settings({PREFECT_API_URL: server.api}):
            opening = make_ground()
            ground = await opening.__aenter__()
        try:
            ground.api = server.api
            clip = ground.drop(CLIP)
            ground.world.fault("delay", where="fetch", times=1, seconds=600)
            life = ground.start()
            wait_until_sync(lambda: sent(ground.world, "files.remote_upload"))
            server.kill()
            check_nothing_false(ground, {CLIP: clip})
            ground.world.release()
            server.start()
            life.code()
            check_nothing_false(ground, {CLIP: clip})
            assert ground.live()
            check_delivered_once(ground, {CLIP: clip})
            assert check_messages(ground, 1, []) == 0
            assert sent(ground.world, "files.remote_upload") == 1
        finally:
            await opening.__aexit__(None, None, None)
