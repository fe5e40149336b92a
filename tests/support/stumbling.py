"""A real ledger whose calls fail now and then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from postflow.errors import Retry
from postflow.ledger import AsyncLedger, Ledger

BUSY = Retry("Busy.", hint="Wait.", code="ledger.unreachable")


class StumblingLedger:
    """Passes every call on, but for the first of those named in `faults`, which raise."""

    def __init__(self, ledger: AsyncLedger, **faults: Exception | list[Exception]) -> None:
        self.calls: Counter[str] = Counter()
        self.faults = {
            call: [fault] if isinstance(fault, Exception) else [*fault]
            for call, fault in faults.items()
        }
        self._ledger = ledger

    @property
    def ledger(self) -> Ledger:
        return self._ledger.ledger

    async def run(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        name = call.__name__
        self.calls[name] += 1
        if self.faults.get(name):
            raise self.faults[name].pop(0)
        return await self._ledger.run(call, *args, **kwargs)

    @property
    def yet_to_come(self) -> set[str]:
        """Whose faults have not struck as often as they should."""
        return {call for call, faults in self.faults.items() if faults}


def stumbling(
    ledger: AsyncLedger, **faults: Exception | list[Exception]
) -> tuple[AsyncLedger, StumblingLedger]:
    """The same object twice: as what it is used for, and as what it is."""
    made = StumblingLedger(ledger, **faults)
    return cast("AsyncLedger", made), made
