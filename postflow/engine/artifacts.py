"""What runs show in Prefect's UI: slips, progress, tables, their names, and our log lines."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import time
from collections import deque
from typing import NoReturn
from uuid import UUID

from prefect import get_client
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.client.schemas import sorting
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler
from rich.filesize import decimal

from postflow.delivery.record import DeliveryRecord
from postflow.errors import PostFlowError
from postflow.language import where_to_type
from postflow.ledger.process import host_of, this_machine
from postflow.media import picture
from postflow.models import IN_WORDS, Delivery, Drained, MediaFile
from postflow.outlet import Served

from .runs import best_effort, find_runs
from .studio import ClipProgress

log = logging.getLogger("postflow.deliver")


async def leave_slip(delivery: Delivery) -> None:
    """A markdown artifact with the link, under a key that gathers the clip's history."""
    name = delivery.media.name
    shown = await asyncio.to_thread(picture.load, delivery.media.revision, small=True)
    async with best_effort(f"the slip of {name}"):
        await acreate_markdown_artifact(
            slip(delivery, shown), key=_key(name), description=f"Slip of {name}"
        )


async def leave_refusal(name: str, why: PostFlowError, *, waits: bool) -> None:
    """Why the clip was not delivered and what a person can do, under the key of its slips.

    `waits`: it goes by itself once that is done.
    """
    verdict, then = ("Not yet", " It goes by itself then.") if waits else ("Not", "")
    text = f"# {_plain(name)}\n\n**{verdict} delivered.** {_plain(why.message)}\n\n"
    remedy = f"{why.hint}{then} {where_to_type(why.hint)}".rstrip()
    text += f"**What to do:** {_plain(remedy)}\n\n`{why.code}`\n"
    async with best_effort(f"the slip of {name}"):
        await acreate_markdown_artifact(text, key=_key(name), description=f"Why not: {name}")


def slip(delivery: Delivery, shown: bytes | None = None) -> str:
    """The slip's markdown with the small picture: Prefect keeps each slip twice in its database."""
    seconds = (delivery.finished - delivery.started).total_seconds()
    rows = {
        "File": f"{_plain(delivery.media.name)}",
        "Sequence": _plain(delivery.shot.sequence or "none"),
        "Shot": _plain(delivery.shot.shot_name or "none"),
        "Version": _plain(delivery.shot.version or "none"),
        "Folder": _plain(delivery.folder.label),
        "Size": decimal(delivery.media.size),
        "Delivery": "already in Frame.io" if delivery.adopted else f"{seconds:.0f} s",
        "Way": IN_WORDS[delivery.way] if delivery.way else "none: it was there",
        "Host": _plain(host_of(this_machine())),
        "Frame.io id": f"`{delivery.file_id}`",
    }
    if delivery.stack_follows:
        rows["Version stack"] = "follows; `postflow status` says when it is there"
    head, *body = (f"| {name} | {value} |" for name, value in rows.items())
    table = "\n".join([head, "|---|---|", *body])
    title = f"# {_plain(delivery.media.name)}\n\n[Open in Frame.io]({delivery.view_url})\n\n"
    return f"{title}{_notes(delivery)}{table}\n{_image(shown)}"


def _notes(delivery: Delivery) -> str:
    """Not in the table, whose cells Prefect's UI cuts off."""
    doubt, detour = delivery.media.doubt, delivery.detour
    notes = [f"Please check: the file {doubt}."] if doubt else []
    notes += [f"Not through the tunnel: {detour}"] if detour else []
    return "".join(f"{_plain(note)}\n\n" for note in notes)


def _image(shown: bytes | None) -> str:
    if shown is None:
        return ""
    return f"\n![One frame](data:image/jpeg;base64,{base64.b64encode(shown).decode()})\n"


