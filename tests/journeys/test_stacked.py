"""Versions of a clip come to lie on one stack; what goes wrong there undoes no delivery."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from postflow.frameio import endpoints
from postflow.frameio.client import shared_for
from postflow.ledger import Ledger, Phase, State, queries, retrying, stack_queue
from postflow.sandbox import Sandbox
from tests.frameio.connecting import raw
from tests.journeys.conftest import MakeClip
from tests.journeys.faults import ALWAYS, Fault, arm_all, fault, named
from tests.journeys.proof import READY, armed, calls, endings, words
from tests.journeys.studios import save
from tests.support.enrolled import enrolled

pytestmark = pytest.mark.prefect

AT_STACKING_FOR_A_MOMENT = [
    (fault("lost_answer", "version_stacks.create"),),
    (fault("status", "version_stacks.create", code=500), fault("lost_answer", "files.move")),
    (fault("reset", "version_stacks.create"), fault("reset", "files.move")),
]


async def deliver_versions(make_clip: MakeClip, studio: str, *numbers: int) -> None:
    from postflow.flows.deliver import deliver

    for number in numbers:
        await deliver(make_clip(f"SQ07_UNDLM_00152_v{number:03}.mov"), studio=studio)


def stacked(world: Sandbox) -> dict[str, int | None]:
    """The version of each asset, and its place on the only stack."""
    assets = world.assets()
    assert len({asset["stack"] for asset in assets} - {None}) <= 1
    return {asset["name"].partition("_v")[2][:3]: asset["position"] for asset in assets}


@pytest.mark.parametrize("faults", AT_STACKING_FOR_A_MOMENT, ids=named)
async def test_after_faults_that_pass_all_versions_are_on_one_stack_in_order(
    faults: tuple[Fault, ...], loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    arm_all(world, faults)
    await deliver_versions(make_clip, loopback_studio, 1, 3, 2)
    assert stacked(world) == {"001": 1, "002": 2, "003": 3}
    assert endings(world) == [READY] * 3
    assert armed(world) == []


async def test_a_clip_that_cannot_be_stacked_is_delivered_and_the_next_version_heals_it(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    world.fault("status", "version_stacks.create", code=403)
    await deliver_versions(make_clip, loopback_studio, 1, 2)
    assert stacked(world) == {"001": None, "002": None}
    assert endings(world) == [READY] * 2

    await deliver_versions(make_clip, loopback_studio, 3)
    assert stacked(world) == {"001": 1, "002": 2, "003": 3}


async def test_the_next_version_joins_its_shot_wherever_people_have_put_it(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip, tmp_path: Path
) -> None:
    """Folder, file and stack are renamed and moved: the ledger knows their ids."""
    from postflow.flows.deliver import deliver

    first = await deliver(make_clip("SQ07_UNDLM_00152_v001.mov"), studio=loopback_studio)
    account = f"/v4/accounts/{world.account_id}"
    folder = f"{account}/folders/{first.folder_id}"
    await raw(world, "PATCH", folder, {"name": "The chase"})
    await raw(world, "PATCH", f"{account}/files/{first.file_id}", {"name": "First look.mov"})
    second = await deliver(make_clip("SQ07_UNDLM_00152_v002.mov"), studio=loopback_studio)
    assert (second.folder_id, second.stack_id is None) == (first.folder_id, False)

    await raw(world, "PATCH", f"{account}/files/{second.file_id}", {"name": "Second look.mov"})
    elsewhere = {"parent_id": world.root_folder_id}
    await raw(world, "PATCH", f"{account}/version_stacks/{second.stack_id}/move", elsewhere)
    shared_for.cache_clear()
    shutil.rmtree(tmp_path / "results")
    third = await deliver(make_clip("SQ07_UNDLM_00152_v003.mov"), studio=loopback_studio)
    assert (third.folder_id, third.stack_id) == (first.folder_id, second.stack_id)
    positions = {asset["id"]: asset["position"] for asset in world.assets()}
    assert [positions[each.file_id] for each in (first, second, third)] == [1, 2, 3]


@pytest.fixture
async def watched_studio(nothing_cached: None, world: Sandbox, tmp_path: Path) -> str:
    """One that watches the folder clips are made in."""
    folder = tmp_path / "watch"
    folder.mkdir()
    enrolled(folder, studio="watched")
    watching = {"folders": [folder], "quiet": 0.2, "idle_timeout": 0.2, "at_once": 1}
    return await save(world, name="watched", watching=watching, provider="loopback")


async def test_what_could_not_be_stacked_for_a_while_is_stacked_by_a_later_ingest(
    watched_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    """Its file may be gone by then. It is neither sent nor told again."""
    from postflow.flows.ingest import ingest

    clips = [make_clip(f"SQ07_UNDLM_00152_v00{n}.mov", extra=8 * n) for n in (1, 2)]
    world.fault("status", "version_stacks.create", code=503, times=ALWAYS)
    drained = await ingest(watched_studio)
    assert set(drained.delivered) == {clip.name for clip in clips}
    assert stacked(world) == {"001": None, "002": None}
    assert endings(world) == [READY] * 2
    with Ledger.open() as ledger:
        delivered = queries.rows(ledger, phase=Phase.DELIVERED)
        assert State.STACKING in {clip.state for clip in delivered}
        assert len(delivered) == 2
        for clip in clips:
            clip.unlink()
            retrying.retry(ledger, clip.name)
    told = world.messages()

    world.mend()
    await ingest(watched_studio)
    assert stacked(world) == {"001": 1, "002": 2}
    assert calls(world, "files.remote_upload") == 2
    assert world.messages() == told
    with Ledger.open() as ledger:
        assert {clip.state for clip in queries.rows(ledger)} == {State.DONE}


async def test_clips_are_told_of_before_their_stacks_which_come_in_few_calls_and_in_order(
    watched_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    """Frame.io makes no stack for now, and says so: no clip waits for that."""
    from postflow.flows.ingest import ingest

    one = [make_clip(f"SQ07_UNDLM_00152_v00{n}.mov", extra=8 * n) for n in (1, 2, 3)]
    two = [make_clip(f"SQ07_UNDLM_00153_v00{n}.mov", extra=80 * n) for n in (1, 2)]
    pacing = shared_for(world.url).pacing
    pacing.bucket(endpoints.CREATE_STACK, world.account_id).close({"retry-after": "3600"})
    drained = await ingest(watched_studio)
    assert set(drained.delivered) == {clip.name for clip in one + two}
    assert endings(world) == [READY] * 5
    assert {asset["stack"] for asset in world.assets()} == {None}
    assert words(world).count("follows") == 3, "of the first version of each nothing follows"
    with Ledger.open() as ledger:
        assert stack_queue.due(ledger, watched_studio) == 3

    shared_for.cache_clear()
    await ingest(watched_studio)
    stacks: dict[str, list[str]] = {}
    for asset in sorted(world.assets(), key=lambda asset: asset["position"]):
        stacks.setdefault(asset["stack"], []).append(asset["name"])
    assert sorted(stacks.values()) == [[clip.name for clip in clips] for clips in (one, two)]
    assert (calls(world, "version_stacks.create"), calls(world, "files.move")) == (2, 0)
    assert endings(world) == [READY] * 5
    assert "follows" not in words(world)
    with Ledger.open() as ledger:
        assert {clip.state for clip in queries.rows(ledger)} == {State.DONE}


async def test_a_clip_is_told_of_before_it_joins_a_stack_where_changes_are_scarce(
    watched_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    """Many versions of existing stacks at once: Frame.io moves a hundred files a minute."""
    from postflow.flows.ingest import ingest

    await deliver_versions(make_clip, watched_studio, 1, 2)
    moving = shared_for(world.url).pacing.bucket(endpoints.MOVE_FILE, world.account_id)
    for _ in range(90):
        await moving.slot()
    before = len(world.requests())
    make_clip("SQ07_UNDLM_00152_v003.mov")
    await ingest(watched_studio)
    asked = [each.get("op") for each in world.requests()[before:]]
    assert asked.index("discord.patch") < asked.index("files.move")
    assert stacked(world) == {"001": 1, "002": 2, "003": 3}
