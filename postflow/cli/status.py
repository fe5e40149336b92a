"""`postflow status`, `history` and `retry`: what became of each clip."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from postflow.ledger import Clip, Ledger, Phase

from .app import app
from .engine import prepare_prefect
from .options import JsonOption, StudioOption
from .output import err, out, print_json

LimitOption = Annotated[int, typer.Option(help="At most so many clips.", min=1)]


@app.command()
def status(
    studio: StudioOption = "main", limit: LimitOption = 50, json: JsonOption = False
) -> None:
    """What waits, settles, is on its way, arrived, was skipped and why, failed and what to do."""
    with _ledger(studio) as ledger:
        counts = ledger.counts(studio)
        waiting = ledger.not_yet_whole(studio=studio, limit=limit)
        clips = ledger.rows(studio=studio, limit=limit)
    if json:
        print_json(
            {
                "counts": counts,
                "settling": [each.model_dump(mode="json") for each in waiting],
                "clips": [each.model_dump(mode="json") for each in clips],
            }
        )
        return
    out.print(
        ", ".join(f"{count} {phase}" for phase, count in counts.items() if count) or "nothing"
    )
    for each in waiting:
        out.print(f"  settling   {each.relpath}: {each.note or 'has just been seen'}", markup=False)
    for clip in clips:
        if clip.phase is not Phase.SUPERSEDED:
            _tell(clip)


@app.command()
def history(
    studio: StudioOption = "main", limit: LimitOption = 50, json: JsonOption = False
) -> None:
    """When each clip was delivered, how long it took, and its link."""
    with _ledger(studio) as ledger:
        clips = ledger.rows(studio=studio, phase=Phase.DELIVERED, limit=limit)
    if json:
        print_json([each.model_dump(mode="json") for each in clips])
        return
    table = Table("delivered", "clip", "size", "took", "link", box=None)
    for clip in clips:
        table.add_row(
            _when(clip), escape(clip.relpath), decimal(clip.size), _took(clip), _link(clip)
        )
    out.print(table)


@app.command()
def retry(
    name: Annotated[str | None, typer.Argument(help="A file's name, or its path.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed.")] = False,
    messages: Annotated[
        bool, typer.Option("--messages", help="Also what Discord may not have got.")
    ] = False,
    studio: StudioOption = "main",
) -> None:
    """Try clips again that failed, were skipped or were put off. The next ingest takes them up."""
    if name is None and not failed and not messages:
        raise typer.BadParameter("give a NAME, --failed or --messages")
    with _ledger(studio) as ledger:
        again = ledger.retry(name, studio=studio) if name or failed else []
        resent = ledger.resend() if messages else 0
    for path in again:
        out.print(f"{path} will be tried again.", markup=False)
    if resent:
        out.print(f"{resent} messages will be sent again.")
    if not again and not resent:
        err.print("There is nothing of that kind to try again.")


def _ledger(studio: str) -> Ledger:
    prepare_prefect()
    from blocks.studio import load_studio

    return Ledger.open(asyncio.run(load_studio(studio)).ledger)


def _tell(clip: Clip) -> None:
    out.print(f"  {clip.phase:<10} {clip.relpath}  {_link(clip)}", markup=False)
    if clip.reason and clip.phase is not Phase.DELIVERED:
        out.print(f"             {clip.reason}", markup=False)
        out.print(f"             → {clip.hint}", markup=False)


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
        for line in ledger.export():
            print(line)  # noqa: T201 - the command's output
