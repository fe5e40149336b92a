"""One file on offer under one secret address, and those who are fetching it."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from postflow.bandwidth import Bandwidth, LoopShare
from postflow.media.pinned import PinnedFile
from postflow.models import FrozenModel, MediaFile

from .ranges import Coverage, Validators

ADDRESS_VERSION = "v1"


class Served(FrozenModel):
    """What was fetched of one exposure. `bytes_covered` counts each byte of the file once,
    `bytes_sent` as often as it was sent; sent means handed to the kernel.
    """

    bytes_covered: int
    bytes_sent: int
    total: int
    requests: int
    changed: bool


class Tally:
    """Counts in the server's thread, read from any other."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._lock = threading.Lock()
        self._coverage = Coverage()
        self._sent = 0
        self._requests = 0
        self._user_agents: set[str] = set()

    def request(self, user_agent: str) -> bool:
        """Count a request; is it the first of that program?"""
        with self._lock:
            self._requests += 1
            is_new = user_agent not in self._user_agents
            self._user_agents.add(user_agent)
            return is_new

    def sent(self, start: int, stop: int) -> None:
        """Count the bytes from `start` up to, not including, `stop`."""
        with self._lock:
            self._coverage.add(start, stop)
            self._sent += stop - start

    def snapshot(self, *, changed: bool) -> Served:
        with self._lock:
            return Served(
                bytes_covered=self._coverage.covered,
                bytes_sent=self._sent,
                total=self._total,
                requests=self._requests,
                changed=changed,
            )


class Limits(BaseModel):
    """What a fetcher may do. Times in seconds; there is no limit on the whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    idle: float = Field(default=120.0, gt=0, description="Longest time without a byte taken.")
    parallel: int = Field(default=16, ge=1, description="Bodies sent at once.")
    queue: float = Field(default=60.0, gt=0, description="Longest wait for one of those.")
    lifetime: float = Field(default=172_800.0, gt=0, description="After it no fetch may begin.")
    connections: int = Field(default=512, ge=1, description="Open at once, fetching or not.")
    silence: float = Field(default=10.0, gt=0, description="Longest time before a file is asked.")
    sendfile: bool = Field(default=True, description="False for file systems that get it wrong.")


class ServedFile:
    """Made in any thread; all but `snapshot` and `forget_visits` then belongs to the server's."""

    def __init__(self, media: MediaFile, limits: Limits, bandwidth: Bandwidth) -> None:
        """Opens the file; raises as PinnedFile does."""
        self.pinned = PinnedFile(media)
        self.name = media.path.name
        self.content_type = media.content_type
        token = secrets.token_urlsafe(32)
        self.digest = _digest(token)
        self.id = self.digest.hex()[:12]
        name = quote(self.name, safe="", errors="surrogateescape")
        self.path = SecretStr(f"/{ADDRESS_VERSION}/{token}/{name}")
        self.slots = asyncio.Semaphore(limits.parallel)
        self.share = LoopShare(bandwidth)
        self.changed = False
        self.tally = Tally(media.size)
        self._expires = time.monotonic() + limits.lifetime
        self._visitors: set[asyncio.Transport] = set()
        self._nobody = asyncio.Event()
        self._nobody.set()

    @property
    def available(self) -> bool:
        return not self.changed and time.monotonic() < self._expires

    @property
    def validators(self) -> Validators:
        mtime_ns, size = self.pinned.mtime_ns, self.pinned.size
        return Validators(f'"{mtime_ns:x}-{size:x}"', mtime_ns // 10**9)

    @property
    def idle(self) -> bool:
        """Is nobody fetching it right now?"""
        return not self._visitors

    def snapshot(self) -> Served:
        return self.tally.snapshot(changed=self.changed)

    def forget_visits(self) -> None:
        """Start counting anew, so that our own probing does not count as fetching."""
        self.tally = Tally(self.pinned.size)

    @contextmanager
    def visit(self, transport: asyncio.Transport) -> Iterator[None]:
        """Hold the file for one request on that connection."""
        self._visitors.add(transport)
        self._nobody.clear()
        try:
            yield
        finally:
            self._visitors.discard(transport)
            if not self._visitors:
                self._nobody.set()

    def hang_up(self, *, but: asyncio.Transport | None = None) -> None:
        for transport in self._visitors - {but}:
            transport.abort()

    async def quiet(self) -> None:
        """Wait until nobody is fetching."""
        await self._nobody.wait()

    async def close(self) -> None:
        """Hang up on everyone, then close the file: never under a running transfer."""
        self.hang_up()
        await self.quiet()
        self.pinned.close()


class Registry:
    """Finds files by their address. Tokens are kept as hashes only."""

    def __init__(self) -> None:
        self._files: dict[bytes, ServedFile] = {}

    def __iter__(self) -> Iterator[ServedFile]:
        return iter(list(self._files.values()))

    def add(self, file: ServedFile) -> None:
        self._files[file.digest] = file

    def remove(self, file: ServedFile) -> bool:
        return self._files.pop(file.digest, None) is not None

    def find(self, path: str) -> ServedFile | None:
        """The file at `path`; None alike for unknown, withdrawn, expired and wrongly named ones."""
        parts = path.split("/")
        if len(parts) != 4 or parts[:2] != ["", ADDRESS_VERSION]:
            return None
        file = self._files.get(_digest(parts[2]))
        if file is None or unquote(parts[3], errors="surrogateescape") != file.name:
            return None
        return file if file.available else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
