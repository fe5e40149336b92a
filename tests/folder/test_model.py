"""The scanner against a model: whatever happens to the folder, its reports add up to the truth."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from postflow.folder.scanner import Scanner
from postflow.media.sighting import Offline, Scanned
from tests.folder.ground import Clock, a_local_disk
from tests.support.marked import mark_root

FOLDERS = st.sampled_from(["", "SQ01", "SQ01/v1", "SQ02", "SQ02/v1/deep"])
NAMES = st.sampled_from(["a.mov", "b.mov", "é.mov", "c.mov.part", ".d.mov"])
Facts = tuple[int, int]


class WatchedFolder(RuleBasedStateMachine):
    """`reported` is what a listener would believe, made from the scans' reports alone."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="postflow-model-"))
        self.root = self.home / "volume"
        self.away = self.home / "elsewhere"
        self.clock = Clock()
        self.ticks = 1_000_000_000
        self.reported: dict[str, Facts] = {}
        self.resting: set[str] = set()
        self.ever_new: set[tuple[str, Facts]] = set()

    @initialize()
    def set_up(self) -> None:
        self.root.mkdir()
        mark_root(self.root)
        self.scanner = Scanner(self.root, clock=self.clock, file_system=a_local_disk)

    def teardown(self) -> None:
        shutil.rmtree(self.home)

    @property
    def online(self) -> bool:
        return self.root.is_dir() and not self.away.exists()

    @rule(folder=FOLDERS, name=NAMES, size=st.integers(0, 5))
    def write(self, folder: str, name: str, size: int) -> None:
        if self.online:
            path = self.root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * size)
            self._tick(path)

    @rule(folder=FOLDERS, name=NAMES)
    def grow(self, folder: str, name: str) -> None:
        path = self.root / folder / name
        if self.online and path.exists():
            with path.open("ab") as file:
                file.write(b"more")
            self._tick(path)

    @rule(folder=FOLDERS, name=NAMES, to_folder=FOLDERS, to_name=NAMES)
    def rename(self, folder: str, name: str, to_folder: str, to_name: str) -> None:
        path, target = self.root / folder / name, self.root / to_folder / to_name
        if self.online and path.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
            self._tick_folders()

    @rule(folder=FOLDERS, name=NAMES)
    def delete(self, folder: str, name: str) -> None:
        if self.online:
            (self.root / folder / name).unlink(missing_ok=True)
            self._tick_folders()

    @rule(folder=FOLDERS.filter(bool))
    def delete_folder(self, folder: str) -> None:
        if self.online:
            shutil.rmtree(self.root / folder, ignore_errors=True)
            self._tick_folders()

    @rule(files=st.dictionaries(NAMES, st.integers(1, 3), max_size=3), folder=FOLDERS)
    def move_folder_in(self, files: dict[str, int], folder: str) -> None:
        target = self.root / folder / "card"
        if not self.online or target.exists():
            return
        card = self.home / "card"
        (card / "A").mkdir(parents=True)
        for name, size in files.items():
            (card / "A" / name).write_bytes(b"x" * size)
            self._tick(card / "A" / name)
        target.parent.mkdir(parents=True, exist_ok=True)
        card.rename(target)
        self._tick_folders()

    @rule(folder=FOLDERS.filter(bool), to=st.sampled_from(["MOVED", "SQ02/MOVED"]))
    def move_folder(self, folder: str, to: str) -> None:
        path, target = self.root / folder, self.root / to
        if self.online and path.is_dir() and not target.exists() and path != target.parent:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
            self._tick_folders()

    @rule(leave_directory=st.booleans())
    def unmount(self, leave_directory: bool) -> None:
        if self.online:
            self.root.rename(self.away)
            if leave_directory:
                self.root.mkdir()

    @rule()
    def mount(self) -> None:
        if self.away.exists():
            if self.root.exists():
                self.root.rmdir()
            self.away.rename(self.root)

    @rule(data=st.data())
    def rest(self, data: st.DataObject) -> None:
        if self.reported:
            relpath = data.draw(st.sampled_from(sorted(self.reported)))
            self.scanner.settle([relpath])
            self.resting.add(relpath)

    @rule(full=st.booleans())
    def scan(self, full: bool) -> None:
        self.clock.pass_(self.scanner.file_system.clock_step + 1)
        before = dict(self.reported)
        result = self.scanner.scan(full=full)
        if not self.online:
            assert isinstance(result, Offline)
            return
        assert isinstance(result, Scanned)
        self._listen(result, before)
        self._compare(full=result.full)

    @invariant()
    def a_listener_never_hears_of_a_name_to_ignore(self) -> None:
        assert not [name for name in self.reported if name.endswith((".part", "/.d.mov"))]

    def _listen(self, result: Scanned, before: dict[str, Facts]) -> None:
        for sighting in result.seen:
            self.reported[sighting.relpath] = (sighting.size, sighting.mtime_ns)
        for sighting in result.new:
            assert sighting.relpath not in before or before[sighting.relpath][0] == 0
        for sighting in result.changed:
            assert before[sighting.relpath] != (sighting.size, sighting.mtime_ns)
            self.resting.discard(sighting.relpath)
        for sighting in result.unsettled:
            assert before[sighting.relpath] == (sighting.size, sighting.mtime_ns)
            assert sighting.relpath not in self.resting
        for relpath in result.gone:
            self.reported.pop(relpath, None)
            self.resting.discard(relpath)

    def _compare(self, *, full: bool) -> None:
        """A file at rest may have grown unseen until a full scan; nothing else may differ."""
        truth = self._truth()
        for relpath in sorted(truth.keys() | self.reported.keys()):
            facts = truth.get(relpath)
            if facts is not None and facts[0] == 0:
                self.reported[relpath] = facts  # emptied: no report until it has content
                continue
            if relpath in self.resting and not full and facts is not None:
                continue
            assert self.reported.get(relpath) == facts, relpath
        for relpath in [name for name, facts in self.reported.items() if facts[0] == 0]:
            self.reported[relpath] = (0, 0)

    def _truth(self) -> dict[str, Facts]:
        found = {}
        for path in self.root.rglob("*.mov"):
            if path.is_file() and not path.name.startswith("."):
                facts = path.stat()
                relpath = path.relative_to(self.root).as_posix()
                found[relpath] = (facts.st_size, facts.st_mtime_ns)
        return found

    def _tick(self, path: Path) -> None:
        """Give a file an mtime of its own, so that every change shows whatever the clock does."""
        self.ticks += 1_000_000_000
        os.utime(path, ns=(self.ticks, self.ticks))
        self._tick_folders()

    def _tick_folders(self) -> None:
        """Let the clock that makes directory mtimes run as fast as the scanner's."""
        known = getattr(self, "_entries", {})
        now = {path: sorted(os.listdir(path)) for path in self._folders()}  # noqa: PTH208 - names
        for path, names in now.items():
            if known.get(path) != names:
                self.ticks += 1_000_000_000
                os.utime(path, ns=(self.ticks, self.ticks))
        self._entries = now

    def _folders(self) -> list[Path]:
        return [self.root, *(path for path in self.root.rglob("*") if path.is_dir())]


TestWatchedFolder = WatchedFolder.TestCase
TestWatchedFolder.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
