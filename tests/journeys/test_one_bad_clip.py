"""What goes wrong with one clip, or for a moment, ends no run of many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from postflow.errors import Retry
from postflow.folder.root import read_mark
from postflow.ledger import (
    AsyncLedger,
    Ledger,
    leases,
    observations,
    outbox,
    queries,
    queue,
    registry,
    roots,
    transitions,
)
from postflow.locks import one_at_a_time
from postflow.media.probe import probe_media
from postflow.models import MediaFile, Shot
from postflow.naming import Naming
from postflow.sandbox import Sandbox
from postflow.state import state_dir
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, armed, calls, endings, the_asset
from tests.journeys.studios import save
from tests.ledger.ground import claim_one, sighting, target
from tests.support.enrolled import enrolled
from tests.support.wait import wait_until

pytestmark = pytest.mark.prefect

BAD, *GOOD = (f"SQ07_UNDLM_0000{number}_v001.mov" for number in range(1, 5))


@pytest.fixture
async def watching_studio(nothing_cached: None, world: Sandbox, make_clip: MakeClip) -> str:
    """Its watch folder is where the clips are made."""
    folder = make_clip(BAD).parent
    enrolled(folder, studio="watching")
    watching = {"folders": [str(folder)], "quiet": 0.2, "interval": 0.2, "idle_timeout": 0.5}
    return await save(world, name="watching", provider="loopback", watching=watching)


async def test_a_fault_nobody_has_foreseen_is_one_clips_alone(
    watching_studio: str, world: Sandbox, make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault has to be put in: known ones are foreseen."""
    from postflow.flows.ingest import ingest
    from postflow.media import pinned as opening
    from postflow.media.probe import holds as real

    good = [make_clip(name, extra=80 * number) for number, name in enumerate(GOOD, start=1)]

    def holds(descriptor: int, media: MediaFile, **how: bool) -> bool:
        if media.name == BAD:
            raise RuntimeError("nobody has foreseen this")
        return real(descriptor, media, **how)

    monkeypatch.setattr(opening, "holds", holds)
    drained = await ingest(studio=watching_studio)
    assert sorted(drained.delivered) == GOOD
    assert list(drained.put_off) == [BAD]
    for clip in good:
        the_asset(world, clip)
    with Ledger.open(state_dir() / "ledger.db") as ledger:
        (row,) = queries.rows(ledger, name=BAD)
    assert (row.code, row.tries, row.run_id) == ("postflow.fault", 1, None)


