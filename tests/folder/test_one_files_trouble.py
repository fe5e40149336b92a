"""What is wrong with one file of a watched folder is that file's trouble, and told once."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from postflow.errors import Retry
from postflow.folder import intake as intake_module
from postflow.folder import watcher as watching_module
from postflow.folder.notices import ScanReport
from postflow.folder.watcher import FolderWatcher
from postflow.ledger import AsyncLedger, open_ledger, queries, registry
from postflow.media.containers.whole import verdict
from postflow.media.probe import probe_media
from postflow.models import Shot
from postflow.naming import Naming
from postflow.sandbox.clips import clip_path
from postflow.service.prospects import look
from postflow.settings import Watching
from tests.support.enrolled import enrolled

BAD, GOOD = "SQ07_UNDLM_00001_v001.mov", "SQ07_UNDLM_00002_v001.mov"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "watch"
    folder.mkdir()
    enrolled(folder, ledger=tmp_path / "ledger.db")
    for name in (BAD, GOOD):
        (folder / name).write_bytes(clip_path().read_bytes())
    return folder


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[AsyncLedger]:
    async with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


def fails_at(bad: str, real: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """The same function, which trips over one file."""

    def failing(first: Any, *others: Any, **more: Any) -> Any:
        if bad in str(first):
            raise error
        return real(first, *others, **more)

    return failing


class Tripping:
    """A ledger that trips over one file when it is entered."""

    def __init__(self, ledger: AsyncLedger, error: Exception) -> None:
        self._ledger = ledger
        self.ledger = ledger.ledger
        self._error = error

    async def run(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if call is registry.register and args[1].name == BAD:
            raise self._error
        return await self._ledger.run(call, *args, **kwargs)


async def looks(watcher: FolderWatcher, times: int = 12) -> list[ScanReport]:
    """Enough of them for one that is still to be ready, and failed, several times."""
    found: list[ScanReport] = []
    async with asyncio.timeout(20):
        while len(found) < times or not any(each.ready for each in found):
            found.append(await watcher.scan())
    return found


FAULT = ValueError("nobody has foreseen this")
BROKEN_DISK = Retry(f"{BAD} could not be read: EIO.", hint="Check it.", code="file.unreadable")


@pytest.mark.parametrize(
    ("where", "error", "says"),
    [
        ("judging", FAULT, "a fault of its own (ValueError)"),
        ("judging", OverflowError(), "a fault of its own (OverflowError)"),
        ("judging", RecursionError(), "a fault of its own (RecursionError)"),
        ("looking", FAULT, "a fault of its own (ValueError)"),
        ("looking", BROKEN_DISK, "could not be read"),
        ("entering", FAULT, "a fault of its own (ValueError)"),
    ],
)
async def test_a_file_that_is_tripped_over_holds_up_no_other(
    folder: Path,
    ledger: AsyncLedger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: str,
    error: Exception,
    says: str,
) -> None:
    """It stands in the ledger with its reason, and a person is told once."""
    if where == "judging":
        monkeypatch.setattr(watching_module, "verdict", fails_at(BAD, verdict, error))
    if where == "looking":
        monkeypatch.setattr(intake_module, "probe_media", fails_at(BAD, probe_media, error))
    used = cast("AsyncLedger", Tripping(ledger, error)) if where == "entering" else ledger
    watcher = FolderWatcher(used, "main", folder, Watching(quiet=0.01))
    found = await looks(watcher)
    async with asyncio.timeout(20):
        while not found[-1].waiting or found[-1].settling:
            found.append(await watcher.scan())

    assert [name for each in found for name in each.ready] == [GOOD]
    told = [problem for each in found for problem in each.problems]
    assert [problem.where for problem in told] == [str(folder / BAD)]
    assert says in told[0].what
    (waiting,) = await ledger.run(queries.unsettled, studio="main")
    assert waiting.relpath == BAD
    assert says in (waiting.note or "")
    if error is FAULT:
        assert sum(bool(record.exc_info) for record in caplog.records) == 1, "one traceback"
    monkeypatch.undo()
    found = await looks(FolderWatcher(ledger, "main", folder, Watching(quiet=0.01)))
    assert [name for each in found for name in each.ready] == [BAD], "it goes once it is mended"


async def test_a_clip_that_may_not_be_read_is_told_at_once(
    folder: Path, ledger: AsyncLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so the kernel's answer is put in."""
    real = os.open

    def denied(path: Any, *flags: Any, **more: Any) -> int:
        if BAD in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *flags, **more)

    monkeypatch.setattr(os, "open", denied)
    watcher = FolderWatcher(ledger, "main", folder, Watching(quiet=0.01))
    found = await looks(watcher)
    told = [problem for each in found for problem in each.problems]
    assert len(told) == 1
    assert "may not be read by PostFlow's user (Permission denied)" in told[0].what
    assert not found[-1].settling, "time alone does not mend it, so nobody waits"

    monkeypatch.undo()
    found = await looks(watcher)
    assert [name for each in found for name in each.ready] == [BAD]


@pytest.mark.parametrize("where", ["naming", "judging"])
async def test_the_scan_command_shows_the_others_and_says_what_is_wrong_with_one(
    folder: Path, ledger: AsyncLedger, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    naming = Naming.preset()
    real: Callable[[str], Shot] = naming.identify
    if where == "naming":
        monkeypatch.setattr(naming, "identify", fails_at(BAD, real, FAULT))
    else:
        monkeypatch.setattr("postflow.service.prospects.verdict", fails_at(BAD, verdict, FAULT))
    await FolderWatcher(ledger, "main", folder).scan()
    found = {each.file: each for each in look(ledger.ledger, "main", folder, naming)}
    assert found[GOOD].what == "deliver"
    assert found[BAD].what == "fault"
    assert "(ValueError)" in found[BAD].where


async def test_one_traceback_is_written_however_often_it_is_tripped_over(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from postflow.folder.intake import FailedFiles

    failed = FailedFiles(folder)
    for _ in range(3):
        failed.add(BAD, FAULT)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
