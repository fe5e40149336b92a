"""What happens to a file after it was asked for: fetched, stored, transcoded, or failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import aiohttp

from postflow.sandbox.frameio.assets import File, now

from .faults import Fault
from .fetching import FetchError, Manners, Pulled, pull
from .refusals import invalid

if TYPE_CHECKING:
    from .world import World

log = logging.getLogger(__name__)

PROBE_TIMEOUT = aiohttp.ClientTimeout(total=10)
FALLBACK_TYPE = "application/octet-stream"


class Ingestion:
    """The fetches and timers under way."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def probe(self, url: str) -> int | None:
        """The size that the source promises, if switches want to know. Raises Refusal 422."""
        switches = self._world.switches
        if switches.probe == "none" and switches.too_big == "fail":
            return None
        size = await self._promised(url, "GET" if switches.probe == "get" else "HEAD")
        if switches.too_big == "refuse" and (size or 0) > switches.size_limit:
            raise invalid("/data/source_url", "File is too large for remote upload")
        return None if switches.probe == "none" else size

    async def _promised(self, url: str, method: str) -> int | None:
        headers = {"User-Agent": self._world.switches.fetch_user_agent}
        try:
            async with (
                aiohttp.ClientSession(timeout=PROBE_TIMEOUT, headers=headers) as session,
                session.request(method, url) as response,
            ):
                response.close()
                return response.content_length if response.ok else None
        except (aiohttp.ClientError, TimeoutError):
            return None

    def start(self, file: File, url: str, *, doomed: bool) -> None:
        """Fetch in the background. A doomed file fails without a request."""
        self.spawn(file, self._fail_soon(file) if doomed else self._fetch(file, url))

    def arrived(self, file: File, size: int, sha256: str) -> None:
        """All bytes are there; transcoding follows by itself."""
        file.file_size, file.sha256 = size, sha256
        file.media_type = file.guessed_type or FALLBACK_TYPE
        file.status = "uploaded"
        file.upload_completed_at = now()
        file.touch()
        self._tell("file.upload.completed", file)
        if self._world.switches.transcodes:
            self.spawn(file, self._transcode(file))

    def fail(self, file: File) -> None:
        """The upload is over, and nothing came of it. Status stays `created`, as in Frame.io."""
        self.stop(file.id)
        file.status, file.upload_failed = "created", True
        file.upload_started_at = file.upload_started_at or now()
        file.upload_completed_at = None
        file.touch()

    def stop(self, file_id: str) -> None:
        """Nothing more happens to this file."""
        task = self._tasks.pop(file_id, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def close(self) -> None:
        """Stop everything, and wait until it has stopped."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def spawn(self, file: File, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` for the file in the background, until `stop`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[file.id] = task
        task.add_done_callback(lambda done: self._done(file.id, done))

    def _done(self, file_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(file_id) is task:
            del self._tasks[file_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("The sandbox could not take in file %s.", file_id, exc_info=error)

    async def _fail_soon(self, file: File) -> None:
        self.fail(file)

    async def _fetch(self, file: File, url: str) -> None:
        file.upload_started_at = now()
        await asyncio.sleep(self._world.switches.fetch_delay)
        try:
            pulled = await self._pull(file, url)
        except FetchError as error:
            log.info("The fetch for file %s failed: %s", file.id, error)
            self._world.blobs.drop(file.id)
            await asyncio.sleep(self._world.switches.fail_seconds)
            self.fail(file)
            return
        await asyncio.sleep(self._world.switches.finish_seconds)
        self._world.blobs.settle(file.id)
        self.arrived(file, pulled.size, pulled.sha256)

    async def _pull(self, file: File, url: str) -> Pulled:
        faults, switches = self._world.faults, self._world.switches
        if delay := faults.take("fetch", "delay"):
            await faults.last(delay)
        if faults.take("fetch", "status", "reset", "lost_answer", "upload_failed"):
            raise FetchError("A fault was armed for this fetch.")
        pulled = await pull(
            url, self._world.blobs.incoming(file.id), switches.fetch_style, self._manners()
        )
        if pulled.size > switches.size_limit:
            raise FetchError(f"{pulled.size} bytes are over the limit.")
        return pulled

    def _manners(self) -> Manners:
        switches = self._world.switches
        return Manners(
            user_agent=switches.fetch_user_agent,
            attempts=switches.fetch_attempts,
            pause=switches.fetch_pause,
            idle_timeout=switches.fetch_idle_timeout,
            rate=switches.fetch_rate,
            redirects=switches.redirects == "followed",
            without_length=switches.without_length == "taken",
            cut_after=lambda: _after_bytes(self._world.faults.take("fetch", "cut")),
        )

    async def _transcode(self, file: File) -> None:
        await asyncio.sleep(self._world.switches.transcode_seconds)
        file.status = "transcoded"
        file.touch()
        self._tell("file.ready", file)

    def _tell(self, event: str, file: File) -> None:
        creator = self._world.studio.user(file.creator_id)
        self._world.tell(event, file.id, file.project_id, creator)


def _after_bytes(fault: Fault | None) -> int | None:
    return None if fault is None else int(fault.options.get("after_bytes", 0))
