"""A watcher that trusts another one to scan the folder, for as long as that lives."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postflow.folder.enrolment import enrol
from postflow.folder.root import MARKER, is_signed
from postflow.folder.watcher import FolderWatcher
from postflow.folder.watchers import FolderWatchers
from postflow.ledger import AsyncLedger, open_ledger
from postflow.ledger.observations import ABOUT_TO_BE_ENTERED, set_notes
from postflow.sandbox.clips import clip_path
from postflow.settings import Watching
from tests.ledger.ground import Clock

QUICK = Watching(quiet=0.05)
CLIP = "SQ07_UNDLM_00152_v003.mov"
LEASE = 60.0


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[AsyncLedger]:
    async with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path, ledger: AsyncLedger) -> Path:
    folder = tmp_path / "watch"
    folder.mkdir()
    enrol(ledger.ledger, "main", folder)
    return folder


def drop(folder: Path) -> None:
    (folder / CLIP).write_bytes(clip_path().read_bytes())


async def ready(watcher: FolderWatcher, *, scans: int = 20) -> list[str]:
    """What some scans enter into the ledger, in more time than a file needs to settle."""
    found: list[str] = []
    for _ in range(scans):
        found += (await watcher.scan()).ready
        await asyncio.sleep(0.02)
    return found


async def test_who_trusts_scans_only_when_the_other_has_left(
    folder: Path, ledger: AsyncLedger
) -> None:
    other = FolderWatcher(ledger, "main", folder, QUICK, lease=LEASE)
    trusting = FolderWatcher(ledger, "main", folder, QUICK, trusts=True)
    await other.scan()
    drop(folder)
    assert (await trusting.scan()).settling == 0, "it takes the other's word"
    assert await ready(trusting) == []
    assert trusting.next_scan is None, "there is no hurry"
    await other.leave()
    assert await ready(trusting) == [CLIP]


async def test_what_the_other_waits_for_is_read_in_the_ledger(
    folder: Path, ledger: AsyncLedger
) -> None:
    other = FolderWatcher(ledger, "main", folder, lease=LEASE)
    trusting = FolderWatcher(ledger, "main", folder, trusts=True)
    for watcher in (other, trusting):
        await watcher.scan()
    drop(folder)
    await other.scan()
    assert (await trusting.scan()).settling == 1
    assert trusting.root is not None
    await ledger.run(set_notes, trusting.root, {CLIP: ABOUT_TO_BE_ENTERED})
    await trusting.scan()
    assert trusting.entering == 1
    await ledger.run(set_notes, trusting.root, {CLIP: "ends too early"}, refused={CLIP})
    assert (await trusting.scan()).settling == 0, "time alone does not make it ready"


async def test_another_set_of_rules_is_not_trusted(folder: Path, ledger: AsyncLedger) -> None:
    other = FolderWatcher(ledger, "main", folder, Watching(quiet=3600), lease=LEASE)
    trusting = FolderWatcher(ledger, "main", folder, QUICK, trusts=True)
    for watcher in (other, trusting):
        await watcher.scan()
    drop(folder)
    assert await ready(trusting) == [CLIP]


async def test_who_trusts_sees_at_once_that_the_volume_is_away(
    folder: Path, ledger: AsyncLedger
) -> None:
    other = FolderWatcher(ledger, "main", folder, lease=LEASE)
    trusting = FolderWatcher(ledger, "main", folder, trusts=True)
    for watcher in (other, trusting):
        await watcher.scan()
    (folder / MARKER).unlink()
    assert (await trusting.scan()).trouble == "offline"
    assert not trusting.within_reach


async def test_that_ingest_ends_does_not_say_that_nobody_watches(
    folder: Path, ledger: AsyncLedger
) -> None:
    other = FolderWatcher(ledger, "main", folder, QUICK, lease=LEASE)
    await other.scan()
    trusting = FolderWatcher(ledger, "main", folder, QUICK, trusts=True)
    async with FolderWatchers([trusting], interval=0.05) as watchers:
        while len(watchers.last) == 0:
            await watchers.wait(0.05)
    assert is_signed(folder)
    assert await ready(FolderWatcher(ledger, "main", folder, QUICK, trusts=True)) == []
    drop(folder)
    again = FolderWatcher(ledger, "main", folder, QUICK, trusts=True)
    await again.scan()
    assert await ready(again) == [], "the other's lease lasts"


WATCH = """
import asyncio, sys
from pathlib import Path
from postflow.folder.watcher import FolderWatcher
from postflow.ledger import open_ledger
from postflow.settings import Watching

async def main():
    async with open_ledger(Path(sys.argv[2])) as ledger:
        quick = Watching(quiet=0.05)
        await FolderWatcher(ledger, "main", Path(sys.argv[1]), quick, lease=3600.0).scan()
        print("watched", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""


async def test_who_is_killed_is_trusted_no_more(
    folder: Path, ledger: AsyncLedger, tmp_path: Path
) -> None:
    trusting = FolderWatcher(ledger, "main", folder, QUICK, trusts=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WATCH, folder, tmp_path / "ledger.db", stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"watched\n"
    await trusting.scan()
    drop(folder)
    assert await ready(trusting) == []
    process.kill()
    await process.wait()
    assert await ready(trusting) == [CLIP]


async def test_a_lease_that_ran_out_is_trusted_no_more(folder: Path, tmp_path: Path) -> None:
    clock = Clock()
    async with open_ledger(tmp_path / "ledger.db", clock=clock) as ledger:
        other = FolderWatcher(ledger, "main", folder, QUICK, lease=LEASE)
        trusting = FolderWatcher(ledger, "main", folder, QUICK, trusts=True)
        for watcher in (other, trusting):
            await watcher.scan()
        drop(folder)
        assert await ready(trusting, scans=5) == []
        clock.forward(LEASE + 1)
        assert await ready(trusting) == [CLIP]
