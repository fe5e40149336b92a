"""A look-out that meets a hanging volume, or a ledger that is away."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postflow.delivery.by_hand import open_by_hand
from postflow.errors import Fatal, Retry
from postflow.folder.enrolment import accept_vanished, enrol, watched
from postflow.folder.root import MARKER, read_mark
from postflow.folder.scanner import MOST
from postflow.folder.watcher import FolderWatcher
from postflow.folder.watchers import within_reach
from postflow.ledger import AsyncLedger, Root, claims, observations, open_ledger, roots
from postflow.ledger.leases import hold_lease
from postflow.media.probe import probe_media
from postflow.media.volume import FileSystem
from postflow.sandbox.clips import clip_path
from postflow.settings import Watching
from tests.folder.ground import too_deep
from tests.support.marked import mark_root
from tests.support.stumbling import BUSY, stumbling
from tests.support.wild_times import WILD, written_at

QUICK = Watching(quiet=0.05)
MEDIA_ATOM = b"\0\0\0\x09mdatx"


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
    enrol(ledger.ledger, "main", folder)
    watcher = FolderWatcher(ledger, "main", folder, Watching(scan_timeout=5.0))
    (folder / "SQ07_UNDLM_00152_v003.mov").write_bytes(b"x" * 100)
    assert (await watcher.scan()).alarm is None
    assert watcher.next_scan is not None
    marker = folder / MARKER
    content = marker.read_bytes()
    marker.unlink()
    os.mkfifo(marker)

    hanging = await watcher.scan()
    assert hanging.alarm is not None
    assert "has not come back" in hanging.alarm
    assert watcher.next_scan is None, "nobody is in a hurry to look again"

    def mend() -> None:
        """The reader that hangs gets its answer, the next one finds the marker itself."""
        real = tmp_path / "marker"
        real.write_bytes(content)
        with marker.open("wb") as pipe:
            real.replace(marker)
            pipe.write(content)

    await asyncio.to_thread(mend)
    async with asyncio.timeout(60):
        while (await watcher.scan()).alarm:
            pass


async def test_a_volume_that_hangs_from_the_start_is_an_alarm_too(
    tmp_path: Path, ledger: AsyncLedger
) -> None:
    (tmp_path / "watch").mkdir()
    marker = tmp_path / "watch" / MARKER
    os.mkfifo(marker)
    watcher = FolderWatcher(ledger, "main", marker.parent, Watching(scan_timeout=0.2))
    assert [(await watcher.scan()).trouble for _ in range(2)] == ["late", "late"]

    def let_it_read() -> None:
        with marker.open("wb") as pipe:
            pipe.write(b"{}")

    await asyncio.to_thread(let_it_read)
    async with asyncio.timeout(60):
        while (looked := await watcher.scan()).trouble == "late":
            pass
    assert looked.trouble == "not enrolled"


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (BUSY, "ledger"),
        (Fatal("Refused.", hint="Mend it.", code="ledger.refused"), "ledger"),
        (OverflowError("int too large"), "fault"),
    ],
    ids=["busy", "refused", "unforeseen"],
)
async def test_what_the_ledger_could_not_take_is_new_to_the_next_scan(
    tmp_path: Path, ledger: AsyncLedger, fault: Exception, trouble: str
) -> None:
    folder = tmp_path / "watch"
    folder.mkdir()
    enrol(ledger.ledger, "main", folder)
    (folder / "SQ07_UNDLM_00152_v003.mov").write_bytes(b"x" * 100)
    watcher = FolderWatcher(stumbling(ledger, observe=fault)[0], "main", folder)

    assert (await watcher.scan()).trouble == trouble
    assert (await watcher.scan()).waiting == 1

    root = watched(ledger.ledger, "main", folder)
    assert isinstance(root, Root)
    assert [each.relpath for each in await ledger.run(observations.known, root)] == [
        "SQ07_UNDLM_00152_v003.mov"
    ]


@pytest.mark.parametrize("call", ["enrolled", "known", "observe", "set_notes", "register"])
async def test_a_ledger_that_is_busy_at_any_step_of_a_look_costs_no_clip(
    folder: Path, ledger: AsyncLedger, call: str
) -> None:
    (clip,) = fill(folder, 1)
    stumbles, stumbler = stumbling(ledger, **{call: BUSY})
    watcher = FolderWatcher(stumbles, "main", folder, QUICK)
    found: list[str] = []
    async with asyncio.timeout(60):
        while not found:
            found = await ready(watcher)
    assert (found, stumbler.yet_to_come) == ([clip.name], set())


@pytest.mark.parametrize("seconds", WILD)
async def test_a_clip_with_a_wild_time_stamp_is_ready_like_any_other(
    folder: Path, ledger: AsyncLedger, seconds: int
) -> None:
    clips = fill(folder, 2)
    written_at(clips[0], seconds)
    assert sorted(await ready(FolderWatcher(ledger, "main", folder, QUICK))) == [
        clip.name for clip in clips
    ]
    assert not await ready(FolderWatcher(ledger, "main", folder, QUICK)), "it is known"


@pytest.fixture
def folder(tmp_path: Path, ledger: AsyncLedger) -> Path:
    folder = tmp_path / "watch"
    folder.mkdir()
    enrol(ledger.ledger, "main", folder)
    return folder


async def never_gone(_account: str, _file: str) -> bool:
    return False


async def ready(watcher: FolderWatcher) -> list[str]:
    """Looks until nothing is on its way to being ready any more."""
    found: list[str] = []
    async with asyncio.timeout(60):
        while True:
            looked = await watcher.scan()
            found += looked.ready
            if not looked.settling:
                return found
            await asyncio.sleep(0.02)


def fill(folder: Path, clips: int) -> list[Path]:
    """Clips of different content."""
    paths = [folder / f"SQ07_UNDLM_{number:05}_v003.mov" for number in range(clips)]
    for number, path in enumerate(paths):
        path.write_bytes(clip_path().read_bytes() + MEDIA_ATOM * number)
    return paths


async def test_a_clip_that_is_told_to_be_overwritten_in_place_is_ready_again(
    folder: Path, ledger: AsyncLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other clips are newer by far, so that no scan but a full one would look at it."""
    monkeypatch.setattr(FileSystem, "clock_step", 0.0)
    (clip,) = fill(folder, 1)
    os.utime(clip, (1, 1))
    for number in range(MOST):
        (folder / f"{number}.mov").touch()
    watcher = FolderWatcher(ledger, "main", folder, QUICK)
    assert await ready(watcher) == [clip.name]
    with clip.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(MEDIA_ATOM)
    os.utime(clip, (2, 2))
    assert not await ready(watcher)
    assert (await watcher.scan([clip.name])).settling == 1
    assert await ready(watcher) == [clip.name]


