"""What `postflow retry` tries again, and why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from postflow.ledger import Ledger, NamedClip, Phase, outbox, queries, retrying
from postflow.service.console import err, out

from .overview import link_of

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio


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
    resent = outbox.resend(ledger, studio) if messages else 0
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


async def was_deleted(block: Studio, clip: NamedClip) -> bool:
    """Has somebody deleted the delivered clip in Frame.io?"""
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
    return (
        f"There is nothing to try again: {name} is {clips[0].phase}. {link_of(clips[0])}".rstrip()
    )
