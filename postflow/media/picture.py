"""One picture of a clip: made beside its transfer where PyAV is installed, kept by the clip's
revision. There is never a need for it: whoever shows a clip goes without where it is missing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager, suppress
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

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


def made_beside(media: MediaFile) -> AbstractAsyncContextManager[None]:
    """Make the clip's picture while the `async with` lasts. It is given up at the end."""
    return in_background(_make(media), "picture")


async def _make(media: MediaFile) -> None:
    """Whatever goes wrong, the clip goes without."""
    try:
        await make(media)
    except (PostFlowError, OSError, TimeoutError) as error:
        log.info("%s goes without a picture: %s", media.name, error or "it takes too long.")
    except Exception:
        log.exception("A fault of our own; %s goes without a picture:", media.name)


async def make(media: MediaFile) -> Path | None:
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
            jpegs = await _decoded(clip, container)
            if jpegs is None:
                return None
            if not await volume.ask(lambda: holds(clip.fileno(), media, by_content=True)):
                return None
    jpeg, small = jpegs
    if small:
        await asyncio.to_thread(write_private, path_of(media.revision, small=True), small)
    await asyncio.to_thread(write_private, path, jpeg)
    return path


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    with suppress(TimeoutError):  # one that hangs on a dead mount ends with the mount
        await asyncio.wait_for(process.wait(), ENDING_LIMIT)


async def _decoded(clip: BinaryIO, container: str) -> tuple[bytes, bytes] | None:
    """The picture and the small one, as the process says, which is no more to be trusted than the
    clip.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(SCRIPT),
        container,
        stdin=clip,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    assert process.stdout is not None
    try:
        said = b""
        while len(said) <= LARGEST + SMALL and (more := await process.stdout.read(LARGEST)):
            said += more
        if len(said) <= LARGEST + SMALL:
            await process.wait()
    finally:
        if process.returncode is None:
            await _end(process)
    end = said.rfind(JPEG)  # which no JPEG holds within itself
    jpeg, small = (said[:end], said[end:]) if end > 0 else (said, b"")
    fits = len(jpeg) <= LARGEST and len(small) <= SMALL
    return (jpeg, small) if jpeg.startswith(JPEG) and fits else None
