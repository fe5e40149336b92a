"""One picture of a clip: made beside its transfer where PyAV is installed, kept by the clip's
revision. There is never a need for it: whoever shows a clip goes without where it is missing.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from postflow.errors import PostFlowError
from postflow.models import MediaFile
from postflow.state import state_dir, sweep, write_private
from postflow.stop import in_background

from . import volume
from .probe import holds, open_clip

log = logging.getLogger(__name__)

SCRIPT = Path(__file__).with_name("frame.py")
# FFmpeg's name of each container, so that it guesses none.
CONTAINERS = {".mov": "mov", ".mp4": "mov", ".mxf": "mxf", ".avi": "avi", ".mkv": "matroska"}
LARGEST, SMALL = 100_000, 8_000
# Bytes of what the process is asked, as its script has it.
LINE = 32
LIMIT = 20.0
ENDING_LIMIT = 2.0
JPEG = b"\xff\xd8\xff"


def can_be_made() -> bool:
    """Is there a decoder?"""
    return find_spec("av") is not None


def path_of(revision: str, *, small: bool = False) -> Path:
    """Where the picture of that revision is, if there is one; or the small one beside it."""
    return state_dir() / "pictures" / f"{revision}{'.small' if small else ''}.jpg"


def load(revision: str, *, small: bool = False) -> bytes | None:
    """The picture, where this machine has it. Blocking."""
    try:
        return path_of(revision, small=small).read_bytes() or None
    except OSError:
        return None


def forget_all_but(revisions: Collection[str], *, older: timedelta) -> int:
    """Remove pictures of other revisions, made so long ago; how many. Blocking."""
    kept = (state_dir() / "pictures").glob("*.jpg")
    others = (each for each in kept if each.name.partition(".")[0] not in revisions)
    return sweep(others, older=older)


class Pictures:
    """Makes them, by one process that imports the decoder for all. Live: `async with`."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._starting = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._asks: socket.socket | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """What is still decoded is ended by that process."""
        if self._asks and self._process:
            self._asks.close()
            try:
                await asyncio.wait_for(self._process.wait(), ENDING_LIMIT)
            except TimeoutError:
                self._process.kill()

    def made_beside(self, media: MediaFile) -> AbstractAsyncContextManager[None]:
        """Make the clip's picture while the `async with` lasts. It is given up at the end."""
        return in_background(self._make(media), "picture")

    async def _make(self, media: MediaFile) -> None:
        """Whatever goes wrong, the clip goes without."""
        try:
            await self.make(media)
        except (PostFlowError, OSError, TimeoutError) as error:
            log.info("%s goes without a picture: %s", media.name, error or "it takes too long.")
        except Exception:
            log.exception("A fault of our own; %s goes without a picture:", media.name)

    async def make(self, media: MediaFile) -> Path | None:
        """The picture, unless there is no decoder, nothing to see, or another content by now.

        Raises PostFlowError, OSError, TimeoutError.
        """
        path, container = path_of(media.revision), CONTAINERS.get(media.path.suffix.lower())
        if container is None or not can_be_made():
            return None
        if path.exists():
            return path
        async with asyncio.timeout(LIMIT):
            with await volume.ask(lambda: os.fdopen(open_clip(media.path), "rb")) as clip:
                async with self._decoding(clip.fileno(), container) as said:
                    jpegs = await _pictures(said)
                if jpegs is None:
                    return None
                if not await volume.ask(lambda: holds(clip.fileno(), media, by_content=True)):
                    return None
        jpeg, small = jpegs
        if small:
            await asyncio.to_thread(write_private, path_of(media.revision, small=True), small)
        await asyncio.to_thread(write_private, path, jpeg)
        return path

    @asynccontextmanager
    async def _decoding(self, clip: int, container: str) -> AsyncIterator[asyncio.StreamReader]:
        """What a process says that decodes the clip; it ends with the block."""
        asks, number = await self._started(), next(self._numbers)
        ours, theirs = socket.socketpair()
        said, writer = await asyncio.open_connection(sock=ours)
        try:
            with theirs:
                _ask(asks, f"make {number} {container}", clip, theirs.fileno())
            yield said
        finally:
            writer.close()
            with suppress(OSError):
                _ask(asks, f"end {number}")

    async def _started(self) -> socket.socket:
        """Where to ask. The process ends where nothing was asked for long."""
        async with self._starting:
            if self._asks is None or self._process is None or self._process.returncode is not None:
                if self._asks:
                    self._asks.close()
                self._asks, theirs = socket.socketpair()
                self._asks.setblocking(False)
                command = sys.executable, "-I", str(SCRIPT)
                nowhere = asyncio.subprocess.DEVNULL
                with theirs:
                    self._process = await asyncio.create_subprocess_exec(
                        *command, stdin=theirs.fileno(), stdout=nowhere, stderr=nowhere, env={}
                    )
            return self._asks


def _ask(asks: socket.socket, line: str, *files: int) -> None:
    socket.send_fds(asks, [line.encode().ljust(LINE)], files)


async def _pictures(said: asyncio.StreamReader) -> tuple[bytes, bytes] | None:
    """The picture and the small one, as the process says, which is no more to be trusted than the
    clip.
    """
    both = b""
    while len(both) <= LARGEST + SMALL and (more := await said.read(LARGEST)):
        both += more
    end = both.rfind(JPEG)  # which no JPEG holds within itself
    jpeg, small = (both[:end], both[end:]) if end > 0 else (both, b"")
    fits = len(jpeg) <= LARGEST and len(small) <= SMALL
    return (jpeg, small) if jpeg.startswith(JPEG) and fits else None
