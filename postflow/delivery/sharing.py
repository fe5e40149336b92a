"""Links for people who are no members: what a clip's link is about, and one link made or filled."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from postflow.discord.card import Card
from postflow.discord.cards import with_share
from postflow.errors import Fatal, PostFlowError
from postflow.frameio import FrameioClient
from postflow.frameio.errors import suppress_not_found
from postflow.frameio.shares import LONGEST_NAME, NewShare, Share, ShareTerms
from postflow.ledger import (
    AsyncLedger,
    ShareLink,
    ShareWish,
    ShareWork,
    known_ids,
    shared_clips,
    shares,
)
from postflow.models import Folder, Shot
from postflow.naming import Naming
from postflow.settings import Sharing

log = logging.getLogger(__name__)

# A link that was there so long ago is asked for again before a message carries it.
SEEN = timedelta(minutes=10)
# One that ends sooner is renewed; at most a tenth of its time, for those that last for a day.
MARGIN = timedelta(days=1)
FEW = 10
GONE = frozenset({"frameio.not_found", "frameio.refused"})


def lasting(sharing: Sharing, now: datetime) -> datetime:
    """Until when a link has to open for a new message to carry it."""
    return now + min(MARGIN, timedelta(days=sharing.expiry) / 10)


async def wish_for(
    ledger: AsyncLedger,
    naming: Naming,
    sharing: Sharing,
    *,
    project: str,
    shot: Shot,
    folder: Folder,
    run_id: str,
) -> ShareWish:
    """In which link a delivered clip is to be. `project`: the name of Frame.io's."""
    now = datetime.now().astimezone()
    per, day, named = sharing.per, f"{now:%Y-%m-%d}", (folder.project_id, project)
    if per in ("sequence", "shot") and (path := naming.folder_for(shot, per)):
        label = "/".join(path)
        known = await ledger.run(known_ids.folders_at, folder.project_id, [label])
        folder_id = folder.id if path == folder.path else known.get(label)
        if folder_id is not None:
            return _wish(named, f"folder {folder_id}", path[-1], folder_id)
    if per == "shot":
        return _wish(named, f"stack {folder.id}/{shot.stack}", shot.stack)
    if per == "sequence" and shot.sequence:
        return _wish(named, f"sequence {shot.sequence}", shot.sequence)
    if per == "batch":
        return _wish(named, f"batch {run_id}", f"{now:%Y-%m-%d %H:%M}")
    return _wish(named, f"day {day}", day)


def _wish(
    project: tuple[str, str], subject: str, label: str, folder_id: str | None = None
) -> ShareWish:
    project_id, name = project
    return ShareWish(
        subject=f"{project_id}/{subject}", name=share_name(name, label), folder_id=folder_id
    )


def share_name(project: str, label: str) -> str:
    """What people see as the share's title, with room for the number of a part."""
    return " ".join(f"{project} · {label}".split())[: LONGEST_NAME - 10]


async def with_known_link(
    ledger: AsyncLedger, studio: str, sharing: Sharing, wish: ShareWish, card: Card
) -> tuple[ShareWish, Card]:
    """A clip that lies in a folder which a link opens is in that link already."""
    if wish.folder_id is None:
        return wish, card
    now = await ledger.now()
    link = await ledger.run(
        shared_clips.link_with,
        studio,
        wish.subject,
        wish.folder_id,
        seen=now - SEEN,
        until=lasting(sharing, now),
    )
    if link is None:
        return wish, card
    return wish.model_copy(update={"share": link.id}), with_share(card, link)


def relinked(payload: dict[str, Any], link: ShareLink) -> dict[str, Any]:
    """What a clip's message says, with the link; one of another version of ours stays as it is."""
    try:
        return with_share(Card.model_validate(payload), link).model_dump(mode="json")
    except ValueError:
        return payload


