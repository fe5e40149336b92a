"""The processes that `postflow up` starts: none outlives it, and one that ends is started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn, Self

import psutil

from postflow.engine import parent
from postflow.errors import Fatal
from postflow.language import N_
from postflow.outlet.ngrok.folder import end_orphan

from .console import Exit, err

# Never from the working directory, where somebody may keep a `tasks.py` of their own.
PYTHON = (sys.executable, "-P", "-m")
LOG = "POSTFLOW_LOG"
STOP_LIMIT = 15.0
# Seconds before each new start of a part that does not last.
PAUSES = (1.0, 5.0, 15.0, 30.0, 60.0)
# A part that ran for so many seconds works: when it ends, the pauses begin anew.
STEADY = 300.0
# The end after which people are told.
AGAIN = 3
# Bytes; what was logged before is kept once.
LONGEST_LOG = 20_000_000
# Seconds between two looks for a process, and for its log.
LOOK = 0.5
# Tells people a title and a text.
Tell = Callable[[str, str], Awaitable[None]]


def be_a_part(*, last: bool = False) -> None:
    """For the process that a Part starts: it ends with its parent, and minds its log."""
    parent.end_with_parent(last=last)
    if log := os.environ.pop(LOG, None):
        threading.Thread(target=_keep_log, args=(Path(log),), name="log", daemon=True).start()


def _keep_log(path: Path) -> None:
    """The file that stdout is: should somebody remove or rename it, it is made anew."""
    while True:
        time.sleep(LOOK)
        with suppress(OSError):  # tried again at the next look
            if not _is_stdout(path):
                with _opened(path, "ab") as log:
                    for stream in (1, 2):
                        os.dup2(log.fileno(), stream)


def _is_stdout(path: Path) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except FileNotFoundError:
        return False


@dataclass
class Part:
    """A process that runs until it is stopped; `command` is a module and its arguments.

    Whatever ends us ends it too, if it is one that calls `be_a_part`. Its group, by which leftovers
    are known, is the folder of its log.
    """

    name: str
    command: Sequence[str]
    log_path: Path
    environment: Mapping[str, str] | None = None
    limit: float = STOP_LIMIT
    pauses: Sequence[float] = PAUSES
    longest_log: int = LONGEST_LOG
    pass_fds: Sequence[int] = ()
    process: psutil.Popen = field(init=False)

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Started, and stopped at the end. The log of the time before is kept as `….log.1`."""
        with suppress(FileNotFoundError):
            self.log_path.replace(self._old_log)
        self._start()
        try:
            yield self
        finally:
            self._stop()

    async def keep_running(self, tell: Tell) -> NoReturn:
        """Until cancelled: start it again when it has ended, after what it has left behind has, and
        later each time. Raises Fatal `up.ended` in the end, unless each time it ended for a reason
        that passes, as its exit code says.
        """
        failures = 0
        while True:
            started = time.monotonic()
            code = await self._end()
            failures = 1 if time.monotonic() - started > STEADY else failures + 1
            pause = await self._next_pause(code, failures, tell)
            await asyncio.gather(asyncio.to_thread(self._stop), asyncio.sleep(pause))
            await self._start_again()

    def restart(self) -> None:
        """End it, if it runs just now: `keep_running` starts it again."""
        with suppress(psutil.NoSuchProcess):
            self.process.terminate()

    async def _end(self) -> int:
        while (code := self.process.poll()) is None:
            self._turn_log()
            await asyncio.sleep(LOOK)
        return int(code)

    async def _next_pause(self, code: int, failures: int, tell: Tell) -> float:
        """In seconds; people hear of the end after which that is no accident any more."""
        if failures > len(self.pauses) and code != Exit.RETRY:
            fatal = Fatal(
                N_("PostFlow's {name} ends again and again. {words}"),
                hint=N_("Mend what its log tells, and start `postflow up` again: {log}"),
                code="up.ended",
                name=self.name,
                words=self._last_words(),
                log=self.log_path,
            )
            await tell(N_("PostFlow has stopped"), fatal.whole)
            raise fatal
        pause = self.pauses[min(failures, len(self.pauses)) - 1]
        text = N_(
            "{name} {ended}; it is started again in {pause:.0f} s. {words}",
            name=self.name,
            ended=_how_it_ended(code),
            pause=pause,
            words=self._last_words(),
        )
        err.print(text, markup=False)
        if failures == AGAIN:
            log = N_("The {text} Its log: {log}", text=text, log=self.log_path)
            await tell(N_("A part of PostFlow does not last"), log)
        return pause

    async def _start_again(self) -> None:
        """Later where it cannot be, as when memory is short."""
        while True:
            try:
                return self._start()
            except OSError as error:
                err.print(f"{self.name} cannot be started: {error}.", markup=False)
                await asyncio.sleep(self.pauses[-1])

    @property
    def _old_log(self) -> Path:
        return self.log_path.with_name(f"{self.log_path.name}.1")

    def _turn_log(self) -> None:
        """Kept under another name, or emptied where it cannot be; the process makes a new one."""
        with suppress(OSError):
            if self.log_path.stat().st_size > self.longest_log:
                try:
                    self.log_path.replace(self._old_log)
                except OSError:
                    os.truncate(self.log_path, 0)

    def _last_words(self) -> str:
        """The error that the command told last, if it told one."""
        try:
            text = self.log_path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        told = [line[2:] for line in text.splitlines() if line.startswith("✗ ")]
        return told[-1] if told else ""

    def _start(self) -> None:
        ours = {parent.GROUP: str(self.log_path.parent), LOG: str(self.log_path)}
        with _opened(self.log_path, "ab") as log:
            self.process = psutil.Popen(
                [*PYTHON, *self.command],
                env={**(self.environment or os.environ), **ours},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=self.pass_fds,
            )

    def _stop(self) -> None:
        stop(self.process, limit=self.limit)
        self.process.stdin.close()