class Away:
    """A ledger that does not answer some calls, the first ones when it is time."""

    def __init__(
        self, ledger: AsyncLedger, call: str, time: Callable[[], object], times: int = 1
    ) -> None:
        self._ledger = ledger
        self._call = call
        self._is_time = time
        self._times = times

    @property
    def was_away(self) -> bool:
        return not self._times

    @property
    def ledger(self) -> Ledger:
        return self._ledger.ledger

    async def run(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if call.__name__ == self._call and not self.was_away and self._is_time():
            self._times -= 1
            raise Retry("Busy.", hint="Wait.", code="ledger.unreachable")
        return await self._ledger.run(call, *args, **kwargs)


async def test_a_ledger_that_is_away_for_a_moment_breaks_off_no_transfer_and_is_told_once(
    watching_studio: str,
    world: Sandbox,
    said: Callable[[str], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from postflow.engine.studio import open_studio
    from postflow.flows import drain
    from postflow.flows.ingest import ingest

    monkeypatch.setattr(drain, "PULSE", 0.1)
    world.fault("delay", "fetch", seconds=600)
    async with open_studio(watching_studio) as live:
        away = Away(live.ledger, "ready", world.assets, times=3)
        live.ledger = cast("AsyncLedger", away)
        run = asyncio.create_task(ingest(studio=watching_studio))
        await wait_until(lambda: (away.was_away and not armed(world)) or run.done())
        world.release()
        drained = await run
    assert away.was_away
    assert list(drained.delivered) == [BAD]
    assert calls(world, "files.remote_upload") == 1
    assert said("Busy.") == 1


async def test_what_could_not_be_started_for_a_moment_is_started_by_the_same_run(
    watching_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.engine.studio import open_studio
    from postflow.flows.ingest import ingest

    make_clip("a first, misnamed.mov")
    async with open_studio(watching_studio) as live:
        away = Away(live.ledger, "skip", lambda: True)
        live.ledger = cast("AsyncLedger", away)
        drained = await ingest(studio=watching_studio)
    assert away.was_away
    assert list(drained.skipped) == ["a first, misnamed.mov"]
    assert list(drained.delivered) == [BAD]


async def test_a_refused_clip_that_frameio_has_to_be_asked_about_holds_up_no_other(
    watching_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    """Somebody cancelled it after its run had died, and another process is at the same file."""
    from postflow.flows.ingest import ingest

    good = make_clip(GOOD[0], extra=80)
    media = await probe_media(good.parent / BAD)
    with Ledger.open() as ledger:
        root = roots.find_root(ledger, watching_studio, read_mark(good.parent).id)
        assert root
        observations.observe(
            ledger, root, [sighting(root, BAD, size=media.size, mtime_ns=media.mtime_ns)]
        )
        registry.register(ledger, root, media)
        begun = transitions.intend_request(ledger, claim_one(ledger), target(), way="tunnel")
        leases.end(ledger, begun.run_id)
        (spot,) = queue.spots(ledger, BAD, studio=watching_studio)
        queue.cancel(ledger, watching_studio, queue.BY_COMMAND, lambda *_: None, at=spot)
    async with one_at_a_time("clip", target().folder_id, clip=BAD):
        run = asyncio.create_task(ingest(studio=watching_studio))
        await wait_until(lambda: endings(world) == [READY], description="the other clip")
    assert list((await run).delivered) == [good.name]


async def test_a_name_that_our_code_trips_over_is_one_clips_alone(
    watching_studio: str, world: Sandbox, make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has failed, which is told once; it would trip again, so it is not tried again."""
    from postflow.flows.ingest import ingest

    good = make_clip(GOOD[0], extra=80)
    real = Naming.identify

    def identify(naming: Naming, name: str, **by_hand: Any) -> Shot:
        if name == BAD:
            raise RuntimeError("nobody has foreseen this")
        return real(naming, name, **by_hand)

    monkeypatch.setattr(Naming, "identify", identify)
    drained = await ingest(studio=watching_studio)
    assert list(drained.delivered) == [good.name]
    assert list(drained.failed) == [BAD]
    assert list((await ingest(studio=watching_studio)).failed) == []
    with Ledger.open(state_dir() / "ledger.db") as ledger:
        (row,) = queries.rows(ledger, name=BAD)
        told = [each for each in outbox.messages(ledger) if each.clip_id == row.id]
    assert (row.code, row.state) == ("name.fault", "failed")
    assert [each for each in told if "RuntimeError" in str(each.payload)] == told
    assert len(told) == 1


async def test_what_is_nearly_a_clip_is_told_in_one_message_and_never_sent(
    watching_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.ingest import ingest

    folder = make_clip(GOOD[0], extra=80).parent
    odd = [f"{BAD} ", f"{BAD}\uf028", BAD.removesuffix(".mov"), BAD.replace(".mov", ".m4v")]
    for name in odd:
        (folder / name).write_bytes((folder / BAD).read_bytes())
    drained = await ingest(studio=watching_studio)
    assert sorted(drained.delivered) == sorted([BAD, GOOD[0]])
    assert sorted(drained.skipped) == sorted(odd)
    with Ledger.open(state_dir() / "ledger.db") as ledger:
        rows = {row.name: row for row in queries.rows(ledger) if row.name in odd}
        told = [each for each in outbox.messages(ledger) if "/skipped-" in each.key]
    assert {row.code for row in rows.values()} == {"file.extension"}
    assert len(told) == 1
    assert "Rename it to" in str(told[0].payload)
    assert "Export it anew" in str(told[0].payload)