async def test_clips_that_vanished_are_an_alarm_until_a_person_says_they_are_gone(
    folder: Path, ledger: AsyncLedger
) -> None:
    """The person is in another process, and so is a second look-out: the ledger tells both."""
    clips = fill(folder, 50)
    folder_watchers = [FolderWatcher(ledger, "main", folder, QUICK) for _ in range(2)]
    assert len(await ready(folder_watchers[0])) == 50
    assert not await ready(folder_watchers[1])
    for clip in clips[10:]:
        clip.unlink()
    for watcher in folder_watchers * 2:
        looked = await watcher.scan()
        assert looked.trouble == "vanished"
        assert f"postflow scan --accept-vanished {folder}" in str(looked.alarm)
        assert "40 of 50" in str(looked.alarm)

    gone = accept_vanished(ledger.ledger, "main", folder)

    assert sorted(gone) == [clip.name for clip in clips[10:]]
    for watcher in folder_watchers:
        assert (await watcher.scan()).alarm is None
    for clip in clips[:10]:
        clip.unlink()
    fill(folder, 30)
    for watcher in folder_watchers:
        await ready(watcher)
    for clip in clips[:30]:
        clip.unlink()
    assert [(await each.scan()).trouble for each in folder_watchers] == ["vanished"] * 2, (
        "for one time"
    )


async def test_each_of_two_hosts_finds_the_clips_where_it_has_the_volume(
    folder: Path, ledger: AsyncLedger, tmp_path: Path
) -> None:
    """One volume, one ledger, two mount points, the second of which is lost in the end."""
    mount = tmp_path / "Volumes"
    mount.symlink_to(folder)
    one, two = (FolderWatcher(ledger, "main", path, QUICK) for path in (folder, mount))
    assert within_reach([one, two]) == {}, "nobody has looked yet"
    clips = fill(folder, 4)
    await ready(one)
    await ready(two)
    for watcher, path, run in ((one, folder, "run-1"), (two, mount, "run-2")):
        (claim,) = await ledger.run(claims.claim, run, limit=1, folders=within_reach([watcher]))
        assert claim.path.parent == path
        assert (await probe_media(claim.path)).revision == claim.revision

    mount.unlink()
    assert (await two.scan()).trouble == "offline"
    assert await ledger.run(claims.claim, "run-2", limit=9, folders=within_reach([two])) == []
    taken = await ledger.run(claims.claim, "run-1", limit=9, folders=within_reach([one, two]))
    assert [claim.path for claim in taken] == clips[2:]