def _how_it_ended(code: int) -> str:
    """A negative code is a signal's number."""
    if code >= 0:
        return N_("ended with code {code}", code=code)
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        return N_("was killed ({signal}), as the system does when memory is short", signal=name)
    return N_("was ended from outside ({signal})", signal=name)


def _opened(log: Path, mode: str) -> IO[bytes]:
    """For its owner only, whoever may look into its folder. Where it cannot be, nothing is kept."""
    try:
        return open(log, mode, opener=lambda path, flags: os.open(path, flags, 0o600))
    except OSError:
        return open(os.devnull, mode)  # noqa: PTH123


def stop(process: psutil.Popen, *, limit: float = STOP_LIMIT) -> None:
    """End a child and all of its children: asked first, then made after `limit` seconds.

    It leads a process group of its own, by which those are known whose parent has died already.
    """
    with suppress(psutil.NoSuchProcess):
        _end([process], and_then=process.children(recursive=True), limit=limit)
    group = [each for each in psutil.process_iter() if _leads(process.pid, each.pid)]
    _end(group, limit=limit)


def _end(
    asked: Sequence[psutil.Process], *, and_then: Sequence[psutil.Process] = (), limit: float
) -> None:
    for each in asked:
        with suppress(psutil.NoSuchProcess):
            each.terminate()
    _, alive = psutil.wait_procs([*asked, *and_then], timeout=limit)
    for survivor in alive:
        with suppress(psutil.NoSuchProcess):
            survivor.kill()
    psutil.wait_procs(alive, timeout=STOP_LIMIT)


def _leads(leader: int, pid: int) -> bool:
    try:
        return os.getpgid(pid) == leader
    except OSError:
        return False


def end_leftovers(group: Path) -> None:
    """Wait for the parts of an `up` that was killed to end, and end those that do not."""
    if not parent.processes_of(str(group)):
        return
    err.print("An earlier `postflow up` was killed; waiting for what it has left to end …")
    deadline = time.monotonic() + parent.GRACE
    while (left := parent.processes_of(str(group))) and time.monotonic() < deadline:
        time.sleep(0.1)
    for orphan in left:
        end_orphan(orphan)
