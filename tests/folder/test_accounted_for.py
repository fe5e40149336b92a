"""Every file in a watched folder is heard of: by its name, or in a count."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postflow.cli.scan import tell_prospects
from postflow.cli.status import tell_status
from postflow.folder.enrolment import NONE, enrol
from postflow.folder.watcher import FolderWatcher
from postflow.ledger import AsyncLedger, observations, open_ledger, queries
from postflow.naming import Naming
from postflow.sandbox.clips import clip_path
from postflow.service.prospects import look
from postflow.settings import Watching
from tests.support.enrolled import enrolled

CLIP = "SQ07_UNDLM_00152_v003.mov"
NEARLY = (f"{CLIP} ", f"{CLIP}\uf028", "SQ07_UNDLM_00153_v001", "SQ07_UNDLM_00154_v001.m4v")
OTHERS = ("a.wav", "b.wav", "c.pdf", "README")
IGNORED = (".DS_Store", "@eaDir/x.mov", "d.mov.part")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "watch"
    folder.mkdir()
    enrolled(folder, ledger=tmp_path / "ledger.db")
    for name in (CLIP, *NEARLY, *OTHERS, *IGNORED):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(clip_path().read_bytes())
    (folder / "empty.mov").touch()
    return folder


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[AsyncLedger]:
    async with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


async def ready(watcher: FolderWatcher) -> set[str]:
    found: set[str] = set()
    async with asyncio.timeout(30):
        while True:
            looked = await watcher.scan()
            found.update(looked.ready)
            if not looked.settling:
                return found
            await asyncio.sleep(0.01)


async def test_what_is_nearly_a_clip_is_entered_to_be_told_of_and_the_rest_is_counted(
    folder: Path, ledger: AsyncLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    watcher = FolderWatcher(ledger, "main", folder, Watching(quiet=0.02))
    assert await ready(watcher) == {CLIP, *NEARLY}
    counted = {".wav": 2, ".pdf": 1, "without ending": 1, "empty": 1}
    assert observations.others(ledger.ledger, "main") == counted
    tell_status(ledger.ledger, "main")
    said = capsys.readouterr().out
    assert "no clips    2 .wav" in said.replace("1 .pdf, ", "")

    (folder / "a.wav").unlink()
    (folder / "e.exr").write_bytes(b"x")
    await ready(watcher)
    assert observations.others(ledger.ledger, "main") == counted | {".wav": 1, ".exr": 1}


async def test_what_cannot_be_read_or_travel_is_counted_while_it_lasts(
    folder: Path, ledger: AsyncLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = folder / os.fsdecode(b"SQ07_\xff.mov")
    odd.touch()
    watcher = FolderWatcher(ledger, "main", folder)
    await watcher.scan()
    tell_status(ledger.ledger, "main")
    said = capsys.readouterr().out
    assert "cannot be read, or whose names cannot travel: 1." in said
    assert "postflow scan --studio main names them" in said
    assert "unreadable" not in said

    odd.unlink()
    again = FolderWatcher(ledger, "main", folder)
    await again.scan()
    assert "unreadable" not in observations.others(ledger.ledger, "main")


async def test_scan_names_them_all(
    folder: Path, ledger: AsyncLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also before the folder is enrolled for a studio, when nobody has looked yet."""
    naming = Naming.preset()
    before = look(ledger.ledger, "second", folder, naming)
    await FolderWatcher(ledger, "main", folder).scan()
    found = look(ledger.ledger, "main", folder, naming)
    for some, clip in ((before, "asked"), (found, "deliver")):
        what = {each.file: each.what for each in some}
        assert what == {
            CLIP: clip,
            **dict.fromkeys(NEARLY, "skip"),
            **dict.fromkeys(OTHERS, "no clip"),
            **dict.fromkeys((".DS_Store", "@eaDir/", "d.mov.part"), "ignored"),
            "empty.mov": "wait",
        }
    tell_prospects(found)
    said = capsys.readouterr().out
    for line in (
        "ignored   @eaDir/ (storage): 1, such as @eaDir/",
        "no clip   .wav: 2",
        f"Rename it to {CLIP} if it is a clip",
        "empty.mov  it is empty",
    ):
        assert line in said


async def test_files_that_a_new_rule_passes_over_have_not_vanished(
    folder: Path, ledger: AsyncLedger
) -> None:
    old = folder / "OLD"
    old.mkdir()
    for number in range(60):
        (old / f"SQ01_UNDLM_{number + 1:05}_v001.mov").write_bytes(clip_path().read_bytes())
    before = FolderWatcher(ledger, "main", folder, Watching(quiet=60))
    assert (await before.scan()).waiting > 60
    after = FolderWatcher(ledger, "main", folder, Watching(quiet=60, ignore=("OLD/",)))
    looked = await after.scan()
    assert looked.alarm is None
    assert looked.waiting == 1 + len(NEARLY)
    waiting = await ledger.run(queries.unsettled, studio="main")
    assert not [each for each in waiting if each.relpath.startswith("OLD/")]


async def test_a_backlog_that_is_left_alone_is_not_told_of_either(
    tmp_path: Path, ledger: AsyncLedger
) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    for name in (CLIP, *NEARLY, "x_proxy.mov"):
        (folder / name).write_bytes(clip_path().read_bytes())
    proxies = Watching(quiet=0.02, ignore=("*_proxy.*",))
    left = enrol(ledger.ledger, "main", folder, lambda _: NONE, ignoring=proxies.ignoring(folder))
    assert left == 1 + len(NEARLY)
    assert await ready(FolderWatcher(ledger, "main", folder, proxies)) == set()
