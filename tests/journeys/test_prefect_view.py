"""What a person sees of a journey in Prefect's UI, read where the UI reads it."""

from __future__ import annotations

import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from postflow.engine import artifacts
from postflow.sandbox import Sandbox
from postflow.state import state_dir
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, the_asset
from tests.journeys.reluctant_server import reluctant
from tests.journeys.runs import artifacts_of, log_of, once, run_for, stages_of

pytestmark = [pytest.mark.prefect, pytest.mark.shows]

STAGES = ["identify", "place", "transfer", "stack", "announce"]


async def test_a_run_is_named_after_its_clip_and_tells_its_story(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    clip = make_clip()
    run = await run_for(clip, loopback_studio)
    assert (run.name, run.state_name) == (clip.name, "Completed")

    stages = await stages_of(run, len(STAGES))
    assert sorted(stage.name for stage in stages) == sorted(STAGES)
    assert {stage.state_name for stage in stages} == {"Completed"}

    told = await once(lambda log: "is delivered" in log, lambda: log_of(run))
    for sentence in (
        f"{clip.name} goes to 2_FROM_ANIM/SQ07/UNDLM_00152 in UNDLM.",
        f"{clip.name} arrived whole: {clip.stat().st_size:,} bytes.",
        the_asset(world, clip)["view_url"],
    ):
        assert sentence in told


async def test_a_run_leaves_a_slip_with_the_link_and_a_bar_that_is_full(
    loopback_studio: str,
    world: Sandbox,
    make_clip: MakeClip,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clip that is gone within a second has no bar; here that second is none."""
    monkeypatch.setattr(artifacts, "PAUSE", 0.0)
    clip = make_clip()
    run = await run_for(clip, loopback_studio)
    left = await artifacts_of(run)
    slip = str(left["markdown"].data).replace("\\", "")
    assert f"]({the_asset(world, clip)['view_url']})" in slip
    assert "2_FROM_ANIM/SQ07/UNDLM_00152" in slip
    assert left["progress"].data == 100


async def test_a_run_for_a_clip_that_was_delivered_finds_out_nothing_anew(
    loopback_studio: str, make_clip: MakeClip
) -> None:
    """What has an effect is asked each time: a hit would leave the effect out."""
    clip = make_clip()
    await run_for(clip, loopback_studio)
    again = await run_for(clip, loopback_studio)

    cached = ("identify", "place", "transfer")
    effects = ("stack", "announce")
    stages = await stages_of(again, len(cached + effects))
    shown = {stage.name: stage.state_name for stage in stages}
    assert shown == dict.fromkeys(cached, "Cached") | dict.fromkeys(effects, "Completed")


async def test_a_ledger_that_begins_anew_keeps_no_message_back(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    """Clips are numbered from 1 again: nothing of the numbers before is remembered."""
    await run_for(make_clip(), loopback_studio)
    for file in state_dir().glob("ledger.db*"):
        file.unlink()
    await run_for(make_clip("SQ07_UNDLM_00160_v001.mov", extra=8), loopback_studio)
    assert endings(world) == [READY, READY]


async def test_a_failed_run_says_what_to_do(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    world.fault("status", "accounts.list", code=403)
    run = await run_for(make_clip(), loopback_studio)
    assert run.state
    assert (run.state_name, "editing rights" in str(run.state.message)) == ("Failed", True)
    log = await once(lambda log: "editing rights" in log, lambda: log_of(run))
    assert log.count("editing rights") == 1
    assert "Traceback" not in log
    slip = str((await artifacts_of(run))["markdown"].data)
    assert "Not delivered" in slip
    assert "editing rights" in slip


async def test_an_attempt_that_failed_waits_for_the_next_one_in_sight(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    world.fault("upload_failed", "files.remote_upload", times=3)
    run = await run_for(make_clip(), loopback_studio)
    assert run.state_name == "Failed"
    stages = await stages_of(run, 4)
    (transfer,) = [stage for stage in stages if stage.name == "transfer"]
    assert transfer.run_count == 3
    log = await once(lambda log: "exhausted" in log, lambda: log_of(run))
    assert log.count("Retry 1/2") == log.count("Retry 2/2") == 1
    assert "Traceback" not in log
    async with get_client() as client:
        shown = [state.name for state in await client.read_task_run_states(transfer.id)]
    assert shown.count("AwaitingRetry") == 2


# Prefect forgets to close one of its clients; see tests/conftest.py.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
async def test_a_server_that_takes_no_slip_and_no_bar_costs_no_clip(
    loopback_studio: str, world: Sandbox, prefect_api: str, make_clip: MakeClip
) -> None:
    clip = make_clip()
    with (
        reluctant(prefect_api, "/api/artifacts/") as server,
        temporary_settings({PREFECT_API_URL: server.api}),
    ):
        run = await run_for(clip, loopback_studio)
    assert run.state_name == "Completed"
    the_asset(world, clip)
    assert endings(world) == [READY]
    assert await artifacts_of(run) == {}
