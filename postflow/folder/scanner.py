"""A watched folder, scanned again and again."""

from __future__ import annotations

import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from postflow.language import N_
from postflow.media.ignore import SHIPPED_ONLY, Ignoring
from postflow.media.kinds import others
from postflow.media.sighting import Abandoned, Offline, Scanned, ScanResult, Sighting, is_partial
from postflow.media.volume import FileSystem, file_system_of
from postflow.models import is_clip

from .listing import Known
from .root import AbsentError, RootMark, demand_mark, too_many_vanished
from .survey import Remembered, Survey, Tree, as_tree, file_in, join, split

FULL_SHARE = 10
EXAMPLES = 5
EMPTY = "it is empty"


class Scanner:
    """Looks through one root. Scans block; run them in a thread, one at a time.

    A scan lists the directories that changed, and looks at the files that are not at rest, those
    it is told of, and the clips written last; a full one, every few minutes, looks at everything.
    Nothing is adopted from a scan during which the volume went away. `known` are the files
    that the ledger knows; those that `ignoring` passes over by now are left out.
    """

    def __init__(
        self,
        root: Path,
        *,
        mark: RootMark | None = None,
        known: Iterable[Remembered] = (),
        ignoring: Ignoring = SHIPPED_ONLY,
        file_system: Callable[[Path], FileSystem] = file_system_of,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.root = root
        self.file_system = file_system(root)
        self._find_file_system = file_system
        self._mark = mark
        self._ignoring = ignoring
        self._clock = clock
        here = (each for each in known if not ignoring.passes_over(each.relpath))
        self._tree = as_tree(here, str(root))
        self._unsettled: set[str] = set()
        self._recent = Recent()
        self._full_after: float | None = None
        self._recent_after = 0.0
        self._lock = threading.Lock()

    def scan(
        self, *, full: bool = False, touched: Iterable[str] = (), believe: bool = False
    ) -> ScanResult:
        """Look once. `full` trusts no directory's mtime. `touched`: files said to have changed.

        `believe`: a person says that whatever vanished is really gone.
        """
        with self._lock:
            began = self._clock()
            full = full or self._full_after is None or began >= self._full_after
            found = self._surveyed(touched, full=full)
            if isinstance(found, Offline):
                return found
            return self._conclude(found, began, full=full, believe=believe)

    def settle(self, relpaths: Iterable[str]) -> None:
        """These files are dealt with: report them again only when a scan finds them changed."""
        self._unsettled.difference_update(relpaths)

    def unsettle(self, relpaths: Iterable[str]) -> None:
        """Report these files again with every scan, if they are there."""
        self._unsettled.update(relpaths)

    def everything(self) -> list[Sighting]:
        """All files known from the last scan, but for empty ones."""
        with self._lock:
            return _all_in(self._tree)

    def passed_over(self) -> list[tuple[str, str]]:
        """What the last scan met and did not look at, and by which rule, empty files included."""
        with self._lock:
            return _passed_over(self._tree)

    def others(self) -> dict[str, int]:
        """The files of the last scan that are no clips, and not nearly, counted by kind."""
        with self._lock:
            folders = self._tree.values()
            return others((key, known.size) for f in folders for key, known in f.files.items())

    def _surveyed(self, touched: Iterable[str], *, full: bool) -> Survey | Offline:
        try:
            demand_mark(self.root, self._mark)
            if full:
                self.file_system = self._find_file_system(self.root)
            survey = self._survey(touched, full=full)
            demand_mark(self.root, self._mark)
        except (AbsentError, OSError) as error:
            self._full_after = None
            why = error.args[0] if isinstance(error, AbsentError) else f"{error.strerror}"
            told = N_("The watched folder {folder} is not there: {why}.", folder=self.root, why=why)
            return Offline(reason=told)
        return survey

    def _survey(self, touched: Iterable[str], *, full: bool) -> Survey:
        survey = Survey(
            self._tree,
            self._ignoring,
            full=full,
            clock=self._clock,
            clock_step=self.file_system.clock_step,
            inodes_last=self.file_system.kind == "local",
        )
        survey.walk(str(self.root))
        survey.restat(self._unsettled.union(touched, self._recent_if_due()))
        return survey

    def _recent_if_due(self) -> Iterable[str]:
        if self._clock() < self._recent_after:
            return ()
        self._recent_after = self._clock() + self.file_system.recent_every
        return self._recent

    def _conclude(
        self, survey: Survey, began: float, *, full: bool, believe: bool
    ) -> Scanned | Abandoned:
        gone = survey.gone()
        if is_partial(survey.problems):
            survey.keep_the_missing()
            gone = []
        new, changed = survey.differences()
        known, vanished = self._count(), len(gone) - _moved(survey, gone, new)
        if too_many_vanished(vanished, known) and not believe:
            self._full_after = None
            return Abandoned(vanished=vanished, known=known, examples=tuple(gone[:EXAMPLES]))
        survey.adopt()
        if full:
            seconds = self._clock() - began
            self._full_after = began + max(self.file_system.full_every, FULL_SHARE * seconds)
            self._recent.fill(self._tree)
        else:
            self._recent.add(self._facts((*new, *changed)))
        return Scanned(
            new=self._sightings(new),
            changed=self._sightings(changed),
            unsettled=self._sightings(self._follow_up(survey, new, changed, gone)),
            gone=tuple(gone),
            problems=tuple(survey.problems),
            known=self._count(),
            full=full,
        )

    def _follow_up(
        self, survey: Survey, new: list[str], changed: list[str], gone: list[str]
    ) -> list[str]:
        """Which files were unsettled before; and take in who is from now on."""
        others = self._unsettled.difference(new, changed, gone)
        self._unsettled.difference_update(gone)
        self._unsettled.update(new, changed)
        return sorted(relpath for relpath in others if survey.saw(relpath))

    def _count(self) -> int:
        return sum(len(folder.files) for folder in self._tree.values())

    def _facts(self, relpaths: Iterable[str]) -> Iterator[tuple[str, Known]]:
        for relpath in relpaths:
            if known := file_in(self._tree, relpath):
                yield relpath, known

    def _sightings(self, relpaths: Iterable[str]) -> tuple[Sighting, ...]:
        """Of all but empty files: those are no clips yet."""
        return tuple(
            _sighting(relpath, self._tree[split(relpath)[0]].path, known)
            for relpath, known in self._facts(relpaths)
            if known.size
        )


MOST = 200

Written = tuple[int, str]


class Recent:
    """The newest clips of a tree by their mtime, at most `most`; frames of a sequence are none.

    Iterates over their relpaths. Those that are gone stay until the next `fill`.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._clips: dict[str, int] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._clips)

    def fill(self, tree: Tree) -> None:
        """Choose anew from all that is known."""
        self._keep(
            (known.mtime_ns, join(rel, key))
            for rel, folder in tree.items()
            for key, known in folder.files.items()
            if is_clip(key)
        )

    def add(self, written: Iterable[tuple[str, Known]]) -> None:
        """Files that are new, or changed."""
        found = {relpath: known.mtime_ns for relpath, known in written if is_clip(relpath)}
        if found:
            both = self._clips | found
            self._keep((mtime_ns, relpath) for relpath, mtime_ns in both.items())

    def _keep(self, written: Iterable[Written]) -> None:
        newest = heapq.nlargest(self._most, written)
        self._clips = {relpath: mtime_ns for mtime_ns, relpath in newest}


def sightings_in(root: Path, ignoring: Ignoring = SHIPPED_ONLY) -> list[Sighting]:
    """All files in a folder that need not have a marker. Nothing can be concluded from it.

    Raises OSError.
    """
    return _all_in(_glimpse(root, ignoring))


def passed_over_in(root: Path, ignoring: Ignoring) -> list[tuple[str, str]]:
    """What is passed over in a folder, and by which rule. Raises OSError."""
    return _passed_over(_glimpse(root, ignoring))


def _glimpse(root: Path, ignoring: Ignoring) -> Tree:
    survey = Survey({}, ignoring)
    survey.walk(str(root))
    return survey.relisted


def _passed_over(tree: Tree) -> list[tuple[str, str]]:
    found = []
    for rel, folder in tree.items():
        found += [(join(rel, name), rule) for name, rule in (folder.passed_over or {}).items()]
        found += [(join(rel, key), EMPTY) for key, known in folder.files.items() if not known.size]
    return found


def _all_in(tree: Tree) -> list[Sighting]:
    return [
        _sighting(join(rel, key), folder.path, known)
        for rel, folder in tree.items()
        for key, known in folder.files.items()
        if known.size
    ]


def _sighting(relpath: str, folder: str, known: Known) -> Sighting:
    path = Path(folder, known.name)
    return Sighting(relpath=relpath, path=path, size=known.size, mtime_ns=known.mtime_ns)


def _likeness(relpath: str, known: Known | None) -> tuple[str, int, int]:
    _, name = split(relpath)
    return (name, known.size, known.mtime_ns) if known else (name, 0, 0)


def _moved(survey: Survey, gone: list[str], new: list[str]) -> int:
    """How many of the gone files are among the new ones, in another folder."""
    arrived = Counter(_likeness(relpath, file_in(survey.relisted, relpath)) for relpath in new)
    left = Counter(_likeness(relpath, file_in(survey.tree, relpath)) for relpath in gone)
    return (arrived & left).total()
