"""Direct uploads that are killed: what has arrived is not sent again, whoever goes on with it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from postflow.sandbox.clips import clip_path
from tests.crash.conftest import MakeGround
from tests.crash.ground import Ground
from tests.crash.killing import Death
from tests.crash.lives import Life
from tests.crash.record import check_delivered_once, sent
from tests.crash.three_clips import ThreeClips
from tests.frameio.connecting import raw
from tests.support.wait import wait_until_sync

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

NAME = "SQ07_UNDLM_00152_v001.mov"
PART = 10_000
PARTS = -(-clip_path().stat().st_size // PART)
PUT, ASK = "parts.put", "files.local_upload"


@pytest.fixture
async def ground(make_ground: MakeGround, request: pytest.FixtureRequest) -> AsyncIterator[Ground]:
    """A ledger by its address, as hosts share one."""
    ledger = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    async with make_ground(transfer="direct", part_bytes=PART, ledger=ledger) as opened:
        yield opened


def taken(ground: Ground) -> Counter[str]:
    """How often each part was taken."""
    seen = (each for each in ground.world.requests() if each["op"] == PUT)
    return Counter(each["path"] for each in seen if each["status"] == 200)


def killed_halfway(ground: Ground, clip: Path, *, how: Callable[[Life], None] = Life.kill) -> None:
    """In the middle of four parts, with five in the store."""
    ground.world.fault("delay", PUT, skip=5, seconds=600, times=4)
    life = ground.start()
    wait_until_sync(lambda: sum(taken(ground).values()) == 5, description="five parts")
    how(life)
    assert life.code() != 0
    ground.world.mend(PUT)
    assert clip.exists()


@pytest.mark.parametrize(
    ("ground", "how"), [("sqlite", Life.kill), ("postgres", Life.stop)], indirect=["ground"]
)
async def test_another_process_sends_only_what_has_not_arrived(
    ground: Ground, how: Callable[[Life], None]
) -> None:
    """With a state folder of its own; what it knows is in the ledger."""
    clip = ground.drop(NAME)
    killed_halfway(ground, clip, how=how)
    ground.state = ground.folder / "another host"
    ground.state.mkdir()
    assert ground.live()
    check_delivered_once(ground, {NAME: clip})
    assert sent(ground.world, ASK) == 1
    again = sum(taken(ground).values()) - PARTS
    assert len(taken(ground)) == PARTS
    assert again <= 4  # that were taken, and whose taking nobody had written down


def expired(ground: Ground, _: Path) -> None:
    ground.world.fault("expired", PUT)


def touched(_: Ground, clip: Path) -> None:
    later = clip.stat().st_mtime + 10
    os.utime(clip, (later, later))


@pytest.mark.parametrize(("meanwhile", "files"), [(expired, 2), (touched, 1)])
async def test_what_cannot_be_gone_on_with_begins_anew(
    ground: Ground, meanwhile: Callable[[Ground, Path], None], files: int
) -> None:
    """In a new file where the addresses are void; in the same where the clip is but touched."""
    clip = ground.drop(NAME)
    killed_halfway(ground, clip)
    meanwhile(ground, clip)
    assert ground.live()
    check_delivered_once(ground, {NAME: clip})
    assert ground.world.assets()[0]["created"] == files
    assert sum(taken(ground).values()) >= 5 + PARTS


async def test_a_placeholder_that_somebody_deleted_is_made_anew(ground: Ground) -> None:
    clip = ground.drop(NAME)
    killed_halfway(ground, clip)
    (asset,) = ground.world.assets()
    await raw(ground.world, "DELETE", f"/v4/accounts/{ground.world.account_id}/files/{asset['id']}")
    assert ground.live()
    check_delivered_once(ground, {NAME: clip})


TRANSITIONS = ["clip requesting", "clip requested", "part arrived", "clip resumed", "clip arrived"]


async def test_each_run_dies_one_transition_later_than_the_last(make_ground: MakeGround) -> None:
    """Right before and right after it is written down; one clip after the other."""
    watching = {"at_once": 1}
    async with make_ground(transfer="direct", part_bytes=PART, watching=watching) as ground:
        clips = ThreeClips(ground)
        for transition in TRANSITIONS:
            clips.die(Death(at=transition, moment="before"))
            clips.die(Death(at=transition, moment="after"))
        clips.finish()
        assert sent(ground.world, "files.remote_upload") == 0