class LinkMaker:
    """Makes or fills one link at a time, known by its id, and in effect once."""

    def __init__(
        self,
        ledger: AsyncLedger,
        frameio: FrameioClient,
        sharing: Sharing,
        *,
        not_invited: Callable[[ShareWork, PostFlowError], Awaitable[None]],
    ) -> None:
        """`not_invited` hears that Frame.io may not have written to the reviewers of a public link,
        which opens all the same.
        """
        self._ledger = ledger
        self._frameio = frameio
        self._sharing = sharing
        self._not_invited = not_invited

    def terms(self, now: datetime) -> shares.Terms:
        """The terms of a link that is made now."""
        return shares.Terms(
            access=self._sharing.access,
            expires_at=now + timedelta(days=self._sharing.expiry),
            needed_until=lasting(self._sharing, now),
        )

    async def carry_out(self, work: ShareWork) -> shares.Made | None:
        """Do it in Frame.io and note it; None where the link is over, so that another is needed.

        Raises what stands in the way; what is done already is found by the next try.
        """
        try:
            return await (self._fill(work) if work.share_id else self._make(work))
        except Fatal as refused:
            if refused.code not in GONE:
                raise
            if not (await self._without_the_gone(work) or await self._with_fewer(work)):
                raise
            return None

    async def _make(self, work: ShareWork) -> shares.Made:
        new = NewShare(
            account_id=work.account_id,
            project_id=work.project_id,
            name=work.name,
            asset_ids=work.asset_ids,
        )
        share = None
        if work.resumed:
            share = await self._frameio.shares.find(new, since=work.intended_at, known=work.known)
        if share is None:
            terms = self._terms_of(work)
            share = await self._frameio.shares.create(
                new, terms, since=work.intended_at, known=work.known
            )
        made = self._made(share, work)
        await self._invite(work, share.id)
        await self._ledger.run(shares.made, work, made, relinked)
        return made

    async def _fill(self, work: ShareWork) -> shares.Made | None:
        share_id, account_id, now = str(work.share_id), work.account_id, await self._ledger.now()
        share = await self._frameio.shares.show(account_id, share_id)
        if share is None or not share.opens(lasting(self._sharing, now)):
            log.info("The link %s opens no more: another one takes its place.", work.name)
            await self._ledger.run(shares.over, work)
            return None
        is_in: set[str] = set()
        if work.resumed and work.adding:
            is_in = await self._frameio.shares.asset_ids(account_id, share_id)
        for asset_id in work.adding:
            if asset_id not in is_in:
                await self._frameio.shares.add_asset(account_id, share_id, asset_id)
        await self._invite(work, share_id)
        await self._ledger.run(shares.extended, work, relinked)
        return self._made(share, work)

    async def _invite(self, work: ShareWork, share_id: str) -> None:
        """Once. A secure link opens for nobody without; a public one does not wait for it.

        Where an answer was lost, those of a secure link can be looked for. Of a public one nobody
        can tell whom Frame.io wrote to, and nobody is written to twice.
        """
        people, secure = self._sharing.reviewers, self._sharing.access == "secure"
        if not people or work.invited == "done":
            return
        if work.invited == "asking":
            people = await self._uninvited(work, share_id) if secure else ()
        await self._ledger.run(shares.inviting, work, "asking")
        if people:
            text = f"{work.name} is ready for review."
            try:
                await self._frameio.shares.invite(work.account_id, share_id, people, text)
            except PostFlowError as error:
                if not secure:
                    await self._not_invited(work, error)
                elif await self._uninvited(work, share_id):
                    raise
        await self._ledger.run(shares.inviting, work, "done")

    async def _uninvited(self, work: ShareWork, share_id: str) -> tuple[str, ...]:
        there = await self._frameio.shares.reviewers(work.account_id, share_id)
        return tuple(each for each in self._sharing.reviewers if each.casefold() not in there)

    async def _without_the_gone(self, work: ShareWork) -> bool:
        """Leave out what somebody has deleted in Frame.io. Was there any?"""
        wanted = work.adding if work.share_id else work.asset_ids
        gone = {each for each in wanted if not await self._is_there(work.account_id, each)}
        if not gone:
            return False
        for name in await self._ledger.run(shares.drop, work, gone):
            log.warning("%s is no longer in Frame.io, and so in no link.", name)
        return True

    async def _with_fewer(self, work: ShareWork) -> bool:
        """The contract names no most; PostFlow's own is 100, an account's may be less."""
        if work.share_id or len(work.asset_ids) <= FEW:
            return False
        log.info("Frame.io refused %d assets in one share: trying %d.", len(work.asset_ids), FEW)
        await self._ledger.run(shares.shrink, work, FEW)
        return True

    async def _is_there(self, account_id: str, asset_id: str) -> bool:
        """A file, a version stack, or a folder; their ids do not tell which."""
        frameio = self._frameio
        for show in (frameio.files.show, frameio.stacks.show, frameio.folders.show):
            with suppress_not_found():
                await show(account_id, asset_id)
                return True
        return False

    def _terms_of(self, work: ShareWork) -> ShareTerms:
        sharing = self._sharing
        return ShareTerms(
            access=sharing.access,
            expires_at=work.expires_at,
            passphrase=sharing.passphrase,
            downloads=sharing.downloads,
        )

    def _made(self, share: Share, work: ShareWork) -> shares.Made:
        """A passphrase that the studio did not choose is one that people have to be told."""
        own = self._sharing.passphrase
        return shares.Made(
            share_id=share.id,
            url=share.url,
            passphrase=None if own else share.passphrase,
            expires_at=share.expires_at or work.expires_at,
        )
