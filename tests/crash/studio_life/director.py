"""Plays a script against the real thing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import assert_never

from postflow.cli.retry import try_again
from postflow.ledger import MessageState, Phase, State, outbox, queries
from postflow.ledger.states import OPEN
from tests.crash.ground import Ground
from tests.crash.studio_life.invariants import nothing_is_called_delivered_that_is_not_there
from tests.crash.studio_life.script import (
    Batch,
    Doom,
    Event,
    Export,
    Hour,
    Removal,
    Script,
    Stray,
    Strike,
    Trouble,
    VolumeAway,
)
from tests.crash.studio_life.shift import Shift
from tests.crash.studio_life.silence import Silences
from tests.crash.studio_life.volume import Volume

TICK = 0.03
LONGEST_DRAIN = 600.0
MOST = 100_000

Say = Callable[[str], None]


class Director:
    """`failures` counts, by code, what honestly failed for a person to act."""

    def __init__(self, ground: Ground, say: Say) -> None:
        self._ground = ground
        self._say = say
        self._tunnel = "loopback"
        self._began = time.monotonic()
        staging = ground.folder / "staging"
        staging.mkdir()
        self.volume = Volume(ground.watched, staging)
        self.silences = Silences()
        self.shift = Shift(ground, self.silences)
        self.failures: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()

    async def play(self, script: Script) -> None:
        for day in script.days:
            for hour in day:
                await self._play(hour)
                self._take_stock(hour.name)
            self._a_person_looks_after_failures()
        await self._quiet_end()

    async def _play(self, hour: Hour) -> None:
        await self._use_tunnel(hour)
        if not hour.manned:
            await self.shift.end()
        began = time.monotonic()
        to_begin = sorted(hour.events, key=lambda event: event.at)
        to_end = sorted(_lasting(hour), key=lambda event: event.until)
        share = 0.0
        while share < 1.0 or to_begin or to_end:
            share = (time.monotonic() - began) / hour.seconds
            while to_begin and to_begin[0].at <= share:
                self._begin(to_begin.pop(0))
            while to_end and to_end[0].until <= share:
                self._end(to_end.pop(0))
            self.volume.encode(share)
            self.shift.look(manned=hour.manned, idle_timeout=hour.idle_timeout)
            await asyncio.sleep(TICK)

    async def _use_tunnel(self, hour: Hour) -> None:
        if hour.tunnel != self._tunnel:
            self._tunnel = hour.tunnel
            await self._ground.use_tunnel(hour.tunnel)
            await self.shift.end()

    def _begin(self, event: Event) -> None:
        match event:
            case Export():
                self.volume.export(event)
            case Batch():
                self.volume.move_in(event)
            case Stray():
                self.volume.litter(event)
            case Removal():
                self.volume.remove(event)
            case Strike():
                self.shift.order(event.kind)
            case Doom():
                self.shift.doom(event.death)
            case Trouble() | VolumeAway():
                self._go_wrong(event)
            case _:
                assert_never(event)

    def _go_wrong(self, event: Trouble | VolumeAway) -> None:
        self.troubles[event.service] += 1
        if isinstance(event, VolumeAway):
            self.volume.leave()
            return
        for fault in event.faults:
            self._ground.world.fault(fault.what, fault.where, times=fault.times, **fault.options)

    def _end(self, event: Trouble | VolumeAway) -> None:
        if isinstance(event, VolumeAway):
            self.volume.come_back()
        else:
            for fault in event.faults:
                self._ground.world.mend(fault.where)

    def _take_stock(self, when: str) -> None:
        """At the end of an hour, with everything under way."""
        self.silences.note_posts(self._ground.world)
        nothing_is_called_delivered_that_is_not_there(self._ground, self.volume)
        with self._ground.open_ledger() as ledger:
            counts = queries.counts(ledger)
        told = ", ".join(f"{counts[phase]} {phase}" for phase in Phase if counts[phase])
        exports, seconds = len(self.volume.revisions), time.monotonic() - self._began
        self._say(f"{seconds:5.0f} s, {when}: {exports} exports so far; {told or 'nothing yet'}")

    def _a_person_looks_after_failures(self) -> None:
        with self._ground.open_ledger() as ledger:
            failed = queries.rows(ledger, phase=Phase.FAILED)
            self.failures.update(str(row.code) for row in failed)
            if failed:
                try_again(ledger, self._ground.studio, name=None, failed=True)

    async def _quiet_end(self) -> None:
        """The world is well, a person is there, and in the end nothing is left to do."""
        self._ground.world.mend()
        self.volume.come_back()
        await self._ground.use_tunnel("loopback")
        before = self.shift.counts["runs"]
        deadline = time.monotonic() + LONGEST_DRAIN
        while True:
            if self.shift.is_empty:
                self._a_person_looks_after_failures()
                if not (left := self._what_is_left()) and self.shift.counts["runs"] > before:
                    break
                assert time.monotonic() < deadline, left
            self.shift.look(manned=True, idle_timeout=0.5)
            await asyncio.sleep(TICK)
        await self._last_run()
        self._take_stock("the end")

    async def _last_run(self) -> None:
        """One that died with nothing left to do has left its duty to another."""
        self.shift.spare()
        self.shift.begin(idle_timeout=0.2)
        while not self.shift.is_empty:
            self.shift.look(manned=False, idle_timeout=0)
            await asyncio.sleep(TICK)

    def _what_is_left(self) -> list[str]:
        with self._ground.open_ledger() as ledger:
            rows = queries.rows(ledger, limit=MOST)
            waiting = outbox.messages(ledger, MessageState.PENDING, MessageState.SENDING)
        open_ones = [row for row in rows if row.state in {*OPEN, State.FAILED}]
        done = {(row.relpath, row.size) for row in rows if row.state is State.DONE}
        standing = {(each.relpath, each.size) for each in self.volume.standing.values()}
        return [
            *(f"{row.relpath} is {row.state}: {row.reason}" for row in open_ones),
            *(f"{relpath} with {size} bytes is not delivered" for relpath, size in standing - done),
            *(f"{message.key} is {message.state}" for message in waiting),
        ]


def _lasting(hour: Hour) -> list[Trouble | VolumeAway]:
    return [event for event in hour.events if isinstance(event, Trouble | VolumeAway)]
