"""What people are told of watched folders, and of the ledger that would keep it."""

from __future__ import annotations

import logging
import shlex
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import xxhash

from postflow.discord import DiscordClient
from postflow.discord.cards import notice_card
from postflow.errors import PostFlowError
from postflow.ledger import (
    AsyncLedger,
    Draft,
    outbox,
)
from postflow.media.sighting import Problem

from .pending import Waiting
from .watcher import ScanReport, Trouble

TITLES: Mapping[Trouble, str] = {
    "offline": "A watched folder is lost",
    "vanished": "Many files have vanished",
    "late": "A watched folder hangs",
    "ledger": "The ledger does not answer",
    "fault": "A watched folder cannot be looked at",
    "taken": "A watch folder belongs to another PostFlow",
    "not enrolled": "A watch folder is not enrolled yet",
}


class Alarms:
    """Which alarms are on, by folder."""

    def __init__(self) -> None:
        self._told: dict[Path, set[Trouble]] = {}

    def begins(self, looked: ScanReport) -> bool:
        """Whether this trouble has not been told since the folder was last in order."""
        if looked.trouble is None:
            return False
        told = self._told.setdefault(looked.folder, set())
        is_new = looked.trouble not in told
        told.add(looked.trouble)
        return is_new

    def ends(self, looked: ScanReport) -> bool:
        """Whether the folder was in trouble, and is in order again."""
        return looked.trouble is None and bool(self._told.pop(looked.folder, None))


def overdue(folder: Path, clip: Waiting) -> str:
    """What a person should know of a clip that does not become ready, and can do."""
    told = f"{clip.relpath} {clip.reason}, and has been waited for {clip.waited / 60:.0f} min."
    if not clip.refused:
        return told
    by_hand = f"postflow upload {shlex.quote(str(folder / clip.relpath))}"
    return f"{told} Export it again; should it be finished as it is: {by_hand}"


MOST_PROBLEMS = 10
# These last until somebody says a word, so whoever meets them first tells them.
FOR_A_PERSON = frozenset({"taken", "not enrolled"})

log = logging.getLogger(__name__)


class Notices:
    """Keeps each notice until the outbox has it, so that a busy ledger costs none.

    An alarm is told once when it begins, a clip that does not become ready once; the end of an
    alarm is logged. Without a `channel` all is only logged.
    """

    def __init__(self, ledger: AsyncLedger, channel: str | None, run_id: str) -> None:
        self._ledger = ledger
        self._channel = channel
        self._run_id = run_id
        self._alarms = Alarms()
        self._numbers = count(1)
        self._waiting: deque[Draft] = deque()

    def take(self, looked: ScanReport) -> bool:
        """What a look came to. Whether its folder is in order again after an alarm."""
        if looked.alarm and looked.trouble and self._alarms.begins(looked):
            log.warning("%s", looked.alarm)
            if looked.trouble != "ledger":
                self._keep_alarm(looked.trouble, looked.alarm)
        for late in looked.overdue:
            text = overdue(looked.folder, late)
            log.warning("%s", text)
            self._keep("A clip does not become ready", text)
        if looked.problems:
            self._keep_problems(looked.problems)
        is_over = self._alarms.ends(looked)
        if is_over:
            log.info("The watched folder %s is in order again.", looked.folder)
        return is_over

    def tell(self, title: str, text: str) -> None:
        """The same again, as after a restart, is the same message."""
        self._keep(title, text, name=xxhash.xxh3_64_hexdigest(text.encode()))

    async def hand_over(self) -> None:
        """Put what waits into the outbox. Raises Retry while the ledger is busy; nothing is lost.

        A notice keeps its key, so that one whose commit was not answered is there once.
        """
        while self._waiting:
            await self._ledger.run(outbox.enqueue, self._waiting[0])
            self._waiting.popleft()

    def _keep_alarm(self, trouble: Trouble, alarm: str) -> None:
        """One that a person has to end is the same message, whoever else meets it."""
        lasts = trouble in FOR_A_PERSON
        name = xxhash.xxh3_64_hexdigest(alarm.encode()) if lasts else None
        self._keep(TITLES[trouble], alarm, name=name)

    def _keep_problems(self, problems: Sequence[Problem]) -> None:
        lines = [f"{each.where}: {each.what}" for each in problems[:MOST_PROBLEMS]]
        if more := len(problems) - len(lines):
            lines.append(f"… and {more} more, in the log of the look-out.")
        self.tell("Something in a watched folder cannot be delivered", "\n".join(lines))

    def _keep(self, title: str, text: str, *, name: str | None = None) -> None:
        if self._channel is not None:
            key = f"{self._channel}/notice-{name or f'{self._run_id}-{next(self._numbers)}'}"
            self._waiting.append(notice_card(title, text).message(key, self._channel))


class Outage:
    """The ledger does not answer: said to Discord past the outbox, which is in the ledger.

    Once while it lasts, and as well as may be: what Discord does not take then is only logged.
    """

    def __init__(self, discord: DiscordClient | None) -> None:
        self._discord = discord
        self._lasts = False

    async def look(self, why: str | None) -> None:
        """Why the ledger did not answer just now; None if it did."""
        begins = why is not None and not self._lasts
        self._lasts = why is not None
        if why is None or not begins or self._discord is None:
            return
        try:
            await self._discord.post(notice_card(TITLES["ledger"], why))
        except PostFlowError as error:
            log.warning("Discord was not told: %s", error)
