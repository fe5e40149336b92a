"""Things that go wrong on command: armed by a test or a person, taken by the place they name."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong once, at the place where it was taken."""

    what: str
    where: str
    options: dict[str, Any] = field(default_factory=dict)
    releases: int = field(default=0, compare=False)
    """How many there were when it was taken."""


@dataclass
class _Armed:
    fault: Fault
    left: int | None
    skip: int

    def fits(self, where: str, whats: tuple[str, ...]) -> bool:
        right_place = fnmatchcase(where, self.fault.where)
        return right_place and (not whats or self.fault.what in whats)

    def strike(self) -> bool:
        """Whether this chance is taken; the skipped ones are not."""
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Faults:
    """Armed faults, oldest first. Safe to use from several threads."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._held: list[Callable[[], object]] = []
        self._releases = 0
        self._lock = threading.Lock()

    def arm(
        self, what: str, where: str = "*", *, times: int | None = 1, skip: int = 0, **options: Any
    ) -> Fault:
        """Let `what` happen at `where` (a name or a pattern such as `shares.*`).

        `times` None means until `clear`; the first `skip` chances pass unharmed.
        """
        fault = Fault(what, where, options)
        with self._lock:
            self._armed.append(_Armed(fault, times, skip))
        return fault

    def take(self, where: str, *whats: str) -> Fault | None:
        """Use up one fault armed for `where`, of one of the kinds `whats` (any kind if none)."""
        return next(iter(self._taking(where, whats, limit=1)), None)

    def take_all(self, where: str, *whats: str) -> list[Fault]:
        """Use up each matching armed fault once."""
        return self._taking(where, whats, limit=None)

    def armed(self) -> list[dict[str, Any]]:
        """What is still to happen."""
        with self._lock:
            return [
                {"what": a.fault.what, "where": a.fault.where, "times": a.left, **a.fault.options}
                for a in self._armed
            ]

    def clear(self, where: str | None = None) -> None:
        """Nothing of what was armed for this very `where` happens any more; of all for None."""
        with self._lock:
            self._armed = [a for a in self._armed if where not in (None, a.fault.where)]

    async def last(self, fault: Fault) -> None:
        """Wait for the `seconds` of a fault that was taken, or until the next `release` since."""
        over = asyncio.Event()
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.call_soon_threadsafe(over.set)

        with self._lock:
            if fault.releases < self._releases:
                return
            self._held.append(end)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(float(fault.options.get("seconds", 1))):
                    await over.wait()
        finally:
            with self._lock, contextlib.suppress(ValueError):
                self._held.remove(end)

    def release(self) -> None:
        """What waits by a fault goes on at once."""
        with self._lock:
            held, self._held = self._held, []
            self._releases += 1
        for end in held:
            end()

    def _taking(self, where: str, whats: tuple[str, ...], limit: int | None) -> list[Fault]:
        taken: list[Fault] = []
        with self._lock:
            for armed in self._armed:
                if len(taken) == limit:
                    break
                if armed.fits(where, whats) and armed.strike():
                    taken.append(replace(armed.fault, releases=self._releases))
            self._armed = [armed for armed in self._armed if armed.left != 0]
        return taken
