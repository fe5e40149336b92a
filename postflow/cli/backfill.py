"""The first look at a watch folder: what is there already is not sent without a word."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.filesize import decimal

from postflow.errors import Fatal
from postflow.ledger import Ledger
from postflow.models import is_clip
from postflow.scan.root import MARKER, is_marked, mark_root, missing
from postflow.scan.sighting import Scanned, Sighting
from postflow.scan.walk import Scanner

from .output import err

if TYPE_CHECKING:
    from blocks.studio import Studio

SINCE = "since:"


def enrol(block: Studio, studio: str, backfill: str | None) -> None:
    """Mark the studio's watch folders, once.

    Raises Fatal `watch.none` or `watch.backfill`, Retry `scan.unread` of a dead mount.
    """
    folders = block.watching.folders
    if not folders:
        raise Fatal(
            f"Studio {studio!r} has no watch folder.",
            hint='Set [studio.watching] folders = ["/path"] and run `postflow setup --file` again.',
            code="watch.none",
        )
    fresh = [folder for folder in folders if not is_marked(folder)]
    if not fresh:
        return
    with Ledger.open(block.ledger) as ledger:
        for folder in fresh:
            _enrol(ledger, studio, folder, backfill)


def _enrol(ledger: Ledger, studio: str, folder: Path, backfill: str | None) -> None:
    mark = mark_root(folder)
    try:
        clips = _clips(folder, mark.id)
        choice = backfill or _ask(folder, clips)
        before = _before(choice)
    except BaseException:
        (folder / MARKER).unlink()
        raise
    root = ledger.root(studio, folder, mark.id)
    ledger.observe(root, clips)
    if choice != "all":
        left = ledger.set_aside(root, before=before)
        err.print(f"Left alone in {folder} until they change: {_count(left)}.", markup=False)


def _clips(folder: Path, mark: str) -> list[Sighting]:
    scanner = Scanner(folder, mark_id=mark)
    result = scanner.scan(full=True)
    if not isinstance(result, Scanned):
        raise missing(result.reason)
    return [each for each in result.new if is_clip(each.path)]


def _ask(folder: Path, clips: list[Sighting]) -> str:
    """A person decides what becomes of a backlog; an empty folder asks nothing."""
    if not clips:
        return "all"
    size = decimal(sum(clip.size for clip in clips))
    told = f"{folder} holds {_count(len(clips))} already ({size})."
    if not sys.stdin.isatty():
        raise Fatal(
            told,
            hint="Say what becomes of them: --backfill all, none, or since:YYYY-MM-DD.",
            code="watch.backfill",
        )
    err.print(told, markup=False)
    return str(typer.prompt("Deliver them? all, none, or since:YYYY-MM-DD", default="none"))


def _count(clips: int) -> str:
    return f"{clips} clip" if clips == 1 else f"{clips} clips"


def _before(choice: str) -> datetime | None:
    """Clips last written before this time are left alone; None for all or none of them."""
    if choice in {"all", "none"}:
        return None
    try:
        return datetime.fromisoformat(choice.removeprefix(SINCE)).astimezone()
    except ValueError as error:
        raise Fatal(
            f"{choice!r} does not say which clips to deliver.",
            hint="Choose all, none, or since: and a date, as in since:2026-11-22.",
            code="watch.backfill",
        ) from error