async def test_nothing_is_taken_for_gone_while_the_volume_or_a_part_of_it_is_away(
    folder: Path, ledger: AsyncLedger
) -> None:
    (clip,) = fill(folder, 1)
    await ready(FolderWatcher(ledger, "main", folder, QUICK))
    clip.unlink()
    too_deep(folder / "deep")
    with pytest.raises(Retry) as unread:
        accept_vanished(ledger.ledger, "main", folder)
    assert unread.value.code == "scan.unread"
    mark = read_mark(folder).id
    (folder / MARKER).unlink()
    with pytest.raises(Fatal) as away:
        accept_vanished(ledger.ledger, "main", folder)
    assert away.value.code == "scan.root_missing"
    root = await ledger.run(roots.find_root, "main", mark)
    assert root is not None
    (known,) = await ledger.run(observations.known, root)
    assert known.relpath == clip.name


async def test_a_problem_is_said_once_while_it_lasts_and_so_is_its_end(
    folder: Path, ledger: AsyncLedger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "postflow.folder.intake")
    too_deep(folder / "deep")
    watcher = FolderWatcher(ledger, "main", folder)
    for _ in range(3):
        await watcher.scan()
    assert len(caplog.messages) == 1
    assert "too long" in caplog.messages[0]

    shutil.rmtree(folder / "deep")
    away = shutil.move(folder, folder.with_name("away"))
    await watcher.scan()  # the scan after an absence is a full one
    shutil.move(away, folder)
    for _ in range(2):
        await watcher.scan()
    assert len(caplog.messages) == 2
    assert "this is over" in caplog.messages[1]


async def test_a_clip_that_is_refused_but_delivered_by_hand_is_waited_for_no_more(
    folder: Path, ledger: AsyncLedger
) -> None:
    (clip,) = fill(folder, 1)
    clip.write_bytes(clip.read_bytes()[:-1])
    watcher = FolderWatcher(ledger, "main", folder, QUICK)
    assert await ready(watcher) == []
    assert (await watcher.scan()).waiting == 1
    media = await probe_media(clip)
    async with hold_lease(ledger, "run-1"):
        await open_by_hand(
            ledger, "main", media, folders=[folder], run_id="run-1", is_gone=never_gone
        )
    assert (await watcher.scan()).waiting == 0
    assert watcher.next_scan is None


# Matroska as a stream's recorder leaves it: the length of the Segment is unknown, no Cues.
RECORDING = b"".join(
    (
        bytes.fromhex("1a45dfa3 80"),
        bytes.fromhex("18538067 01ffffffffffffff"),
        bytes.fromhex("1f43b675 86 a3 84 01020304"),
    )
)


@pytest.mark.parametrize("open_ended", [True, False])
async def test_a_file_that_never_states_its_end_is_taken_only_where_the_studio_says_so(
    folder: Path, ledger: AsyncLedger, open_ended: bool
) -> None:
    (folder / "stream.mkv").write_bytes(RECORDING)
    watcher = FolderWatcher(ledger, "main", folder, Watching(quiet=0.05, open_ended=open_ended))
    assert await ready(watcher) == ["stream.mkv"] * open_ended


def new_volume(folder: Path) -> None:
    folder.mkdir()
    mark_root(folder)
    fill(folder, 30)


async def test_another_volume_in_its_place_is_left_alone_until_the_right_one_is_back(
    folder: Path, ledger: AsyncLedger
) -> None:
    """Also by a look-out that starts meanwhile, and by one that began with the wrong one."""
    (clip,) = fill(folder, 1)
    before = FolderWatcher(ledger, "main", folder, QUICK)
    assert await ready(before) == [clip.name]
    right = shutil.move(folder, folder.with_name("right"))
    new_volume(folder)
    late = FolderWatcher(ledger, "main", folder, QUICK)
    for watcher in (before, late):
        looked = await watcher.scan()
        assert looked.trouble == "offline"
        assert "another volume" in str(looked.alarm)
    shutil.rmtree(folder)
    shutil.move(right, folder)
    for watcher in (before, late):
        assert (await watcher.scan()).trouble is None
        assert await ready(watcher) == []
    assert await ledger.run(claims.ready) == 1
