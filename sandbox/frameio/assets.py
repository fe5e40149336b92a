"""Folders, files and version stacks, and the tree they stand in."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import Field

from postflow.sandbox.refusals import Refusal, invalid

if TYPE_CHECKING:
    from postflow.sandbox.world import World

Kind = Literal["file", "folder", "version_stack"]
Status = Literal["created", "uploaded", "transcoded"]
Name = Annotated[str, Field(min_length=1, max_length=255)]
ODD = re.compile(r'[/\\:*?"<>|]')


def now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass(eq=False, kw_only=True)
class Asset:
    """What every child of a folder has."""

    name: str
    project_id: str
    parent_id: str | None
    creator_id: str
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)

    @property
    def kind(self) -> Kind:
        raise NotImplementedError

    def touch(self) -> None:
        self.updated_at = now()


@dataclass(eq=False, kw_only=True)
class Folder(Asset):
    restricted: bool = False

    @property
    def kind(self) -> Kind:
        return "folder"


@dataclass(eq=False, kw_only=True)
class File(Asset):
    """A file; `sha256` is of what arrived, and empty until then."""

    file_size: int = 0
    guessed_type: str | None = None
    media_type: str | None = None
    status: Status = "created"
    upload_started_at: datetime | None = None
    upload_completed_at: datetime | None = None
    upload_failed: bool = False
    sha256: str = ""

    @property
    def kind(self) -> Kind:
        return "file"


@dataclass(eq=False, kw_only=True)
class VersionStack(Asset):
    @property
    def kind(self) -> Kind:
        return "version_stack"


A = TypeVar("A", bound=Asset)


class Tree:
    """All assets of all projects. Children keep their order: in a stack, oldest first."""

    def __init__(self) -> None:
        self._assets: dict[str, Asset] = {}
        self._children: dict[str, list[str]] = {}
        self.created: Counter[tuple[str, ...]] = Counter()

    def __iter__(self) -> Iterator[Asset]:
        return iter(list(self._assets.values()))

    def add(self, asset: A) -> A:
        self._assets[asset.id] = asset
        if asset.parent_id is not None:
            self._children.setdefault(asset.parent_id, []).append(asset.id)
        self.created[self._spot(asset)] += 1
        return asset

    def find(self, asset_id: str) -> Asset | None:
        return self._assets.get(asset_id)

    def children(self, asset: Asset) -> list[Asset]:
        return [self._assets[child] for child in self._children.get(asset.id, [])]

    def versions(self, stack: Asset) -> list[File]:
        return [child for child in self.children(stack) if isinstance(child, File)]

    def times_created(self, asset: Asset) -> int:
        """How often one of its kind was created where this one stands, under its name."""
        return self.created[self._spot(asset)]

    def parent(self, asset: Asset) -> Asset | None:
        return None if asset.parent_id is None else self._assets.get(asset.parent_id)

    def folder_of(self, asset: Asset) -> Asset:
        """The folder an asset lies in; for a version that is the folder of its stack."""
        parent = self.parent(asset)
        if parent is None:
            return asset
        return self.folder_of(parent) if isinstance(parent, VersionStack) else parent

    def folders_above(self, asset: Asset) -> list[Asset]:
        """From the project's root down to the folder the asset lies in."""
        above: list[Asset] = []
        parent = self.parent(asset)
        while parent is not None:
            if isinstance(parent, Folder):
                above.insert(0, parent)
            parent = self.parent(parent)
        return above

    def path(self, asset: Asset) -> tuple[str, ...]:
        """Names from below the project's root; a version stack is no step of it."""
        return (*(folder.name for folder in self.folders_above(asset)[1:]), asset.name)

    def move(self, asset: Asset, target: Asset) -> None:
        """Make `asset` the last child of `target`."""
        self._unlink(asset)
        asset.parent_id = target.id
        asset.touch()
        self._children.setdefault(target.id, []).append(asset.id)

    def put_in_place_of(self, asset: Asset, old: Asset) -> None:
        """Take the place that `old` has among its siblings, and remove `old`."""
        siblings = self._children[old.parent_id or ""]
        self._unlink(asset)
        asset.parent_id = old.parent_id
        siblings[siblings.index(old.id)] = asset.id
        self._forget(old)

    def delete(self, asset: Asset) -> list[Asset]:
        """Remove an asset and all below it; return them, deepest first."""
        gone = [dead for child in self.children(asset) for dead in self.delete(child)]
        self._unlink(asset)
        self._forget(asset)
        return [*gone, asset]

    def clear(self) -> None:
        self._assets.clear()
        self._children.clear()
        self.created.clear()

    def _spot(self, asset: Asset) -> tuple[str, ...]:
        """A version stack has the name of its newest file, and is no second one of it."""
        return (asset.kind, asset.project_id, *self.path(asset))

    def _unlink(self, asset: Asset) -> None:
        if asset.parent_id is not None:
            self._children[asset.parent_id].remove(asset.id)

    def _forget(self, asset: Asset) -> None:
        del self._assets[asset.id]
        self._children.pop(asset.id, None)


def settled_name(world: World, parent: Asset, name: str, kind: type[Asset]) -> str:
    """The name a new child gets, by the switches. Raises Refusal 409 or 422."""
    name = _plain_name(world, name)
    switches = world.switches
    rule = switches.duplicate_folders if kind is Folder else switches.duplicate_files
    taken = {child.name for child in world.tree.children(parent)}
    if rule == "allow" or name not in taken:
        return name
    if rule == "refuse":
        raise Refusal(409)
    return copy_name(taken, name)


def _plain_name(world: World, name: str) -> str:
    plain = ODD.sub("_", name)
    if world.switches.odd_names == "keep" or plain == name:
        return name
    if world.switches.odd_names == "refuse":
        raise invalid("/data/name", "Invalid format")
    return plain


def copy_name(taken: Iterable[str], name: str) -> str:
    """`a.mov`, `a (1).mov`, `a (2).mov` …"""
    used = set(taken)
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    number, candidate = 0, name
    while candidate in used:
        number += 1
        candidate = f"{stem} ({number}){suffix}"
    return candidate
