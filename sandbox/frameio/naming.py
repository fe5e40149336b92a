"""Names of children: what an asset may be called where others of that name are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from postflow.sandbox.refusals import Refusal

from .assets import Asset

if TYPE_CHECKING:
    from postflow.sandbox.world import World

Name = Annotated[str, Field(min_length=1, max_length=255)]


def settled_name(world: World, parent: Asset, name: str) -> str:
    """The name a new child gets, by the switch `duplicate_names`. Raises Refusal 409."""
    if world.switches.duplicate_names == "allow":
        return name
    taken = {child.name for child in world.tree.children(parent)}
    if name not in taken:
        return name
    if world.switches.duplicate_names == "refuse":
        raise Refusal(409)
    return copy_name(taken, name)


def copy_name(taken: Iterable[str], name: str) -> str:
    """`a.mov`, `a (1).mov`, `a (2).mov` …"""
    used = set(taken)
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    number, candidate = 0, name
    while candidate in used:
        number += 1
        candidate = f"{stem} ({number}){suffix}"
    return candidate
