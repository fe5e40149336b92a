"""`postflow retry`: what is tried again, and why something cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postflow.errors import printable
from postflow.service.console import Exit, err, out

from . import completion
from .app import StudioOption, app, opened

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio
    from postflow.ledger import Ledger, NamedClip

UNKNOWN = "No clip called {} is known. `postflow scan` shows what is in the folders."


@app.command()
def retry(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A file's name, or its path.", metavar="NAME", autocompletion=completion.clips
        ),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed.")] = False,
    messages: Annotated[
        bool, typer.Option("--messages", help="Also what Discord may not have got.")
    ] = False,
    told: Annotated[
        bool,
        typer.Option("--told", help="What Discord may not have got is there, or not missed."),
    ] = False,
    studio: StudioOption = None,
) -> None:
    """Try clips again that failed, were skipped or were put off, or are gone from Frame.io.

    The next ingest takes them up.
    """
    if not (name or failed or messages or told):
        raise typer.BadParameter("give a NAME, --failed, --messages or --told")
    with opened(studio) as (block, studio, ledger):
        from postflow.ledger import unannounced

        if told:
            out.print(f"Messages taken for told: {unannounced.mark_sent(ledger, studio)}.")
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
    """How many clips and messages are tried again; each is printed.

    `is_gone`: has somebody deleted the delivered clip in Frame.io?
    """
    from postflow.ledger import retrying, unannounced

    again = retrying.retry(ledger, studio=studio) if failed else []
    if name:
        again += _by_name(ledger, studio, name, folders, is_gone)
    resent = unannounced.resend(ledger, studio) if messages else 0
    for path in again:
        out.print(f"{printable(path)} will be tried again.", markup=False)
    if resent:
        out.print(f"Messages to be sent again: {resent}.")
    if not again and not resent and not name:
        err.print("There is nothing to try again.")
    return len(again) + resent


def _by_name(
    ledger: Ledger,
    studio: str,
    name: str,
    folders: Sequence[Path],
    is_gone: Callable[[NamedClip], bool],
) -> list[str]:
    """The one clip of that name, or path on this machine or within a watch folder wherever it is
    mounted, if it can be tried again; else why it cannot is printed.
    """
    from postflow.ledger import queue, retrying

    # Files that were cancelled while they settled, and settle still.
    spots = queue.spots(ledger, in_its_folder(name, folders), studio=studio)
    if again := [spot.relpath for spot in spots if queue.forget_wish(ledger, spot)]:
        return again
    on_disk = str(Path(name).expanduser().absolute())
    found = retrying.named(ledger, on_disk, studio=studio)
    found = found or retrying.named(ledger, in_its_folder(name, folders), studio=studio)
    meant = [each for each in found if not each.delivered] or found
    if len(meant) > 1:
        tell_several(name, (f"{each.path} ({each.state})" for each in meant))
        return []
    for clip in meant:
        if again := retrying.retry(ledger, clip_id=clip.id):
            return again
        if clip.delivered and is_gone(clip) and retrying.redo(ledger, clip.id, str(clip.file_id)):
            return [clip.relpath]
    err.print(_why_not(ledger, studio, meant[0] if meant else None, name), markup=False)
    return []


def tell_several(name: str, places: Iterable[str]) -> None:
    err.print(f"Several clips are called {name}. Say which, by its path:", markup=False)
    for each in places:
        err.print(f"  {printable(each)}", markup=False)


def in_its_folder(name: str, folders: Sequence[Path]) -> str:
    """As the ledger names it: a path into a watch folder becomes relative to that."""
    path = Path(name).absolute()
    for folder in folders:
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
    return name


async def _is_gone(block: Studio, clip: NamedClip) -> bool:
    if clip.account_id is None or clip.file_id is None:
        return False
    async with block.frameio.get_client() as frameio:
        return await frameio.files.find(clip.account_id, clip.file_id) is None


def _why_not(ledger: Ledger, studio: str, meant: NamedClip | None, name: str) -> str:
    from postflow.ledger import Phase, queries

    found = queries.rows(ledger, studio=studio, name=meant.relpath) if meant else []
    clip = next((each for each in found if meant and each.id == meant.id), None)
    if clip is None:
        return UNKNOWN.format(name)
    if clip.phase is Phase.GONE:
        return f"The file of {name} is gone; it is tried again by itself should it come back."
    link = clip.view_url or ""
    return f"There is nothing to try again: {name} is {clip.phase}. {link}".rstrip()
