"""What goes wrong at each stage: delivered once, or a clear failure. Never two, never a lie."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from postflow.errors import Fatal, PostFlowError, Retry
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.faults import ALWAYS, Fault, arm_all, fault, named
from tests.journeys.proof import (
    FAILED,
    ON_ITS_WAY,
    READY,
    armed,
    endings,
    namesakes,
    the_asset,
    words,
)

pytestmark = pytest.mark.prefect

LIMIT = 120.0

# The sign-in is remembered from run to run, so it is made worthless first.
SIGNED_OUT = fault("token_expiry", "accounts.list")

# A row is one journey on which all of these happen, each at its stage.
AT_FRAMEIO_FOR_A_MOMENT = [
    (
        SIGNED_OUT,
        fault("status", "ims.token", code=500),
        fault("status", "folders.list", code=500),
        fault("lost_answer", "files.remote_upload"),
        fault("reset", "discord.patch"),
    ),
    (
        SIGNED_OUT,
        fault("lost_answer", "ims.token"),
        fault("lost_answer", "folders.create"),
        fault("status", "files.remote_upload", code=409),
        fault("status", "files.show", code=500),
    ),
    (
        SIGNED_OUT,
        fault("reset", "ims.token"),
        fault("status", "accounts.list", code=500),
        fault("status", "files.remote_upload", code=502),
    ),
    (
        SIGNED_OUT,
        fault("delay", "ims.token", seconds=0.5),
        fault("lost_answer", "projects.list"),
        fault("reset", "files.remote_upload"),
        fault("reset", "files.show"),
    ),
    (
        fault("reset", "accounts.list"),
        fault("reset", "folders.create", skip=2),
        fault("rate_limited", "files.remote_upload"),
        fault("status", "files.show", code=500),
    ),
    (
        fault("rate_limited", "accounts.list"),
        fault("status", "folders.create", code=500, skip=1),
        fault("status", "files.remote_upload", code=500, times=2),
        fault("rate_limited", "discord.post"),
    ),
    (
        fault("status", "projects.list", code=503),
        fault("rate_limited", "projects.list"),
        fault("reset", "folders.list", skip=1),
        fault("delay", "files.remote_upload", seconds=0.5),
        fault("status", "files.show", code=404),
    ),
    (
        fault("lost_answer", "folders.create", times=ALWAYS),
        fault("lost_answer", "folders.children"),
        fault("status", "folders.children", code=502),
        fault("status", "files.status", code=500),
        fault("upload_failed", "files.remote_upload"),
        fault("status", "files.delete", code=500),
    ),
    (
        fault("rate_limited", "folders.create"),
        fault("delay", "folders.list", seconds=0.5),
        fault("lost_answer", "files.remote_upload"),
        fault("status", "folders.files", code=500),
        fault("delay", "files.show", seconds=0.5),
    ),
    (
        fault("delay", "folders.create", seconds=0.5),
        fault("token_expiry", "folders.create"),
        fault("lost_answer", "files.remote_upload", code=502),
        fault("upload_failed", "files.remote_upload"),
        fault("lost_answer", "files.delete"),
    ),
    (
        fault("rate_limited", "folders.children"),
        fault("token_expiry", "files.remote_upload"),
        fault("upload_failed", "files.remote_upload"),
        fault("rate_limited", "files.status"),
        fault("rate_limited", "files.show"),
    ),
    (
        fault("reset", "fetch"),
        fault("token_expiry", "files.show"),
        fault("rate_limited", "discord.patch"),
    ),
    (
        fault("delay", "discord.post", seconds=0.5),
        fault("cut", "fetch", after_bytes=50_000),
        fault("status", "discord.patch", code=500),
    ),
]

AT_THE_TUNNEL_FOR_A_MOMENT = [
    (fault("agent_refuse", "agent", code=108),),
    (fault("agent_refuse", "agent", code=334),),
    (fault("agent_silent_exit", "agent"),),
    (fault("agent_hang", "agent"),),
    (
        fault("agent_slow", "agent", seconds=1),
        fault("connect_delay", "agent", seconds=1),
        fault("cut", "edge", after_bytes=50_000),
    ),
]


@pytest.mark.parametrize("faults", AT_FRAMEIO_FOR_A_MOMENT, ids=named)
async def test_after_faults_that_pass_the_clip_is_delivered_once(
    faults: tuple[Fault, ...], loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    await _delivered_in_spite_of(faults, loopback_studio, world, make_clip())


@pytest.mark.parametrize("faults", AT_THE_TUNNEL_FOR_A_MOMENT, ids=named)
async def test_after_trouble_with_the_tunnel_the_clip_is_delivered_once(
    faults: tuple[Fault, ...], studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    await _delivered_in_spite_of(faults, studio, world, make_clip())


async def _delivered_in_spite_of(
    faults: tuple[Fault, ...], studio: str, world: Sandbox, clip: Path
) -> None:
    from postflow.flows.deliver import deliver

    arm_all(world, faults)
    async with asyncio.timeout(LIMIT):
        delivery = await deliver(clip, studio=studio)
    assert the_asset(world, clip)["id"] == delivery.file_id
    assert endings(world) == [READY]
    assert [(folder["path"], folder["created"]) for folder in world.folders()] == [
        ("2_FROM_ANIM", 1),
        ("2_FROM_ANIM/SQ07", 1),
        ("2_FROM_ANIM/SQ07/UNDLM_00152", 1),
    ]
    assert [fault for fault in armed(world) if fault["times"]] == [], "a fault did not strike"


AT_DISCORD = [
    ((fault("status", "discord.post", code=500),), [READY]),
    # A post without an answer may be there, and is not repeated; news come as a new message.
    ((fault("lost_answer", "discord.post"),), [ON_ITS_WAY, READY]),
    ((fault("status", "discord.post", code=404, times=ALWAYS),), []),
    ((fault("status", "discord.patch", code=404),), [ON_ITS_WAY]),
    ((fault("status", "discord.patch", code=500, times=ALWAYS),), [ON_ITS_WAY]),
]


@pytest.mark.parametrize(("faults", "shown"), AT_DISCORD, ids=named)
async def test_what_discord_does_never_undoes_a_delivery(
    faults: tuple[Fault, ...],
    shown: list[str],
    loopback_studio: str,
    world: Sandbox,
    make_clip: MakeClip,
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    arm_all(world, faults)
    async with asyncio.timeout(LIMIT):
        delivery = await deliver(clip, studio=loopback_studio)
    assert the_asset(world, clip)["id"] == delivery.file_id
    assert endings(world) == shown


Failing = tuple[tuple[Fault, ...], type[PostFlowError], str]

AT_FRAMEIO_FOR_GOOD: list[Failing] = [
    ((SIGNED_OUT, fault("status", "ims.token", code=400, times=ALWAYS)), Fatal, "adobe."),
    ((fault("status", "accounts.list", code=401, times=ALWAYS),), Fatal, "frameio.unauthorized"),
    ((fault("reset", "projects.list", times=ALWAYS),), Retry, "frameio.unreachable"),
    ((fault("status", "folders.create", code=403),), Fatal, "frameio.forbidden"),
    ((fault("reset", "folders.create", times=ALWAYS),), Retry, "frameio.unsettled"),
    (
        (
            fault("upload_failed", "files.remote_upload"),
            fault("status", "folders.children", code=500, times=ALWAYS),
        ),
        Retry,
        "frameio.busy",
    ),
    ((fault("status", "files.remote_upload", code=422),), Fatal, "frameio.refused"),
    ((fault("status", "files.remote_upload", code=500, times=ALWAYS),), Retry, "frameio.unsettled"),
    (
        (fault("upload_failed", "files.remote_upload", times=ALWAYS),),
        Retry,
        "frameio.upload_failed",
    ),
]

AT_THE_TUNNEL_FOR_GOOD: list[Failing] = [
    ((fault("quota_page", "edge", code=725, requests=-1),), Fatal, "tunnel.ngrok.725"),
    ((fault("interstitial", "edge", requests=-1),), Fatal, "tunnel.ngrok.6024"),
    ((fault("agent_refuse", "agent", code=105),), Fatal, "tunnel.ngrok.105"),
]


@pytest.mark.parametrize(("faults", "kind", "code"), AT_FRAMEIO_FOR_GOOD, ids=named)
async def test_a_fault_that_stays_is_a_clear_failure_and_leaves_nothing(
    faults: tuple[Fault, ...],
    kind: type[PostFlowError],
    code: str,
    loopback_studio: str,
    world: Sandbox,
    make_clip: MakeClip,
) -> None:
    arm_all(world, faults)
    failure = await _failure(kind, loopback_studio, world, make_clip())
    assert failure.code.startswith(code)


@pytest.mark.parametrize(("faults", "kind", "code"), AT_THE_TUNNEL_FOR_GOOD, ids=named)
async def test_a_tunnel_that_cannot_be_had_is_a_clear_failure_and_leaves_nothing(
    faults: tuple[Fault, ...],
    kind: type[PostFlowError],
    code: str,
    studio: str,
    world: Sandbox,
    make_clip: MakeClip,
) -> None:
    arm_all(world, faults)
    failure = await _failure(kind, studio, world, make_clip())
    assert failure.code == code


async def _failure(
    kind: type[PostFlowError], studio: str, world: Sandbox, clip: Path
) -> PostFlowError:
    from postflow.flows.deliver import deliver

    with pytest.raises(kind) as failure:
        async with asyncio.timeout(LIMIT):
            await deliver(clip, studio=studio)
    assert failure.value.hint
    assert namesakes(world, clip) == []
    assert endings(world) == [FAILED]
    assert failure.value.code in words(world)
    return failure.value


async def test_a_placeholder_that_cannot_be_removed_is_no_clip_and_gone_after_the_next_run(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    clip = make_clip()
    fault("upload_failed", "files.remote_upload", times=3).arm(world)
    fault("status", "files.delete", code=403, times=2).arm(world)
    with pytest.raises(PostFlowError):
        await deliver(clip, studio=loopback_studio)
    assert {asset["status"] for asset in namesakes(world, clip)} == {"created"}

    await deliver(clip, studio=loopback_studio)
    the_asset(world, clip)
