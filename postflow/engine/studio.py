"""The live things of a studio, opened once a process and shared by all of its clips."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import xxhash
from pydantic import SecretStr

from postflow.blocks.discord import DiscordWebhook
from postflow.blocks.studio import Studio, load_studio
from postflow.delivery.record import DeliveryRecord, abandon, changed, open_by_hand
from postflow.discord import DiscordClient
from postflow.discord.relay import OutboxRelay
from postflow.errors import Fatal, PostFlowError, Retry
from postflow.folder.root import unless_away
from postflow.frameio import FrameioClient, TokenSource
from postflow.ledger import DELIVERED, AsyncLedger, Claimed, Draft, open_ledger
from postflow.media import volume
from postflow.media.probe import probe_media
from postflow.models import MediaFile, Project
from postflow.naming import Naming
from postflow.outlet import Outlet, Served
from postflow.settings import RetryPolicy, Watching

from .allowed_paths import allowed, as_meant
from .lease import hold_lease

ClipProgress = Callable[[MediaFile, Served], Awaitable[None]]


@dataclass(eq=False, kw_only=True)
class OpenStudio:
    """What the stages work with. The outlet opens when the first clip is exposed.

    `claims` are clips that an ingest run holds, by path.
    """

    name: str
    scope: str
    run_id: str
    channel: str
    project: str
    account: str | None
    workspace: str | None
    naming: Naming
    retry_policy: RetryPolicy
    watching: Watching
    frameio: FrameioClient
    sign_in: TokenSource
    ledger: AsyncLedger
    outlet: Outlet
    discord: DiscordClient | None
    webhook: DiscordWebhook | None
    ping: SecretStr | None
    relay: OutboxRelay | None
    progress: ClipProgress | None
    claims: dict[Path, Claimed] = field(default_factory=dict)
    projects: dict[str, asyncio.Task[Project]] = field(default_factory=dict)

    async def find_project(self, name_or_id: str) -> Project:
        """ScanReport up once; a failed look-up is not remembered."""
        if name_or_id not in self.projects:
            looking = self.frameio.projects.find(name_or_id, self.account, self.workspace)
            self.projects[name_or_id] = asyncio.ensure_future(looking)
        try:
            return await asyncio.shield(self.projects[name_or_id])
        except PostFlowError:
            self.projects.pop(name_or_id, None)
            raise

    async def probe_media(self, path: Path) -> MediaFile:
        """The clip on disk. Raises as `postflow.media.probe_media` does, and Retry `folder.away`.

        One that was delivered by a run that died is what it was then: the disk is asked no more.
        """
        claim = self.claims.get(path)
        if claim and claim.state in DELIVERED:
            return claim.media
        try:
            return await probe_media(path)
        except PostFlowError as error:
            raise await self.unless_away(path, error) from error

    async def allowed(self, path: Path) -> Path:
        """The clip that somebody names through Prefect's server, if that may be sent.

        Raises Fatal `clip.not_allowed`, Retry `volume.hangs`.
        """
        folders = (*self.watching.folders, *self.watching.allow)
        asking = volume.ask(lambda: allowed(as_meant(path), folders))
        return await volume.in_time(asking, path)

    async def unless_away(self, path: Path, error: PostFlowError) -> PostFlowError:
        """The error, or that the clip's watch folder is lost or hangs; see `scan.root`."""
        root = next((each for each in self.watching.folders if path.is_relative_to(each)), None)
        if root is None:
            return error
        try:
            return await volume.in_time(volume.ask(lambda: unless_away(root, error)), root)
        except Retry as hangs:
            return hangs

    async def open_record(self, media: MediaFile) -> DeliveryRecord:
        """Of the clip an ingest run has claimed, else of one that a person hands over."""
        claim = self.claims.pop(media.path, None)
        if claim:
            if (claim.revision, claim.size) != (media.revision, media.size):
                await self.abandon(claim, why := changed(media))
                raise why
            return DeliveryRecord(self.ledger, claim, by_hand=False)
        return await open_by_hand(
            self.ledger,
            self.name,
            media,
            folders=self.watching.folders,
            run_id=self.run_id,
            is_gone=partial(is_gone, self.frameio),
        )

    def take(self, claim: Claimed) -> bool:
        """Out of the `claims`, if it is still there and not a later one of the same path."""
        is_there = self.claims.get(claim.path) is claim
        if is_there:
            del self.claims[claim.path]
        return is_there

    async def abandon(
        self, claim: Claimed, why: PostFlowError, announce: Draft | None = None
    ) -> None:
        """The clip's journey ends before its run took it over; see `postflow.delivery.record`."""
        await abandon(self.ledger, self.frameio, self.naming, claim, why, announce)

    @property
    def not_told(self) -> dict[str, str]:
        """What Discord did not get so far, or may not have got, and why."""
        return dict(self.relay.untold) if self.relay else {}

    def notify(self) -> None:
        """A message waits in the outbox. It is sent in the background: Discord holds nobody up."""
        if self.relay:
            self.relay.notify()


