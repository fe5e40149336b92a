"""Puts delivered clips into their links, in the background: few calls, and nobody waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Self

from postflow.discord.cards import notice_card
from postflow.errors import Fatal, PostFlowError
from postflow.frameio import FrameioClient
from postflow.language import _, told
from postflow.ledger import (
    Announcement,
    AsyncLedger,
    ShareWork,
    StaleClaim,
    outbox,
    shared_clips,
    shares,
)
from postflow.ledger.shared_clips import Waiting
from postflow.models import MOST_ASSETS
from postflow.settings import Sharing

from .sharing import LinkMaker

log = logging.getLogger(__name__)

PULSE = 5.0
LAST_CHANCE = 60.0
# A new share takes 100 clips in one call, one that is there takes one a call, and Frame.io allows
# ten of each a minute. So clips wait for each other, for so many seconds where they and those on
# their way are few, for so many where they are many; and not at all once none is on its way.
FEW_WAIT = 20.0
MANY_WAIT = 600.0
MANY = 10
# Looks at one subject in a row: a link that is over is replaced at once.
ROUNDS = 3


class ShareRelay:
    """Makes and fills the studio's links while the `async with` lasts.

    It reads the ledger when notified and every 5 s, for other runs leave clips too. At its end it
    shares what waits, for 60 s at most; what is left the next one does. Trouble with a link is told
    in `channel`, and touches no delivery.
    """

    def __init__(
        self,
        ledger: AsyncLedger,
        frameio: FrameioClient,
        sharing: Sharing,
        *,
        studio: str,
        run_id: str,
        channel: str | None,
        told: Callable[[], None],
    ) -> None:
        """`told` is called when messages wait to be sent."""
        self._ledger = ledger
        self._sharing = sharing
        self._studio = studio
        self._run_id = run_id
        self._channel = channel
        self._told = told
        self._maker = LinkMaker(ledger, frameio, sharing, not_invited=self._tell_not_invited)
        self._notified = asyncio.Event()
        self._closing = False
        self._at_work = asyncio.Lock()
        self._worker: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._work(), name="share relay")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._notified.set()
        await self._worker
        await self.finish()

    def notify(self) -> None:
        """A clip waits for its link."""
        self._notified.set()

    async def finish(self) -> None:
        """Share what waits, without waiting for more; for 60 s at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_CHANCE):
                await self._round(at_once=True)

    async def share_due(self, *, at_once: bool) -> None:
        """Make or fill the links that are due, all that have clips if `at_once`."""
        many = await self._ledger.run(shared_clips.on_their_way, self._studio)
        for each in await self._ledger.run(shared_clips.waiting, self._studio):
            if at_once or is_due(each, many, await self._ledger.now()):
                await self._share(each.subject)

    async def _work(self) -> None:
        while not self._closing:
            self._notified.clear()
            await self._round(at_once=False)
            with suppress(TimeoutError):
                async with asyncio.timeout(PULSE):
                    await self._notified.wait()

    async def _round(self, *, at_once: bool) -> None:
        async with self._at_work:
            try:
                await self.share_due(at_once=at_once)
            except PostFlowError as error:
                log.warning("Share links wait: %s", error)
            except Exception:
                log.exception("A fault of our own; share links wait:")

    async def _share(self, subject: str) -> None:
        """Until all clips of the subject are in a link, or something stands in the way."""
        for _round in range(ROUNDS):
            terms = self._maker.terms(await self._ledger.now())
            work = await self._ledger.run(shares.begin, self._run_id, self._studio, subject, terms)
            if work is None or not await self._carry_out(work):
                return

    async def _carry_out(self, work: ShareWork) -> bool:
        """False when there was trouble, which is told."""
        try:
            made = await self._maker.carry_out(work)
        except StaleClaim:
            return False
        except PostFlowError as error:
            log.warning("The link %s could not be made: %s", work.name, error)
            await self._ledger.run(shares.failed, work, error, self._notice(work, error))
            self._told()
            return False
        if made and work.tries and self._channel:
            text = _("%(link)s opens now for those who are no members.") % {"link": work.name}
            card = notice_card(_("A link is there after all"), text)
            await self._ledger.run(shares.mended, card.announcement(self._key(work), self._channel))
        self._told()
        return True

    def _notice(self, work: ShareWork, error: PostFlowError) -> Announcement | None:
        if self._channel is None:
            return None
        said = [_("The clips are delivered, and open for members.")]
        if not isinstance(error, Fatal):
            said.insert(0, _("It is tried again by itself."))
        text = f"{work.name}: {told(error.whole)} {' '.join(said)}"
        card = notice_card(_("A link for those who are no members could not be made"), text)
        return card.announcement(self._key(work), self._channel)

    async def _tell_not_invited(self, work: ShareWork, error: PostFlowError) -> None:
        log.warning("The reviewers of %s may not have been invited: %s", work.name, error)
        if self._channel is None:
            return
        opens = _("The link opens all the same: send it to them yourself.")
        text = f"{work.name}: {told(error.whole)} {opens}"
        card = notice_card(_("Frame.io may not have written to the reviewers"), text)
        key = f"{self._channel}/invitation-{work.id}"
        await self._ledger.run(outbox.enqueue, card.announcement(key, self._channel))

    def _key(self, work: ShareWork) -> str:
        return f"{self._channel}/share-{work.id}"


def is_due(each: Waiting, on_their_way: int, now: datetime) -> bool:
    """Whether waiting longer would save no call, or is too long for people."""
    if each.whole or not on_their_way or each.clips >= MOST_ASSETS:
        return True
    longest = MANY_WAIT if on_their_way + each.clips > MANY else FEW_WAIT
    return (now - each.since).total_seconds() >= longest
