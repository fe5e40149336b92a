"""Death by kill -9 at a chosen transition, from outside of the code that dies.

SQLAlchemy's events say what each transaction is about to make durable: every line of the history,
every state of an announcement and of a share link is a transition. The process ends right before
the commit (the effect is done, its outcome is not written) or right after it (the intent is, the
effect is not).
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy import Connection, Engine, event

Moment = Literal["before", "after"]


class Death(BaseModel):
    """At the `nth` commit that holds the transition `at`; never for None."""

    at: str | None = None
    nth: int = 1
    moment: Moment = "before"

    def __str__(self) -> str:
        return f"{self.moment} {self.at} no. {self.nth}"


class Reaper:
    """Listens to all engines of this process. What was committed is listed in `witness`."""

    def __init__(self, death: Death, witness: Path) -> None:
        self._death = death
        self._witness = witness
        self._seen: Counter[str] = Counter()
        self._open: dict[int, list[str]] = {}
        event.listen(Engine, "begin", self._begun)
        event.listen(Engine, "before_cursor_execute", self._executes)
        event.listen(Engine, "commit", self._commits)
        event.listen(Engine, "rollback", self._begun)

    def _begun(self, connection: Connection) -> None:
        self._open[id(connection)] = []

    def _executes(
        self,
        connection: Connection,
        _cursor: object,
        statement: str,
        _parameters: object,
        context: Any,
        _many: bool,
    ) -> None:
        given = getattr(context, "compiled_parameters", [])  # plain SQL has none
        self._open.setdefault(id(connection), []).extend(_transitions(statement, given))

    def _commits(self, connection: Connection) -> None:
        names = self._open.pop(id(connection), [])
        if not names:
            return
        self._seen.update(set(names))
        is_it = self._death.at in names and self._seen[str(self._death.at)] == self._death.nth
        if is_it and self._death.moment == "before":
            _die()
        with self._witness.open("a") as file:
            file.writelines(f"{name}\n" for name in sorted(set(names)))
        if is_it:
            event.listen(connection.engine.pool, "checkin", lambda *_: _die())


OTHERS = {
    "INSERT INTO LEASES": "run on duty",
    "DELETE FROM LEASES": "run off duty",
    "INSERT INTO OBSERVATIONS": "file seen",
    "UPDATE PARTS": "part arrived",
    "UPDATE STACKS": "stack held",
}
"""How the statements of further transitions begin."""


def _transitions(statement: str, given: list[dict[str, Any]]) -> Iterator[str]:
    words = statement.split(maxsplit=3)
    verb = " ".join(words[:3]).upper()
    for values in given:
        if verb == "INSERT INTO HISTORY":
            yield f"clip {values['event']}"
        elif verb == "INSERT INTO OUTBOX" or verb.startswith("UPDATE OUTBOX"):
            yield f"message {values.get('state') or 'rewritten'}"
        elif "SHARES" in verb and "state" in values:
            yield f"link {values['state']}"
        elif name := next((n for begun, n in OTHERS.items() if verb.startswith(begun)), None):
            yield name


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
