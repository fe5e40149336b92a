"""The clips that were written last: a re-export in place is nearly always of one of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from postflow.models import is_clip

from .listing import Known
from .survey import Tree, join

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
