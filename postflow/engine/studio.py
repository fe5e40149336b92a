"""The live things of a studio, opened once a process and shared by all of its clips."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID, uuid4

import xxhash
from pydantic import SecretStr

from postflow.bandwidth import Bandwidth
from postflow.blocks.studio import Studio, load_studio
from postflow.delivery.by_hand import open_by_hand
from postflow.delivery.common_rate import keep_common_rate
from postflow.delivery.job import abandon
from postflow.delivery.polling import Finishing
from postflow.delivery.record import DeliveryRecord
from postflow.delivery.share_relay import ShareRelay
from postflow.delivery.ways import Ways
from postflow.discord import DiscordClient
from postflow.discord.relay import NoChannel, OutboxRelay
from postflow.errors import PostFlowError, Retry
from postflow.feeds import FeedRelay
from postflow.folder.root import volume_error_or
from postflow.frameio import FrameioClient, TokenSource
from postflow.language import spoken
from postflow.ledger import Announcement, AsyncLedger, Claimed, open_ledger
from postflow.ledger.leases import hold_lease
from postflow.media import volume
from postflow.media.picture import Pictures
from postflow.media.probe import probe_media
from postflow.models import MediaFile, Project
from postflow.naming import Naming
from postflow.outlet import Outlet, Served
from postflow.stop import in_background

# Seconds to learn the name of a project for a message.
LOOK_UP = 5.0

ClipProgress = Callable[[MediaFile, Served], Awaitable[None]]


@dataclass(eq=False, kw_only=True)
class OpenStudio:
    """What the stages work with. A tunnel opens when the first clip is exposed."""

    name: str
    settings: Studio
    run_id: str
    channel: str | None
    naming: Naming
    frameio: FrameioClient
    sign_in: TokenSource
    ledger: AsyncLedger
    ways: Ways
    pictures: Pictures
    discord: DiscordClient | None
    relay: OutboxRelay | None
    sharing: ShareRelay | None
    progress: ClipProgress | None
    projects: dict[str, asyncio.Task[Project]] = field(default_factory=dict)
    stacking: set[object] = field(default_factory=set)
    finishing: Finishing = field(default_factory=Finishing)

    @property
    def project(self) -> str:
        """The studio's Frame.io project, by name or id."""
        return self.settings.frameio.project

    @property
    def scope(self) -> str:
        """Cached results of one account and one set of rules are never taken for another's."""
        account, studio = self.settings.frameio, self.settings
        parts = [account.base_url, account.account or "", account.workspace or "", account.project]
        return _digest(*parts, studio.naming, repr(studio.rules), studio.adobe.client_id)

    async def find_project(self, name_or_id: str) -> Project:
        """Looked up once; a failed look-up is not remembered."""
        if name_or_id not in self.projects:
            account = self.settings.frameio
            looking = self.frameio.projects.find(name_or_id, account.account, account.workspace)
            self.projects[name_or_id] = asyncio.ensure_future(looking)
        try:
            return await asyncio.shield(self.projects[name_or_id])
        except PostFlowError:
            self.projects.pop(name_or_id, None)
            raise

    async def project_name(self, name_or_id: str) -> str:
        """The project's name for people: looked up by an id, if that takes no time."""
        with suppress(ValueError, PostFlowError, TimeoutError):
            UUID(name_or_id)
            async with asyncio.timeout(LOOK_UP):
                return (await self.find_project(name_or_id)).name
        return name_or_id

    async def probe_media(self, path: Path, *, by_hand: bool) -> MediaFile:
        """The clip on disk. Raises as the `probe_media` of media does, and Retry `folder.away`."""
        try:
            return await probe_media(path, by_hand=by_hand)
        except PostFlowError as error:
            raise await self.volume_error_or(path, error) from error

    async def volume_error_or(self, path: Path, error: PostFlowError) -> PostFlowError:
        """The error, or that the clip's watch folder is lost or hangs; see `folder.root`."""
        root = next(
            (each for each in self.settings.watching.folders if path.is_relative_to(each)), None
        )
        if root is None:
            return error
        try:
            return await volume.ask_in_time(lambda: volume_error_or(root, error), root)
        except Retry as hangs:
            return hangs

    async def open_by_hand(self, media: MediaFile) -> DeliveryRecord:
        """The record of a clip that a person sends."""

        async def is_gone(account_id: str, file_id: str) -> bool:
            return await self.frameio.files.find(account_id, file_id) is None

        return await open_by_hand(
            self.ledger,
            self.name,
            media,
            folders=self.settings.watching.folders,
            run_id=self.run_id,
            is_gone=is_gone,
        )

    async def abandon(
        self, claim: Claimed, why: PostFlowError, announce: Announcement | None = None
    ) -> None:
        """The clip's journey ends before its run took it over; see `postflow.delivery.job`."""
        await abandon(self.ledger, self.frameio, self.naming, claim, why, announce)

    @property
    def not_told(self) -> dict[str, str]:
        """What Discord did not get so far, or may not have got, and why."""
        return dict(self.relay.unsent) if self.relay else {}

    def notify(self) -> None:
        """A message waits in the outbox. It is sent in the background: Discord holds nobody up."""
        if self.relay:
            self.relay.notify()

    def notify_sharing(self) -> None:
        """A clip is to be in a link, which is made or filled in the background likewise."""
        if self.sharing:
            self.sharing.notify()


