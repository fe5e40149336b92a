"""What a scan came to, and what people are told of it: each thing once, while it lasts."""

from __future__ import annotations

import logging
import shlex
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Literal

import xxhash
from pydantic import SkipValidation

from postflow.discord.cards import notice_card
from postflow.language import N_, Words, _, told
from postflow.ledger import Announcement, AsyncLedger, outbox
from postflow.media.sighting import Problem
from postflow.models import FrozenModel, Once
from postflow.state import this_host

from .pending import Waiting

log = logging.getLogger(__name__)

Trouble = Literal["offline", "vanished", "late", "ledger", "fault", "taken", "not enrolled"]

TITLES: Mapping[Trouble, str] = {
    "offline": N_("A watched folder is lost"),
    "vanished": N_("Many files have vanished"),
    "late": N_("A watched folder hangs"),
    "ledger": N_("The ledger does not answer"),
    "fault": N_("A watched folder cannot be looked at"),
    "taken": N_("A watch folder belongs to another PostFlow"),
    "not enrolled": N_("A watch folder is not enrolled yet"),
}
ANSWERS = N_("The ledger answers again")
# These last until a person acts, so whoever meets them first tells them.
FOR_A_PERSON = frozenset({"taken", "not enrolled"})
MOST_PROBLEMS = 10


class ScanReport(FrozenModel):
    """What one scan came to. `alarm`: why nothing could be concluded, in a person's words.

    `settling` are those of the `waiting` that time alone may make ready; `problems` are new ones.
    """

    folder: Path
    ready: tuple[str, ...] = ()
    waiting: int = 0
    settling: int = 0
    overdue: tuple[Waiting, ...] = ()
    problems: tuple[Problem, ...] = ()
    alarm: SkipValidation[str] | None = None
    trouble: Trouble | None = None


def overdue(folder: Path, clip: Waiting) -> str:
    """What a person should know of a clip that does not become ready, and can do."""
    waits = N_(
        "{name} {reason}, and has been waited for {minutes:.0f} min.",
        name=clip.relpath,
        reason=clip.reason,
        minutes=clip.waited / 60,
    )
    if not clip.refused:
        return waits
    by_hand = f"postflow upload {shlex.quote(str(folder / clip.relpath))}"
    remedy = N_("Export it again; should it be finished as it is: {command}", command=by_hand)
    return Words("{waits} {remedy}", waits=waits, remedy=remedy)


class Notices:
    """Keeps each notice until the outbox has it, so that a busy ledger costs none.

    An alarm is told once when it begins, a clip that does not become ready once; the end of an
    alarm is logged. Without a `channel` all is only logged.
    """

    def __init__(
        self, ledger: AsyncLedger, channel: str | None, run_id: str, *, lasting_only: bool = False
    ) -> None:
        """`lasting_only`: tell what lasts until a person ends it, and log other alarms; for
        `ingest`, beside which no watcher may run.
        """
        self._ledger = ledger
        self._channel = channel
        self._run_id = run_id
        self._lasting_only = lasting_only
        self._alarms: Once[tuple[Path, Trouble]] = Once()
        self._numbers = count(1)
        self._waiting: deque[Announcement] = deque()

    def take(self, report: ScanReport) -> bool:
        """What a scan came to. Whether its folder is in order again after an alarm."""
        if report.alarm and report.trouble:
            if self._alarms.begins((report.folder, report.trouble)):
                log.warning("%s", report.alarm)
                self._keep_alarm(report.trouble, told(report.alarm))
            return False
        if not self._lasting_only:
            for clip in report.overdue:
                text = overdue(report.folder, clip)
                log.warning("%s", text)
                self._keep(_("A clip does not become ready"), told(text))
        self._keep_problems(report.problems)
        is_over = self._alarms.ends(*((report.folder, each) for each in TITLES))
        if is_over:
            log.info("The watched folder %s is in order again.", report.folder)
        return is_over

    def tell(self, title: str, text: str) -> None:
        """Tell once: said again, as after a restart, it is the same message."""
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
        if trouble in FOR_A_PERSON:
            self.tell(_(TITLES[trouble]), alarm)
        elif trouble != "ledger" and not self._lasting_only:
            self._keep(_(TITLES[trouble]), _here(alarm))

    def _keep_problems(self, problems: Sequence[Problem]) -> None:
        """In one message; by `ingest` in one each, so that no later run tells any again."""
        at_once = 1 if self._lasting_only else MOST_PROBLEMS
        some, more = problems[:MOST_PROBLEMS], len(problems) - MOST_PROBLEMS
        lines = [
            _("%(name)s: %(why)s") % {"name": each.where, "why": told(each.what)} for each in some
        ]
        if more > 0:
            lines[-1] += "\n" + _("… and %(more)s more, in the log of the watcher.") % {
                "more": more
            }
        for start in range(0, len(lines), at_once):
            text = "\n".join(lines[start : start + at_once])
            self.tell(_("Something in a watched folder cannot be delivered"), text)

    def _keep(self, title: str, text: str, *, name: str | None = None) -> None:
        if self._channel is not None:
            key = f"{self._channel}/notice-{name or f'{self._run_id}-{next(self._numbers)}'}"
            self._waiting.append(notice_card(title, text).announcement(key, self._channel))


class Outage:
    """The ledger does not answer: told past the outbox, which is in the ledger; once while it
    lasts, and once when it is over.
    """

    def __init__(self, tell: Callable[[str, str], Awaitable[None]]) -> None:
        """`tell` people a title and a text."""
        self._tell = tell
        self._told: Once[str] = Once()

    async def observe(self, why: str | None) -> None:
        """Why the ledger did not answer just now; None if it did."""
        if why is None and self._told.ends("ledger"):
            log.info(ANSWERS)
            await self._tell(_(ANSWERS), _here(_("Clips go on by themselves.")))
        elif why and self._told.begins("ledger"):
            await self._tell(_(TITLES["ledger"]), _here(told(why)))


def _here(what: str) -> str:
    """Of several hosts, each tells what it alone may have met."""
    return _("On %(host)s: %(what)s") % {"host": this_host(), "what": what}
