"""How a folder is watched between scans: by the kernel's events where it has them.

An event is a hint that it is time to scan. It may come late, too often or never.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import watchfiles

from postflow.errors import Fatal
from postflow.language import N_
from postflow.media import volume
from postflow.media.ignore import SHIPPED_ONLY
from postflow.media.volume import file_system_of
from postflow.models import nfc
from postflow.settings import Watching
from postflow.stop import in_background

from .root import MARKER, AbsentError, missing, read_mark, unread

log = logging.getLogger(__name__)

RETRY_AFTER = 30.0
STEP_MS = 50
# How often it is asked whether the kernel could take on every folder, new ones among them.
ASK_MS = 10_000
LIMITS = Path("/proc/sys/fs/inotify")

INSPECTION_TIMEOUT = 15.0
HasEvents = Callable[[Path], bool]


def has_events(root: Path) -> bool:
    """Whether the kernel tells of all that happens in a folder. Blocking."""
    return file_system_of(root).has_events


def is_spent(root: Path) -> bool:
    """Has this user as many watches as the kernel grants? Blocking.

    `watchfiles` must skip folders that may not be read, and then does not say either when the
    kernel refuses one for that reason.
    """
    try:
        asking = watchfiles.watch(root, recursive=False, yield_on_timeout=True, rust_timeout=1)
        next(asking, None)
    except PermissionError:
        return False
    except (OSError, RuntimeError):
        return volume.is_folder(root)
    return False


def spent(root: Path) -> str:
    """What a person should know of it, and can do."""
    return N_(
        "This machine grants no more inotify watches or instances, so new clips in {root} are not "
        "told at once; they are found all the same, by scans. Raise {limits}/max_user_watches and "
        "max_user_instances, as in: sudo sysctl fs.inotify.max_user_watches=1048576 "
        "fs.inotify.max_user_instances=1024",
        root=root,
        limits=LIMITS,
    )


class Wakeup:
    """Waits for a change or for time to pass, whichever is first.

    Only names that appear wake it: growth would wake it all day long. Files that were written to
    are remembered for the next scan, though: one at rest would otherwise be overwritten unseen.
    """

    def __init__(self, has_events: HasEvents = has_events) -> None:
        self._has_events = has_events
        self._changed: defaultdict[Path, asyncio.Event] = defaultdict(asyncio.Event)
        self._touched: dict[Path, set[str]] = {}
        self._stops: dict[Path, asyncio.Event] = {}
        self._spent: set[Path] = set()
        self._news: list[str] = []

    async def wait(self, root: Path, timeout: float, *, at_least: float = 0.5) -> bool:
        """True if something appeared under a root within `timeout` seconds.

        Returns no sooner than after `at_least` seconds, so that a flood makes few scans.
        """
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(at_least)
                await self._changed[root].wait()
        except TimeoutError:
            return self._take(root)
        return self._take(root)

    def notify(self, root: Path) -> None:
        """Wake whoever waits for a root. For callers on the loop's own thread."""
        self._changed[root].set()

    def touched(self, root: Path) -> set[str]:
        """The files under a root that appeared or were written to since last asked: relpaths."""
        return self._touched.pop(root, set())

    def news(self) -> list[str]:
        """What a person should hear of the events; each once while it lasts."""
        news, self._news = self._news, []
        return news

    def rearm(self, root: Path) -> None:
        """Its volume went away and came back: watch the new one."""
        if root in self._stops:
            self._stops[root].set()

    def _take(self, root: Path) -> bool:
        woken = self._changed[root].is_set()
        self._changed[root].clear()
        return woken

    async def watch(self, root: Path) -> None:
        """Follow the events of one root until cancelled. Never raises for what the root does."""
        complained = False
        while True:
            stop = self._stops[root] = asyncio.Event()
            try:
                if await volume.ask(lambda: self._has_events(root)):
                    await self._follow(root, stop)
                else:
                    await stop.wait()
                complained = False
            except Exception as error:
                if not complained:
                    unforeseen = None if isinstance(error, OSError | RuntimeError) else error
                    text = "No events from %s (%s): it is scanned by the clock."
                    log.warning(text, root, error, exc_info=unforeseen)
                complained = True
                await self._ask_whether_spent(root)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RETRY_AFTER)

    async def _follow(self, root: Path, stop: asyncio.Event) -> None:
        """Wake for what appears, until told to stop. OSError if the root is not there."""
        # With ignore_permission_denied, watchfiles says nothing about a missing root.
        real = await volume.ask(lambda: os.path.realpath(root, strict=True))
        async for changes in watchfiles.awatch(
            real,
            watch_filter=_concerns_us,
            step=STEP_MS,
            stop_event=stop,
            force_polling=False,
            ignore_permission_denied=True,
            yield_on_timeout=True,
            rust_timeout=ASK_MS,
        ):
            if not changes:
                await self._ask_whether_spent(root)
            self._touched.setdefault(root, set()).update(
                nfc(at.removeprefix(real).removeprefix("/")) for _, at in changes
            )
            if any(change is watchfiles.Change.added for change, _ in changes):
                self.notify(root)

    async def _ask_whether_spent(self, root: Path) -> None:
        """Of many folders the kernel may refuse some, and tells of the others all the same."""
        if not await volume.ask(lambda: is_spent(root)):
            self._spent.discard(root)
        elif root not in self._spent:
            self._spent.add(root)
            self._news.append(spent(root))
            log.warning("%s", self._news[-1])


