"""Orders to the sandbox: what shall go wrong, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from postflow.sandbox import Sandbox

ALWAYS = None


@dataclass(frozen=True)
class Fault:
    what: str
    where: str
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        told = [str(value) for key, value in self.options if key == "code"]
        return " ".join([self.where, self.what, *told])

    def arm(self, world: Sandbox) -> None:
        world.fault(self.what, self.where, **dict(self.options))


def fault(what: str, where: str, **options: Any) -> Fault:
    """`times` is 1 unless given; ALWAYS for no end."""
    return Fault(what, where, tuple(options.items()))


def named(faults: object) -> str | None:
    """A parametrised case's name, for pytest."""
    return " and ".join(map(str, faults)) if isinstance(faults, tuple) else None


def arm_all(world: Sandbox, faults: tuple[Fault, ...]) -> None:
    for each in faults:
        each.arm(world)
