"""The processes that `postflow up` starts: none outlives it, and one that ends is started again."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Self

import psutil

from postflow.engine import parent
from postflow.errors import Fatal
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
# Seconds between two looks for the log.
LOOK = 1.0


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


class Part:
    """A process that runs until it is stopped; `command` is a module and its arguments.

    Whatever ends us ends it too, if it is one that calls `be_a_part`. Its group, by which leftovers
    are known, is the folder of its log.
    """

    def __init__(
        self,
        name: str,
        *command: str,
        log_path: Path,
        environment: Mapping[str, str] | None = None,
        limit: float = STOP_LIMIT,
        pauses: Sequence[float] = PAUSES,
        longest_log: int = LONGEST_LOG,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.process: psutil.Popen
        self.trouble: str | None = None
        self._command = command
        self._log_path = log_path
        self._old_log = log_path.with_name(f"{log_path.name}.1")
        self._longest_log = longest_log
        self._environment = environment
        self._limit = limit
        self._pass_fds = pass_fds
        self._pauses = pauses
        self._failures = 0
        self._started = 0.0
        self._due = 0.0
        self._aside: ThreadPoolExecutor
        self._ending: Future[None] | None = None

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Started, and stopped at the end. The log of the time before is kept as `….log.1`."""
        with suppress(FileNotFoundError):
            self._log_path.replace(self._old_log)
        self._start()
        with ThreadPoolExecutor(1, self.name) as self._aside:
            try:
                yield self
            finally:
                if self._ending is None:
                    self._stop()
                else:
                    self._ending.result()

    def look(self) -> None:
        """Start it again if it has ended, later each time; raises Fatal `up.ended` in the end,
        unless each time it ended for a reason that passes, as its exit code says. `trouble` says
        that it has ended several times.

        What it has left behind ends before that, and nobody is held up meanwhile.
        """
        code = self.process.poll()
        if code is None:
            if self.trouble and time.monotonic() - self._started > STEADY:
                self.trouble = None
            self._turn_log()
            return
        if self._ending is None:
            self._due = time.monotonic() + self._next_pause(code)
            self._ending = self._aside.submit(self._stop)
        elif self._ending.done() and time.monotonic() >= self._due:
            self._ending.result()
            self._start_again()

    def _start_again(self) -> None:
        try:
            self._start()
        except OSError as error:
            err.print(f"{self.name} cannot be started: {error}.", markup=False)
            self._due = time.monotonic() + self._pauses[-1]

    def _turn_log(self) -> None:
        """Kept under another name, or emptied where it cannot be; the process makes a new one."""
        with suppress(OSError):
            if self._log_path.stat().st_size > self._longest_log:
                try:
                    self._log_path.replace(self._old_log)
                except OSError:
                    os.truncate(self._log_path, 0)

    def _next_pause(self, code: int) -> float:
        if time.monotonic() - self._started > STEADY:
            self._failures = 0
        if self._failures == len(self._pauses) and code != Exit.RETRY:
            raise Fatal(
                f"PostFlow's {self.name} ends again and again. {self._last_words()}".rstrip(),
                hint=f"Mend what its log tells, and start `postflow up` again: {self._log_path}",
                code="up.ended",
            )
        pause = self._pauses[min(self._failures, len(self._pauses) - 1)]
        self._failures = min(self._failures + 1, len(self._pauses))
        told = f"{self.name} ended with code {code}; it is started again in {pause:.0f} s."
        told = f"{told} {self._last_words()}".rstrip()
        err.print(told, markup=False)
        if self._failures >= AGAIN:
            self.trouble = f"The {told} Its log: {self._log_path}"
        return pause

    def _last_words(self) -> str:
        """The error that the command told last, if it told one."""
        try:
            text = self._log_path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        told = [line[2:] for line in text.splitlines() if line.startswith("✗ ")]
        return told[-1] if told else ""

    def _start(self) -> None:
        ours = {parent.GROUP: str(self._log_path.parent), LOG: str(self._log_path)}
        with _opened(self._log_path, "ab") as log:
            self.process = psutil.Popen(
                [*PYTHON, *self._command],
                env={**(self._environment or os.environ), **ours},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=self._pass_fds,
            )
        self._started, self._ending = time.monotonic(), None

    def _stop(self) -> None:
        stop(self.process, limit=self._limit)
        self.process.stdin.close()


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
    _end(_group(process.pid), limit=limit)


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


def _group(leader: int) -> list[psutil.Process]:
    return [each for each in psutil.process_iter() if _leads(leader, each.pid)]


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