@asynccontextmanager
async def wakeup(*roots: Path, has_events: HasEvents = has_events) -> AsyncIterator[Wakeup]:
    """Watch those roots that have events; volumes that other hosts write to have none."""
    waker = Wakeup(has_events)
    async with AsyncExitStack() as stack:
        for root in roots:
            await stack.enter_async_context(in_background(waker.watch(root), f"events of {root}"))
        yield waker


def _concerns_us(change: watchfiles.Change, path: str) -> bool:
    return change is not watchfiles.Change.deleted and not SHIPPED_ONLY.may_pass_over(
        Path(path).name
    )


UNMARKED = N_(
    "If it was watched before, its volume is not mounted. If it is new, the first `postflow up` "
    "puts the marker there."
)


async def inspect(
    folder: Path, watching: Watching, *, timeout: float = INSPECTION_TIMEOUT
) -> str | tuple[str, str]:
    """How the folder is watched; with a hint where somebody may have something to do.

    Raises Fatal `scan.root_missing`, Retry `scan.unread` or `volume.hangs`, the latter when its
    volume does not answer for `timeout` seconds.
    """
    return await volume.ask_in_time(lambda: _inspected(folder, watching), folder, timeout=timeout)


def _inspected(folder: Path, watching: Watching) -> str | tuple[str, str]:
    _demand_readable(folder)
    if not os.path.lexists(folder / MARKER):
        bare = N_("there, but without its marker {marker}; {how}")
        return N_(bare, marker=MARKER, how=_manner(folder, watching)), UNMARKED
    try:
        read_mark(folder)
    except AbsentError as error:
        raise Fatal(
            "{folder}: {why}.",
            hint="If this is the right folder, delete its {marker} and start `postflow up`.",
            code="scan.root_missing",
            folder=folder,
            why=error.args[0],
            marker=MARKER,
        ) from error
    manner = N_("there; {how}", how=_manner(folder, watching))
    if file_system_of(folder).has_events and is_spent(folder):
        return manner, spent(folder)
    return manner


def _demand_readable(folder: Path) -> None:
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise missing(N_("There is no folder {folder}.", folder=folder)) from error
    except OSError as error:
        raise unread(folder, error) from error


def _manner(folder: Path, watching: Watching) -> str:
    found = file_system_of(folder)
    disk = N_("a local disk") if found.kind == "local" else N_("a network mount")
    hurry = (
        N_("as soon as something happens there, else") if found.has_events else N_("by the clock,")
    )
    quiet = watching.quiet or found.quiet
    return N_(
        "{disk} ({type}), looked at {hurry} every {interval:g} s; a file has to stand still for "
        "{quiet:g} s",
        disk=disk,
        type=found.type,
        hurry=hurry,
        interval=watching.interval,
        quiet=quiet,
    )
