"""From an open file into a socket, in the kernel, at the pace of whoever reads.

`loop.sendfile` would do, but tells neither how far it got, nor that it stopped, nor that the file
ended early.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable

MOST_AT_ONCE = 4 << 20
COPIED_AT_ONCE = 256 << 10
TICK = 1.0

# What sendfile(2) says of file systems that cannot do it (ENOTSUP: SMB on macOS).
NO_SENDFILE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)

Sent = Callable[[int, int], None]


class EndedEarlyError(Exception):
    """The file is shorter than it was."""


class StalledError(Exception):
    """The reader took nothing for too long."""


class Sending:
    """One stretch of a file on its way into one socket. `sent` hears of every piece."""

    def __init__(self, sock: socket.socket, descriptor: int, sent: Sent, *, copy: bool) -> None:
        self._socket = sock
        self._descriptor = descriptor
        self._sent = sent
        self._copy = copy
        self._position = self._stop = 0

    async def send(self, start: int, stop: int, *, idle: float, tick: Callable[[], None]) -> None:
        """Send `start` up to `stop`; `tick` is called about each second and may raise.

        Raises EndedEarlyError, StalledError after `idle` seconds without progress, OSError.
        """
        self._position, self._stop = start, stop
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        loop.add_writer(self._socket.fileno(), self._push, done)
        try:
            await self._watch(done, idle, tick)
        finally:
            loop.remove_writer(self._socket.fileno())
            done.cancel()
        done.result()

    async def _watch(
        self, done: asyncio.Future[None], idle: float, tick: Callable[[], None]
    ) -> None:
        clock = asyncio.get_running_loop().time
        seen, seen_at = self._position, clock()
        while True:
            await asyncio.wait({done}, timeout=min(TICK, idle))
            if done.done():
                return
            if self._position != seen:
                seen, seen_at = self._position, clock()
            elif clock() - seen_at >= idle:
                raise StalledError
            tick()

    def _push(self, done: asyncio.Future[None]) -> None:
        """The socket has room."""
        try:
            count = self._send_some()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._stop_pushing(done, error)
            return
        self._sent(self._position, self._position + count)
        self._position += count
        if count == 0:
            self._stop_pushing(done, EndedEarlyError())
        elif self._position == self._stop:
            self._stop_pushing(done, None)

    def _stop_pushing(self, done: asyncio.Future[None], error: Exception | None) -> None:
        asyncio.get_running_loop().remove_writer(self._socket.fileno())
        if done.done():
            return
        if error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def _send_some(self) -> int:
        left = self._stop - self._position
        if not self._copy:
            try:
                return os.sendfile(
                    self._socket.fileno(), self._descriptor, self._position, min(left, MOST_AT_ONCE)
                )
            except OSError as error:
                if error.errno not in NO_SENDFILE:
                    raise
                self._copy = True
        data = os.pread(self._descriptor, min(left, COPIED_AT_ONCE), self._position)
        return self._socket.send(data) if data else 0