@dataclass
class _Opening:
    """One studio held open by `holders` users of this process."""

    lock: asyncio.Lock
    stack: AsyncExitStack
    live: OpenStudio | None = None
    holders: int = 0


_openings: dict[tuple[int, str], _Opening] = {}
# What the block that encloses us was opened with, by the studio's name.
_enclosing: ContextVar[Mapping[str, OpenStudio]] = ContextVar("enclosing")


@asynccontextmanager
async def open_studio(
    name: str,
    *,
    discord_webhook: SecretStr | None = None,
    progress: ClipProgress | None = None,
) -> AsyncIterator[OpenStudio]:
    """The studio's live things, shared by all of this loop; inner uses see what their outer one
    was opened with, and others side by side do not.

    Raises Fatal when the studio is missing or its rules do not load.
    """
    async with _shared(name) as live, AsyncExitStack() as own:
        outer = _enclosing.get({})
        if name in outer and outer[name].run_id == live.run_id:
            live = outer[name]
        if discord_webhook and not (live.discord and live.discord.leads_to(discord_webhook)):
            live = await _told_elsewhere(own, live, discord_webhook)
        if progress:
            live = replace(live, progress=progress)
        _enclosing.set({**outer, name: live})
        try:
            yield live
        finally:
            _enclosing.set(outer)


@asynccontextmanager
async def _shared(name: str) -> AsyncIterator[OpenStudio]:
    key = (id(asyncio.get_running_loop()), name)
    opening = _openings.setdefault(key, _Opening(asyncio.Lock(), AsyncExitStack()))
    opening.holders += 1
    try:
        async with opening.lock:
            if opening.live is None:
                opening.live = await _open(opening.stack, name, await load_studio(name))
        yield opening.live
    finally:
        opening.holders -= 1
        if not opening.holders:
            _openings.pop(key, None)
            await opening.stack.aclose()


async def _told_elsewhere(
    stack: AsyncExitStack, live: OpenStudio, webhook: SecretStr
) -> OpenStudio:
    """The same, but for the channel. Messages for one webhook never go to another."""
    channel = f"{live.name}/{xxhash.xxh3_64_hexdigest(webhook.get_secret_value().encode())}"
    discord = await stack.enter_async_context(DiscordClient(webhook))
    office = await _open_post_office(stack, live.ledger, discord, live.run_id, channel)
    return replace(live, channel=channel, discord=discord, relay=office)


async def _open(stack: AsyncExitStack, name: str, studio: Studio) -> OpenStudio:
    run_id = uuid4().hex
    ledger = await stack.enter_async_context(open_ledger(studio.ledger))
    await stack.enter_async_context(hold_lease(ledger, run_id))
    discord = None
    if studio.discord:
        discord = await stack.enter_async_context(studio.discord.get_client())
    sign_in = studio.adobe.get_client()
    frameio = await stack.enter_async_context(studio.frameio.get_client(sign_in))
    return OpenStudio(
        name=name,
        scope=_scope(studio),
        run_id=run_id,
        channel=name,
        project=studio.frameio.project,
        account=studio.frameio.account,
        workspace=studio.frameio.workspace,
        naming=studio.get_naming(),
        retry_policy=studio.retry_policy,
        watching=studio.watching,
        ledger=ledger,
        frameio=frameio,
        sign_in=sign_in,
        outlet=get_outlet(studio),
        discord=discord,
        webhook=studio.discord,
        ping=studio.ping,
        relay=await _open_post_office(stack, ledger, discord, run_id, name),
        progress=None,
    )


async def is_gone(frameio: FrameioClient, account_id: str, file_id: str) -> bool:
    """Has somebody deleted the file in Frame.io?"""
    try:
        await frameio.files.show(account_id, file_id)
    except Fatal as error:
        if error.code != "frameio.not_found":
            raise
        return True
    return False


def get_outlet(studio: Studio) -> Outlet:
    """The studio's outlet, not open yet."""
    return Outlet(studio.tunnel.get_client(), port=studio.tunnel.port)


async def _open_post_office(
    stack: AsyncExitStack,
    ledger: AsyncLedger,
    discord: DiscordClient | None,
    run_id: str,
    channel: str,
) -> OutboxRelay | None:
    if discord is None:
        return None
    office = OutboxRelay(ledger, discord, run_id, channel=channel)
    return await stack.enter_async_context(office)


def _scope(studio: Studio) -> str:
    """Cached results of one account are never taken for another's."""
    account = studio.frameio
    parts = [account.base_url, account.account or "", account.workspace or "", account.project]
    parts += [studio.naming, repr(studio.rules), studio.adobe.client_id, repr(studio.discord)]
    return xxhash.xxh3_64_hexdigest("\0".join(parts).encode())