@dataclass
class _Opening:
    """One studio held open by `holders` users of this process."""

    lock: asyncio.Lock
    stack: AsyncExitStack
    studio: OpenStudio | None = None
    holders: int = 0


_openings: dict[tuple[int, str], _Opening] = {}
# What the block that encloses us was opened with, by the studio's name.
_enclosing: ContextVar[Mapping[str, OpenStudio]] = ContextVar("enclosing")


@asynccontextmanager
async def open_studio(
    name: str | None = None,
    *,
    discord_webhook: SecretStr | None = None,
    progress: ClipProgress | None = None,
) -> AsyncIterator[OpenStudio]:
    """The studio's live things, shared by all of this loop; inner uses see what their outer one
    was opened with, and others side by side do not. Without a name: `main`, or the only one.

    Raises Fatal when the studio is missing or its rules do not load.
    """
    name = name or (await load_studio()).document_name
    async with _shared(name) as studio, AsyncExitStack() as own:
        own.enter_context(spoken(studio.settings.language))
        outer = _enclosing.get({})
        if name in outer and outer[name].run_id == studio.run_id:
            studio = outer[name]
        if discord_webhook and not (studio.discord and studio.discord.leads_to(discord_webhook)):
            studio = await _with_channel(own, studio, discord_webhook)
        if progress:
            studio = replace(studio, progress=progress)
        _enclosing.set({**outer, name: studio})
        try:
            yield studio
        finally:
            _enclosing.set(outer)


@asynccontextmanager
async def _shared(name: str) -> AsyncIterator[OpenStudio]:
    key = (id(asyncio.get_running_loop()), name)
    opening = _openings.setdefault(key, _Opening(asyncio.Lock(), AsyncExitStack()))
    opening.holders += 1
    try:
        async with opening.lock:
            if opening.studio is None:
                settings = await load_studio(name)
                with spoken(settings.language):  # by all that works in the background
                    opening.studio = await _open(opening.stack, name, settings)
        yield opening.studio
    finally:
        opening.holders -= 1
        if not opening.holders:
            _openings.pop(key, None)
            await opening.stack.aclose()


async def _with_channel(
    stack: AsyncExitStack, studio: OpenStudio, webhook: SecretStr
) -> OpenStudio:
    """This studio with a channel of its own. Messages for one webhook never go to another."""
    channel = f"{studio.name}/{_digest(webhook.get_secret_value())}"
    discord = await stack.enter_async_context(DiscordClient(webhook))
    relay = OutboxRelay(studio.ledger, discord, studio.run_id, channel=channel)
    await stack.enter_async_context(relay)
    if studio.sharing:  # while this channel's messages can still be changed
        stack.push_async_callback(studio.sharing.finish)
    return replace(studio, channel=channel, discord=discord, relay=relay)


async def _open(stack: AsyncExitStack, name: str, studio: Studio) -> OpenStudio:
    run_id = uuid4().hex
    enter = stack.enter_async_context
    ledger = await enter(open_ledger(studio.ledger))
    await enter(hold_lease(ledger, run_id))
    discord = await enter(studio.discord.get_client()) if studio.discord else None
    sign_in = studio.adobe.get_client()
    frameio = await enter(studio.frameio.get_client(sign_in))
    # Whose calls Frame.io counts together, as far as settings tell.
    user = _digest(studio.frameio.base_url, studio.adobe.client_id)
    await enter(in_background(keep_common_rate(ledger, run_id, frameio, user), "common rate"))
    relay = sharing = None
    if discord or studio.sinks:
        relay = await enter(OutboxRelay(ledger, discord or NoChannel(), run_id, channel=name))
    naming = studio.get_naming()
    for sink in studio.sinks:
        await enter(FeedRelay(ledger, naming, name, run_id, sink))
    if studio.frameio.share:
        links = ShareRelay(
            ledger,
            frameio,
            studio.frameio.share,
            studio=name,
            run_id=run_id,
            channel=name if relay else None,
            told=relay.notify if relay else lambda: None,
        )
        sharing = await enter(links)
    bandwidth = studio.get_bandwidth()
    ways = Ways(frameio, get_outlet(studio, bandwidth), studio.transfer, bandwidth)
    return OpenStudio(
        name=name,
        settings=studio,
        run_id=run_id,
        channel=name if relay else None,
        naming=naming,
        ledger=ledger,
        frameio=frameio,
        sign_in=sign_in,
        ways=ways,
        pictures=await enter(Pictures()),
        discord=discord,
        relay=relay,
        sharing=sharing,
        progress=None,
    )


def _digest(*parts: str) -> str:
    return xxhash.xxh3_64_hexdigest("\0".join(parts).encode())


def get_outlet(studio: Studio, bandwidth: Bandwidth | None = None) -> Outlet | None:
    """The studio's outlet, not open yet; None where no tunnel is set up."""
    tunnel = studio.tunnel
    if tunnel is None:
        return None
    return Outlet(tunnel.get_client(), port=tunnel.port, bandwidth=bandwidth)
