"""A look-out that meets a hanging volume, or a ledger that is away."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from postflow.errors import Retry
from postflow.ledger import AsyncLedger, Observed, open_ledger
from postflow.lookout import Lookout
from postflow.scan.root import MARKER, mark_root


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[AsyncLedger]:
    async with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


async def test_a_scan_that_hangs_is_an_alarm_and_the_look_out_recovers(
    tmp_path: Path, ledger: AsyncLedger
) -> None:
    """A marker that is a pipe without a writer hangs whoever opens it, as a dead mount does."""
    folder = tmp_path / "watch"
    folder.mkdir()
    mark_root(folder)
    lookout = Lookout(ledger, "main", folder, late=0.2)
    assert (await lookout.look()).alarm is None
    marker = folder / MARKER
    content = marker.read_bytes()
    marker.unlink()
    os.mkfifo(marker)

    hanging = await lookout.look()
    assert hanging.alarm is not None
    assert "has not come back" in hanging.alarm

    def mend() -> None:
        """The reader that hangs gets its answer, the next one finds the marker itself."""
        real = tmp_path / "marker"
        real.write_bytes(content)
        with marker.open("wb") as pipe:
            real.replace(marker)
            pipe.write(content)

    await asyncio.to_thread(mend)
    assert (await lookout.look()).alarm is None


class BusyOnce:
    """A ledger whose database is busy at the first observation."""

    def __init__(self, ledger: AsyncLedger) -> None:
        self._ledger = ledger
        self._busy = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def observe(self, *seen: Any, **gone: Any) -> Observed:
        if self._busy:
            self._busy = False
            raise Retry("Busy.", hint="Wait.", code="ledger.unreachable")
        return await self._ledger.observe(*seen, **gone)


async def test_what_the_ledger_could_not_take_is_new_to_the_next_look(
    tmp_path: Path, ledger: AsyncLedger
) -> None:
    folder = tmp_path / "watch"
    folder.mkdir()
    mark = mark_root(folder)
    (folder / "SQ07_UNDLM_00152_v003.mov").write_bytes(b"x" * 100)
    lookout = Lookout(cast("AsyncLedger", BusyOnce(ledger)), "main", folder)

    assert (await lookout.look()).alarm == "Busy. Wait."
    assert (await lookout.look()).waiting == 1

    root = await ledger.root("main", folder, mark.id)
    assert [each.relpath for each in await ledger.known(root)] == ["SQ07_UNDLM_00152_v003.mov"]
