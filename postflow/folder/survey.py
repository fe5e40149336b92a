"""One pass over a folder tree, drafted beside the known tree and adopted only when believed."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from postflow.language import N_
from postflow.media.ignore import Ignoring
from postflow.media.sighting import Problem

from .listing import Known, Listing, as_text, known_file, list_folder, unread

OTHER_ROOT = N_("It is a watched folder of its own (it has a marker), so it is left out here.")

Stamp = tuple[int, int, int]


@dataclass(slots=True)
class Folder:
    """A directory as last listed. `stamp` None: to be listed again in any case.

    Times are monotonic seconds: when the stamp was first seen, and when the listing began.
    """

    path: str
    files: dict[str, Known] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    stamp: Stamp | None = None
    stamp_seen: float = 0.0
    listed: float = 0.0
    passed_over: dict[str, str] | None = None

    def is_believed(self, stamp: Stamp, clock_step: float) -> bool:
        """Nothing changed since the listing: same stamp, and it was listed once the clock that
        makes the stamps had moved on, so that a later change would have left another stamp.
        """
        return self.stamp == stamp and self.listed - self.stamp_seen >= clock_step


Tree = dict[str, Folder]


@dataclass(slots=True)
class Survey:
    """What one pass found. The known `tree` is only read until `adopt`."""

    tree: Tree
    ignoring: Ignoring
    full: bool = True
    clock: Callable[[], float] = time.monotonic
    clock_step: float = 0.0
    inodes_last: bool = False
    relisted: Tree = field(default_factory=dict)
    restated: dict[str, Known] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _doubted: set[str] = field(default_factory=set)
    _unseen: set[str] = field(default_factory=set)

    def walk(self, root: str) -> None:
        """Look at every directory, and into those that changed. OSError if the root is away."""
        pending = [("", root)]
        while pending:
            rel, path = pending.pop()
            try:
                folder = self._visit(rel, path)
            except (FileNotFoundError, NotADirectoryError):
                if not rel:
                    raise
                self._doubted.add(split(rel)[0])
                continue
            except OSError as error:
                if not rel:
                    raise
                self.problems.append(unread(path, error))
                continue
            pending += [(join(rel, key), f"{path}/{n}") for key, n in folder.folders.items()]

    def restat(self, relpaths: Iterable[str]) -> None:
        """Look at single known files, in folders that were neither listed anew nor lost."""
        looked_at = self.relisted.keys() | set(self._lost())
        for relpath in relpaths:
            rel, name = split(relpath)
            folder = self.tree.get(rel)
            if rel not in looked_at and folder is not None and name in folder.files:
                self._restat(relpath, rel, f"{folder.path}/{folder.files[name].name}")

    def gone(self) -> list[str]:
        """The known files that are no longer there."""
        found: list[str] = []
        for rel, folder, before in self._known_ones():
            found += [join(rel, key) for key in before.files if key not in folder.files]
        found += [join(rel, key) for rel in self._lost() for key in self.tree[rel].files]
        return found

    def keep_the_missing(self) -> None:
        """Draw no conclusion from what is missing: it stays known and is looked for again."""
        for rel, folder, before in self._known_ones():
            files = before.files.keys() - folder.files.keys()
            folders = before.folders.keys() - folder.folders.keys()
            if files or folders:
                folder.stamp = None
            self._unseen |= {join(rel, key) for key in files}
            folder.files |= {key: before.files[key] for key in files}
            folder.folders |= {key: before.folders[key] for key in folders}

    def saw(self, relpath: str) -> bool:
        """Whether this pass looked at a file and found it."""
        if relpath in self.restated:
            return True
        return file_in(self.relisted, relpath) is not None and relpath not in self._unseen

    def differences(self) -> tuple[list[str], list[str]]:
        """The new files and the changed ones. One that was empty so far is new."""
        new: list[str] = []
        changed: list[str] = []
        for rel, key, known, before in self._found():
            if before is None or not before.size:
                new.append(join(rel, key))
            elif not known.equals(before):
                changed.append(join(rel, key))
        return new, changed

    def adopt(self) -> None:
        """Make the draft the known tree."""
        for rel in list(self._lost()):
            self.tree.pop(rel, None)
        self.tree.update(self.relisted)
        for relpath, known in self.restated.items():
            rel, name = split(relpath)
            self.tree[rel].files[name] = known
        for rel in self._doubted & self.tree.keys():
            self.tree[rel].stamp = None

    def _lost(self) -> Iterator[str]:
        """The known folders that are no longer there, with all below them."""
        for rel, folder, before in self._known_ones():
            for key in before.folders.keys() - folder.folders.keys():
                yield from _below(self.tree, join(rel, key))

    def _known_ones(self) -> Iterator[tuple[str, Folder, Folder]]:
        """Each folder listed anew that is known: as it is now, and as it was."""
        for rel, folder in self.relisted.items():
            if before := self.tree.get(rel):
                yield rel, folder, before

    def _found(self) -> Iterator[tuple[str, str, Known, Known | None]]:
        """Each file looked at: its folder and name, what it is and what it was."""
        for rel, folder in self.relisted.items():
            before = self.tree.get(rel)
            was = before.files if before else {}
            for key, known in folder.files.items():
                yield rel, key, known, was.get(key)
        for relpath, known in self.restated.items():
            rel, key = split(relpath)
            yield rel, key, known, self.tree[rel].files[key]

    def _visit(self, rel: str, path: str) -> Folder:
        """The folder as known if its stamp is believed, else as listed now."""
        stamp, seen = self._stamp(path, follow=not rel), self.clock()
        known = self.tree.get(rel)
        if known is not None and not self.full and known.is_believed(stamp, self.clock_step):
            return known
        if known is not None and known.stamp == stamp:
            seen = known.stamp_seen
        listed = self.clock()
        listing = list_folder(path, rel, self.ignoring)
        if rel and listing.marked:
            listing = Listing(problems=[Problem(where=as_text(path), what=OTHER_ROOT)])
        self.problems += listing.problems
        folder = Folder(
            path, listing.files, listing.folders, stamp, seen, listed, listing.passed_over or None
        )
        self._mend(rel, folder, listing.torn)
        self.relisted[rel] = folder
        return folder

    def _stamp(self, path: str, *, follow: bool) -> Stamp:
        """What changes when an entry comes or goes. ctime too: mtime can be set back."""
        found = os.stat(path, follow_symlinks=follow)  # noqa: PTH116 - a hot path
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return found.st_mtime_ns, found.st_ctime_ns, found.st_ino if self.inodes_last else 0

    def _mend(self, rel: str, folder: Folder, torn: set[str]) -> None:
        """A file that was replaced during the scan counts as it was, until the next scan."""
        for key in torn:
            folder.stamp = None
            before = file_in(self.tree, join(rel, key))
            if before is not None:
                folder.files[key] = before
                self._unseen.add(join(rel, key))

    def _restat(self, relpath: str, rel: str, path: str) -> None:
        try:
            known = known_file(path)
        except FileNotFoundError:
            known = None
        except OSError as error:
            self.problems.append(unread(path, error))
            return
        if known is None:
            self._doubted.add(rel)
        else:
            self.restated[relpath] = known


def join(rel: str, name: str) -> str:
    return f"{rel}/{name}" if rel else name


def split(relpath: str) -> tuple[str, str]:
    """Its folder and its name."""
    folder, _, name = relpath.rpartition("/")
    return folder, name


def file_in(tree: Tree, relpath: str) -> Known | None:
    rel, name = split(relpath)
    folder = tree.get(rel)
    return folder.files.get(name) if folder else None


class Remembered(Protocol):
    """A file as the ledger knows it from before this process began."""

    @property
    def relpath(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def mtime_ns(self) -> int: ...


def as_tree(known: Iterable[Remembered], root: str) -> Tree:
    """A tree of files known from before; all folders are to be listed."""
    tree: Tree = {"": Folder(root)}
    for each in known:
        rel, name = split(each.relpath)
        _plant_folder(tree, rel, root)
        tree[rel].files[name] = Known(each.size, each.mtime_ns, name)
    return tree


def _plant_folder(tree: Tree, rel: str, root: str) -> None:
    while rel not in tree:
        tree[rel] = Folder(f"{root}/{rel}")
        parent, name = split(rel)
        _plant_folder(tree, parent, root)
        tree[parent].folders[name] = name


def _below(tree: Tree, rel: str) -> Iterator[str]:
    """A folder and all known ones under it."""
    pending = [rel]
    while pending:
        rel = pending.pop()
        if rel in tree:
            yield rel
            pending += [join(rel, key) for key in tree[rel].folders]