def _plain(text: str) -> str:
    """Names are hostile input: nothing of them is markup."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~])", r"\\\1", text)


def _key(name: str) -> str:
    return "clip-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


# Seconds: between two notes, that a rate is an average of, and that a note may hold up a transfer.
NOTE_PAUSE = 3.0
WINDOW = 15.0
LONGEST_NOTE = 1.0


class Pace:
    """Called with the bytes that have left so far. At most one note is under way at a time."""

    def __init__(self, record: DeliveryRecord) -> None:
        self._record = record
        self._seen: deque[tuple[float, int]] = deque()
        self._noted: tuple[int, float] | None = None
        self._noted_at = -NOTE_PAUSE
        self._noting: asyncio.Task[None] | None = None

    async def __call__(self, sent: int) -> None:
        rate = self._rate(sent)
        now = time.monotonic()
        if now - self._noted_at < NOTE_PAUSE or (self._noting and not self._noting.done()):
            return
        self._noted_at = now
        if self._noted == (sent, rate) == (sent, 0.0):  # it stands still, and that is noted
            return
        self._noted = sent, rate
        self._noting = asyncio.create_task(self._record.note_progress(sent, rate), name="pace")
        await asyncio.wait([self._noting], timeout=LONGEST_NOTE)

    def _rate(self, sent: int) -> float:
        """Bytes a second, of the last seconds."""
        now = time.monotonic()
        self._seen.append((now, sent))
        while self._seen[0][0] < now - WINDOW:
            self._seen.popleft()
        began, before = self._seen[0]
        return (sent - before) / (now - began) if now > began else 0.0


PAUSE = 1.0


class Progress:
    """Called with what was served; tells the UI at most once a second, and `also` each time.

    The ledger has it for who asks elsewhere. A clip that is gone within a second has no bar.
    """

    def __init__(
        self, media: MediaFile, record: DeliveryRecord, *, also: ClipProgress | None
    ) -> None:
        self._media = media
        self._pace = Pace(record)
        self._also = also
        self._artifact: UUID | None = None
        self._told = -1.0
        self._told_at = time.monotonic()

    async def __call__(self, served: Served) -> None:
        if self._also:
            await self._also(self._media, served)
        await self._pace(served.bytes_covered)
        percent = round(100 * served.bytes_covered / max(served.total, 1), 1)
        is_last = percent >= 100 and self._artifact is not None
        is_time = time.monotonic() - self._told_at >= PAUSE
        if percent != self._told and (is_time or is_last):
            # a server that is away delays no transfer: the bar stands still meanwhile
            async with best_effort("the progress", level=logging.DEBUG):
                await self._tell(percent)

    async def _tell(self, percent: float) -> None:
        self._told, self._told_at = percent, time.monotonic()
        if self._artifact is None:
            self._artifact = await acreate_progress_artifact(
                percent, description=f"{self._media.name}: bytes on their way to Frame.io"
            )
        else:
            await aupdate_progress_artifact(self._artifact, percent)


async def leave_tally(studio: str, drained: Drained) -> None:
    """A row a clip; nothing when nothing was ready."""
    rows = [
        {"clip": name, "outcome": outcome.replace("_", " "), "link or reason": told}
        for outcome, clips in drained
        for name, told in clips.items()
    ]
    if rows:
        key = "ingest-" + re.sub(r"[^a-z0-9]+", "-", studio.lower())
        async with best_effort("the table of this run"):
            await acreate_table_artifact(rows, key=key, description=f"What ingest {studio} came to")


# Seconds between two looks for runs without their name, and how many are named at most.
NAMING_PAUSE = 20.0
MOST = 50
NOT_BEGUN = [StateType.SCHEDULED, StateType.CANCELLED]


async def name_runs_to_come(deployment: UUID, name: str) -> NoReturn:
    """Until cancelled. Prefect calls a run that has not begun by two random words."""
    while True:
        async with best_effort("the names of runs to come", level=logging.DEBUG):
            await _name_runs(deployment, name)
        await asyncio.sleep(NAMING_PAUSE)


async def _name_runs(deployment: UUID, name: str) -> None:
    newest = sorting.FlowRunSort.EXPECTED_START_TIME_DESC
    async with get_client() as client:
        runs = await find_runs(client, NOT_BEGUN, deployment=deployment, sort=newest, limit=MOST)
        for run in runs:
            if run.name != name:
                await client.update_flow_run(run.id, name=name)


def show_in_ui() -> None:
    """Send the `postflow` loggers' lines to Prefect, once a process; calling it again is free."""
    logger = logging.getLogger("postflow")
    if any(isinstance(handler, APILogHandler) for handler in logger.handlers):
        return
    handler = APILogHandler()
    handler.addFilter(_inside_a_run)
    logger.addHandler(handler)
    for of_prefect in ("prefect.task_runs", "prefect.flow_runs"):
        logging.getLogger(of_prefect).addFilter(_to_the_point)
    logger.setLevel(logging.INFO)


# Of our flows' stages; that a clip's run has failed is the same words as our own line before it.
SAID = {
    "prefect.task_runs": ("Finished in state", "Crash detected!"),
    "prefect.flow_runs": ("Finished in state Failed(",),
}


def _to_the_point(record: logging.LogRecord) -> bool:
    """How a stage ended stands in its run, and why in ours. Errors of ours carry their remedy, so
    their traceback is left out.
    """
    if record.exc_info and isinstance(record.exc_info[1], PostFlowError):
        record.exc_info = None
    of_clip = getattr(record, "flow_name", None) == "deliver"
    return not (of_clip and record.getMessage().startswith(SAID[record.name]))


def _inside_a_run(_: logging.LogRecord) -> bool:
    """Threads of our servers have no run; what they log stays on this machine."""
    return bool(TaskRunContext.get() or FlowRunContext.get())
