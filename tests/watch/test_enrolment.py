"""A watch folder has one door, a person's word, and one ledger at a time."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from postflow.cli.watch import enrol_folders
from postflow.delivery.by_hand import open_by_hand
from postflow.delivery.record import DeliveryRecord
from postflow.errors import Retry
from postflow.folder.enrolment import accept_vanished, owner
from postflow.folder.notices import Notices, ScanReport
from postflow.folder.root import MARKER, AbsentError, Owner, read_mark
from postflow.folder.watcher import FolderWatcher
from postflow.folder.watchers import FolderWatchers, within_reach
from postflow.ledger import AsyncLedger, Ledger, State, claims, open_ledger, outbox, retrying, roots
from postflow.ledger.leases import hold_lease
from postflow.media.probe import probe_media
from postflow.sandbox.clips import clip_path
from postflow.settings import Watching
from tests.support.marked import mark_root
from tests.watch.test_backfill import studio_of

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio

QUICK = Watching(quiet=0.05)
NAMES = [f"SQ07_UNDLM_0015{number}_v001.mov" for number in range(3)]
MEDIA_ATOM = b"\0\0\0\x09mdatx"


def fill(folder: Path, names: list[str] = NAMES) -> Path:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        (folder / name).write_bytes(clip_path().read_bytes() + MEDIA_ATOM * number)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "show")


@pytest.fixture
def studio(tmp_path: Path, folder: Path) -> Studio:
    return studio_of(folder, ledger=tmp_path / "ledger.db")


@pytest.fixture
def other_host(tmp_path: Path, folder: Path) -> Studio:
    """The same folder, and a ledger of its own."""
    return studio_of(folder, ledger=tmp_path / "other" / "ledger.db")


@pytest.fixture
async def ledger(studio: Studio) -> AsyncIterator[AsyncLedger]:
    async with open_ledger(studio.ledger) as opened:
        yield opened


async def looked(watcher: FolderWatcher) -> tuple[list[str], ScanReport]:
    """What becomes ready until time alone makes nothing ready any more, and the last look."""
    ready: list[str] = []
    async with asyncio.timeout(60):
        while True:
            last = await watcher.scan()
            ready += last.ready
            if not last.settling:
                return sorted(ready), last
            await asyncio.sleep(0.02)


async def stays(_account: str, _file: str) -> bool:
    return False


async def by_hand(ledger: AsyncLedger, clip: Path, folder: Path) -> DeliveryRecord:
    async with hold_lease(ledger, "hand"):
        return await open_by_hand(
            ledger, "main", await probe_media(clip), folders=[folder], run_id="hand", is_gone=stays
        )


async def a_look(ledger: AsyncLedger, folder: Path) -> None:
    """As `watch` and `ingest` do."""
    ready, last = await looked(FolderWatcher(ledger, "main", folder, QUICK))
    assert ready == []
    assert last.trouble in {"not enrolled", "taken"}


async def an_upload(ledger: AsyncLedger, folder: Path) -> None:
    await by_hand(ledger, folder / NAMES[0], folder)


async def both(ledger: AsyncLedger, folder: Path) -> None:
    await an_upload(ledger, folder)
    await a_look(ledger, folder)


async def a_word_about_vanished_files(ledger: AsyncLedger, folder: Path) -> None:
    with pytest.raises(Retry):
        accept_vanished(ledger.ledger, "main", folder)


Intruder = Callable[[AsyncLedger, Path], Awaitable[None]]


def marked_by_nobody_known(studio: Studio, folder: Path) -> None:
    mark_root(folder)


def of_a_ledger_that_was_lost(studio: Studio, folder: Path) -> None:
    enrol_folders(studio, "main", "all")
    for file in Path(str(studio.ledger)).parent.glob("ledger.db*"):
        file.unlink()


def of_another_machine(studio: Studio, folder: Path) -> None:
    enrol_folders(
        studio_of(folder, ledger=Path(str(studio.ledger)).with_name("of another.db")), "main", "all"
    )
    os.utime(folder / MARKER, (1, 1))


def of_another_studio(studio: Studio, folder: Path) -> None:
    enrol_folders(studio, "second", "all")


@pytest.mark.parametrize(
    "known",
    [marked_by_nobody_known, of_a_ledger_that_was_lost, of_another_machine, of_another_studio],
)
@pytest.mark.parametrize("intruder", [a_look, an_upload, both, a_word_about_vanished_files])
async def test_nothing_but_a_persons_word_has_a_backlog_sent_and_that_word_is_obeyed(
    known: Callable[[Studio, Path], None], intruder: Intruder, studio: Studio, folder: Path
) -> None:
    """Whatever looks at a folder that somebody else has marked, and whoever did."""
    known(studio, folder)
    async with open_ledger(studio.ledger) as ledger:
        await intruder(ledger, folder)
        await asyncio.to_thread(enrol_folders, studio, "main", "none")
        watcher = FolderWatcher(ledger, "main", folder, QUICK)
        assert (await looked(watcher))[0] == []
        fill(folder, ["SQ07_UNDLM_00199_v001.mov"])
        assert (await looked(watcher))[0] == ["SQ07_UNDLM_00199_v001.mov"]


async def test_a_clip_by_hand_does_not_let_another_volume_in(
    studio: Studio, folder: Path, ledger: AsyncLedger
) -> None:
    enrol_folders(studio, "main", "none")
    shutil.move(folder, folder.with_name("right"))
    mark_root(fill(folder, ["SQ09_UNDLM_00001_v001.mov", "SQ09_UNDLM_00002_v001.mov"]))
    await by_hand(ledger, folder / "SQ09_UNDLM_00001_v001.mov", folder)
    ready, last = await looked(FolderWatcher(ledger, "main", folder, QUICK))
    assert ready == []
    assert last.trouble == "offline"
    assert "another volume" in str(last.alarm)


async def test_a_clip_by_hand_belongs_to_the_watch_folder_that_is_enrolled(
    studio: Studio, folder: Path, ledger: AsyncLedger
) -> None:
    enrol_folders(studio, "main", "none")
    await by_hand(ledger, folder / NAMES[0], folder)
    root = await ledger.run(roots.find_root, "main", read_mark(folder).id)
    assert root is not None
    (clip,) = await ledger.run(retrying.named, str(folder / NAMES[0]))
    assert (clip.root, clip.state) == (folder, State.READY)


async def test_of_two_ledgers_the_second_is_told_who_watches_and_sends_nothing(
    studio: Studio,
    other_host: Studio,
    folder: Path,
    ledger: AsyncLedger,
    capsys: pytest.CaptureFixture[str],
) -> None:
    enrol_folders(studio, "north", "all")
    first = FolderWatcher(ledger, "north", folder, QUICK, lease=60.0)
    assert (await looked(first))[0] == NAMES
    enrol_folders(other_host, "south", "all")
    said = " ".join(capsys.readouterr().err.split())
    assert f"belongs to another PostFlow: studio 'north' on {os.uname().nodename}" in said
    assert str(studio.ledger) in said
    assert "one ledger, on PostgreSQL" in said
    assert "postflow enrol --take-over --studio south" in said
    async with open_ledger(other_host.ledger) as theirs:
        second = FolderWatcher(theirs, "south", folder, QUICK)
        ready, last = await looked(second)
        assert (ready, last.trouble, within_reach([second])) == ([], "taken", {})
    assert (await first.scan()).trouble is None


@pytest.mark.parametrize("how", ["it stopped", "it was silent for long", "a person says so"])
async def test_a_ledger_that_takes_a_folder_over_is_noticed_by_the_other_at_its_next_scan(
    how: str, studio: Studio, other_host: Studio, folder: Path, ledger: AsyncLedger
) -> None:
    enrol_folders(studio, "main", "all")
    first = FolderWatcher(ledger, "main", folder, QUICK, lease=60.0)
    await looked(first)
    if how == "it stopped":
        await first.leave()
    elif how == "it was silent for long":
        os.utime(folder / MARKER, (1, 1))
    enrol_folders(other_host, "main", "none", take_over=how == "a person says so")
    fill(folder, ["SQ07_UNDLM_00199_v001.mov"])
    ready, last = await looked(first)
    assert (ready, last.trouble, within_reach([first])) == ([], "taken", {})
    await first.leave()
    assert (folder / MARKER).stat().st_mtime > 1, "the sign is another's now"
    async with open_ledger(other_host.ledger) as theirs:
        second = FolderWatcher(theirs, "main", folder, QUICK)
        assert (await looked(second))[0] == ["SQ07_UNDLM_00199_v001.mov"]
    enrol_folders(studio, "main", "none", take_over=True)
    assert await looked(first) == ([], await first.scan()), "what came meanwhile is a backlog too"


async def test_a_ledger_that_is_deleted_under_a_look_out_is_told_and_nothing_is_sent_anew(
    studio: Studio, folder: Path, ledger: AsyncLedger
) -> None:
    enrol_folders(studio, "main", "all")
    folder_watchers = [FolderWatcher(ledger, "main", folder, QUICK) for _ in range(2)]
    assert [len((await looked(each))[0]) for each in folder_watchers] == [3, 0]
    for file in Path(str(studio.ledger)).parent.glob("ledger.db*"):
        file.unlink()
    with pytest.raises(Retry, match="was deleted or replaced") as gone:
        await ledger.run(claims.ready)
    assert gone.value.code == "ledger.replaced"
    for watcher in folder_watchers * 2:
        last = await watcher.scan()
        assert (last.trouble, last.ready) == ("not enrolled", ())
    assert await ledger.run(claims.ready) == 0
    enrol_folders(studio, "main", "none")
    for watcher in folder_watchers:
        ready, last = await looked(watcher)
        assert (last.trouble, ready) == (None, [])


async def told_by_ingest(ledger: AsyncLedger, watcher: FolderWatcher, run: str) -> None:
    """What `ingest` tells of two scans."""
    notices = Notices(ledger, "dailies", run, lasting_only=True)
    reports: list[ScanReport] = []
    async with FolderWatchers([watcher], interval=0.1) as watchers, asyncio.timeout(20):
        while len(reports) < 2:
            await watchers.wait(0.05)
            reports += watchers.reports()
    for report in reports:
        notices.take(report)
    await notices.hand_over()


async def test_that_a_folder_is_not_enrolled_is_told_once_whoever_meets_it(
    folder: Path, ledger: AsyncLedger
) -> None:
    """`ingest` tells it too, since it may run without a look-out."""
    await told_by_ingest(ledger, FolderWatcher(ledger, "main", folder), "ingest")
    for run in ("run-1", "run-2"):
        notices = Notices(ledger, "dailies", run)
        watcher = FolderWatcher(ledger, "main", folder)
        for _ in range(2):
            notices.take(await watcher.scan())
        await notices.hand_over()
    (message,) = await ledger.run(outbox.messages)
    assert message.payload["title"] == "A watch folder is not enrolled yet"
    assert "postflow enrol" in message.payload["description"]


@pytest.mark.parametrize("how", ["nobody watches", "a look-out lives"])
async def test_what_is_wrong_with_a_file_is_told_by_ingest_where_no_look_out_does(
    folder: Path, ledger: AsyncLedger, studio: Studio, how: str
) -> None:
    enrol_folders(studio, "main", "none")
    for name in (b"\xff.mov", b"\xfe.mov"):
        (folder / os.fsdecode(name)).touch()
    if how == "a look-out lives":
        await FolderWatcher(ledger, "main", folder, lease=60.0).scan()
    for run in ("run-1", "run-2"):
        watcher = FolderWatcher(ledger, "main", folder, trusts=True)
        await told_by_ingest(ledger, watcher, run)
    told = [str(each.payload["description"]) for each in await ledger.run(outbox.messages)]
    assert len(told) == (2 if how == "nobody watches" else 0)
    assert all("is not valid UTF" in each for each in told)


@pytest.mark.parametrize("mark", ["/mnt/show", "..", "", "a\nb", "x" * 65])
def test_a_marker_whose_id_is_none_is_damaged(folder: Path, mark: str) -> None:
    """What a person handed over is kept under the path of its folder."""
    (folder / MARKER).write_text(f'{{"id": "{mark}"}}')
    with pytest.raises(AbsentError, match="damaged"):
        read_mark(folder)


def test_two_that_take_turns_never_leave_half_a_marker(folder: Path, tmp_path: Path) -> None:
    mark_root(folder)
    owners = []
    for name in ("one", "two"):
        with Ledger.open(tmp_path / f"{name}.db") as opened:
            owners.append(owner(opened, "main"))

    def take_turns(owner: Owner) -> None:
        for _ in range(50):
            mark_root(folder, owner)
            read_mark(folder)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(take_turns, owners))
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == [MARKER]
