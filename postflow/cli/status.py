"""`postflow status`, `history` and `retry`: what became of each clip."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape

from postflow.errors import PostFlowError, Retry
from postflow.folder.enrolment import why_not_watched
from postflow.ledger import (
    Clip,
    Ledger,
    NamedClip,
    Phase,
    State,
    observations,
    outages,
    outbox,
    queries,
    retrying,
)
from postflow.media import volume
from postflow.media.kinds import UNREAD
from postflow.service.console import Exit, err, out, print_json, tell_doubt, tell_warning
from postflow.service.engine import prepare_prefect

from .app import JsonOption, StudioOption, app
from .news import tell_untold, untold_as_json

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio

# In the order of the journey; what is over without a person is left out.
SHOWN = (Phase.WAITING, Phase.ON_ITS_WAY, Phase.FAILED, Phase.SKIPPED, Phase.DELIVERED)

# Seconds for a volume to answer.
HANGS = 5.0

LimitOption = Annotated[int, typer.Option(help="At most so many clips of a kind.", min=1)]


@app.command()
def status(
    studio: StudioOption = "main", limit: LimitOption = 50, json: JsonOption = False
) -> None:
    """What settles, waits, is on its way, failed and what to do, was skipped and why, arrived."""
    block = _studio(studio)
    with Ledger.open(block.ledger) as ledger:
        away = asyncio.run(folders_away(ledger, studio, block.watching.folders))
        sign_in = asyncio.run(block.adobe.why_to_sign_in())
        tell_status(ledger, studio, away=away, sign_in=sign_in, limit=limit, json=json)


async def folders_away(ledger: Ledger, studio: str, folders: Sequence[Path]) -> list[Retry]:
    """Why watch folders cannot be looked at from this machine, for each that cannot."""
    answers = await asyncio.gather(*(_why_not_watched(ledger, studio, each) for each in folders))
    return [answer for answer in answers if answer]


async def _why_not_watched(ledger: Ledger, studio: str, folder: Path) -> Retry | None:
    asking = volume.ask(lambda: why_not_watched(ledger, studio, folder))
    try:
        return await volume.in_time(asking, folder, patience=HANGS)
    except Retry as hangs:
        return hangs


def tell_status(
    ledger: Ledger,
    studio: str,
    *,
    away: Sequence[Retry] = (),
    sign_in: PostFlowError | None = None,
    limit: int = 50,
    json: bool = False,
) -> None:
    """The latest `limit` clips of each phase; what needs a person does not drown in deliveries."""
    counts = queries.counts(ledger, studio)
    untold = outbox.unannounced(ledger, studio)
    in_the_way = outages.current(ledger, studio)
    settling = queries.unsettled(ledger, studio=studio, limit=limit)
    clips = [
        c for each in SHOWN for c in queries.rows(ledger, studio=studio, phase=each, limit=limit)
    ]
    if json:
        print_json(
            {
                "away": [{"reason": lost.message, "hint": lost.hint} for lost in away],
                "sign_in": sign_in and {"reason": sign_in.message, "hint": sign_in.hint},
                "in_the_way": in_the_way,
                "counts": counts,
                "untold": untold_as_json(untold, studio=studio),
                "others": observations.others(ledger, studio),
                "settling": [each.model_dump(mode="json") for each in settling],
                "clips": [each.model_dump(mode="json") for each in clips],
            }
        )
        return
    for trouble in (*away, *([sign_in] if sign_in else [])):
        tell_warning(trouble, out)
    for reason in in_the_way.values():
        out.print(f"[yellow]![/yellow] Clips wait for this: {escape(reason)}")
    told = [f"{counts[phase]} {phase}" for phase in Phase if counts[phase]]
    out.print(", ".join(told) or "No clip has been seen yet.")
    tell_untold(untold, studio=studio)
    others = observations.others(ledger, studio)
    if unread := others.pop(UNREAD, 0):
        what = "Files and folders that cannot be read, or whose names cannot travel"
        tell_doubt(f"{what}: {unread}.", f"postflow scan --studio {studio} names them.", out)
    if others:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(others.items()))
        out.print(f"  no clips    {kinds}", markup=False)
    for each in settling:
        word = Phase.REFUSED if each.refused else Phase.SETTLING
        out.print(f"  {word:<10}  {each.relpath}: {each.note or 'just seen'}", markup=False)
    for clip, name in _names(clips):
        _tell(clip, name)


@app.command()
def history(
    studio: StudioOption = "main", limit: LimitOption = 50, json: JsonOption = False
) -> None:
    """When each clip was delivered, how long it took, and its link."""
    with _ledger(studio) as ledger:
        tell_history(ledger, studio, limit=limit, json=json)


def tell_history(ledger: Ledger, studio: str, *, limit: int = 50, json: bool = False) -> None:
    """Deliveries, the last one first."""
    clips = queries.rows(ledger, studio=studio, phase=Phase.DELIVERED, limit=limit)
    if json:
        print_json([each.model_dump(mode="json") for each in clips])
        return
    for clip, name in _names(clips):
        facts = f"{_when(clip)}  {_took(clip):>6}  {decimal(clip.size):>8}"
        out.print(f"{facts}  {name}  {_link(clip)}".rstrip(), markup=False)
    if not clips:
        out.print("No clip has been delivered yet.")


@app.command()
def retry(
    name: Annotated[str | None, typer.Argument(help="A file's name, or its path.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed.")] = False,
    messages: Annotated[
        bool, typer.Option("--messages", help="Also what Discord may not have got.")
    ] = False,
    told: Annotated[
        bool,
        typer.Option("--told", help="What Discord may not have got is there, or not missed."),
    ] = False,
    studio: StudioOption = "main",
) -> None:
    """Try clips again that failed, were skipped or were put off, or are gone from Frame.io.

    The next ingest takes them up.
    """
    if not (name or failed or messages or told):
        raise typer.BadParameter("give a NAME, --failed, --messages or --told")
    block = _studio(studio)
    with Ledger.open(block.ledger) as ledger:
        if told:
            out.print(f"Messages taken for told: {outbox.mark_sent(ledger, studio=studio)}.")
            if not (name or failed or messages):
                return
        found = try_again(
            ledger,
            studio,
            name=name,
            failed=failed,
            messages=messages,
            folders=block.watching.folders,
            is_gone=lambda clip: asyncio.run(_is_gone(block, clip)),
        )
    if not found and name:
        raise typer.Exit(Exit.USAGE)


def in_its_folder(name: str, folders: Sequence[Path]) -> str:
    """As the ledger names it: a path into a watch folder becomes relative to that."""
    path = Path(name).absolute()
    for folder in folders:
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
    return name


def try_again(
    ledger: Ledger,
    studio: str,
    *,
    name: str | None,
    failed: bool = False,
    messages: bool = False,
    folders: Sequence[Path] = (),
    is_gone: Callable[[NamedClip], bool] = lambda _: False,
) -> int:
    """How many clips and messages are tried again; each is told.

    `is_gone`: has somebody deleted the delivered clip in Frame.io?
    """
    again = retrying.retry(ledger, studio=studio) if failed else []
    if name:
        again += _by_name(ledger, studio, name, _named(ledger, studio, name, folders), is_gone)
    resent = outbox.resend(ledger, studio=studio) if messages else 0
    for path in again:
        out.print(f"{path} will be tried again.", markup=False)
    if resent:
        out.print(f"Messages to be sent again: {resent}.")
    if not again and not resent and not name:
        err.print("There is nothing to try again.")
    return len(again) + resent


def _by_name(
    ledger: Ledger,
    studio: str,
    name: str,
    found: Sequence[NamedClip],
    is_gone: Callable[[NamedClip], bool],
) -> list[str]:
    """The one clip that is meant, if it can be tried again; else it is told why it cannot."""
    meant = [each for each in found if not each.delivered] or found
    if len(meant) > 1:
        err.print(f"Several clips are called {name}. Say which, by its path:", markup=False)
        for each in meant:
            err.print(f"  {each.path} ({each.state})", markup=False)
        return []
    for clip in meant:
        if again := retrying.retry(ledger, clip_id=clip.id):
            return again
        if clip.delivered and is_gone(clip) and retrying.redo(ledger, clip.id, str(clip.file_id)):
            return [clip.relpath]
    err.print(_why_not(ledger, studio, meant[0] if meant else None, name), markup=False)
    return []


def _named(ledger: Ledger, studio: str, name: str, folders: Sequence[Path]) -> list[NamedClip]:
    """By a name, a path on this machine, or a path within a watch folder wherever it is mounted."""
    on_disk = retrying.named(ledger, str(Path(name).expanduser().absolute()), studio=studio)
    return on_disk or retrying.named(ledger, in_its_folder(name, folders), studio=studio)


async def _is_gone(block: Studio, clip: NamedClip) -> bool:
    from postflow.engine.studio import is_gone

    if clip.account_id is None or clip.file_id is None:
        return False
    async with block.frameio.get_client() as frameio:
        return await is_gone(frameio, clip.account_id, clip.file_id)


def _why_not(ledger: Ledger, studio: str, meant: NamedClip | None, name: str) -> str:
    """Why there is nothing to try again under a name."""
    found = queries.rows(ledger, studio=studio, name=meant.relpath) if meant else []
    clips = [each for each in found if meant and each.id == meant.id]
    if not clips:
        return f"No clip called {name} is known. `postflow scan` shows what is in the folders."
    if clips[0].phase is Phase.GONE:
        return f"The file of {name} is gone; it is tried again by itself should it come back."
    return f"There is nothing to try again: {name} is {clips[0].phase}. {_link(clips[0])}".rstrip()


def _ledger(studio: str) -> Ledger:
    return Ledger.open(_studio(studio).ledger)


def _studio(name: str) -> Studio:
    prepare_prefect()
    from postflow.blocks.studio import load_studio

    return asyncio.run(load_studio(name))


def _names(clips: Sequence[Clip]) -> Iterator[tuple[Clip, str]]:
    """Each with its path in its folder, or its whole path where several folders have that one."""
    homes: defaultdict[str, set[str | None]] = defaultdict(set)
    for clip in clips:
        homes[clip.relpath].add(clip.root)
    for clip in clips:
        shared = clip.root is not None and len(homes[clip.relpath]) > 1
        yield clip, f"{clip.root}/{clip.relpath}" if shared else clip.relpath


def _tell(clip: Clip, name: str) -> None:
    out.print(f"  {clip.phase:<10}  {name}  {_link(clip)}".rstrip(), markup=False)
    if clip.phase is Phase.DELIVERED and clip.reason:
        undone = "Left undone: its version stack, or its message."
        lacks = undone if clip.state is State.DONE else "Not yet on its version stack."
        out.print(f"              {lacks}", markup=False)
    if clip.doubt:
        out.print(f"              Please check: the file {clip.doubt}.", markup=False)
    if clip.reason:
        out.print(f"              {clip.reason}", markup=False)
        out.print(f"              → {clip.hint}", markup=False)
    if clip.not_before:
        when = f"{clip.not_before.astimezone():%H:%M}"
        out.print(f"              It is tried again at {when}.", markup=False)


def _link(clip: Clip) -> str:
    return clip.view_url or ""


def _when(clip: Clip) -> str:
    return f"{clip.finished_at.astimezone():%Y-%m-%d %H:%M}" if clip.finished_at else ""


def _took(clip: Clip) -> str:
    if not clip.finished_at or not clip.started_at:
        return ""
    return f"{(clip.finished_at - clip.started_at).total_seconds():.0f} s"


@app.command()
def export(studio: StudioOption = "main") -> None:
    """Print the whole ledger as JSON lines: clips with their steps and attempts, messages."""
    with _ledger(studio) as ledger:
        for line in queries.export(ledger):
            print(line)  # noqa: T201 - the command's output
