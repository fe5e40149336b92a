"""The first look at a watch folder: what is there already is not sent without a word."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.filesize import decimal

from postflow.enrolment import why_away
from postflow.errors import Fatal
from postflow.ledger import Ledger
from postflow.models import is_clip
from postflow.scan.root import AbsentError, marking, read_mark, unread
from postflow.scan.sighting import Sighting
from postflow.scan.walk import glance

from .output import err, tell_warning

if TYPE_CHECKING:
    from blocks.studio import Studio

SINCE = "since:"


def enrol(block: Studio, studio: str, backfill: str | None) -> None:
    """Mark the studio's watch folders, once for each volume; one that is away is told.

    Raises Fatal `watch.none` or `watch.backfill`, Retry `scan.unread` of a dead mount.
    """
    folders = block.watching.folders
    if not folders:
        raise Fatal(
            f"Studio {studio!r} has no watch folder.",
            hint='Set [studio.watching] folders = ["/path"] and run `postflow setup --file` again.',
            code="watch.none",
        )
    with Ledger.open(block.ledger) as ledger:
        for folder in folders:
            if _is_new(ledger, studio, folder):
                _enrol(ledger, studio, folder, backfill)


def _is_new(ledger: Ledger, studio: str, folder: Path) -> bool:
    """A mount point that was watched before and has lost its marker has lost its volume."""
    away = why_away(ledger, studio, folder)
    if away:
        tell_warning(away)
        return False
    try:
        return ledger.find_root(studio, read_mark(folder).id) is None
    except AbsentError:
        return True


def _enrol(ledger: Ledger, studio: str, folder: Path, backfill: str | None) -> None:
    """Nobody sees the folder before the choice is in the ledger."""
    with marking(folder) as mark:
        clips = _clips(folder)
        choice = backfill or _ask(folder, clips)
        before = _before(choice)
        root = ledger.root(studio, folder, mark.id)
        ledger.observe(root, clips)
        ledger.take_back(root)  # what was chosen when this was broken off counts no more
        left = 0 if choice == "all" else ledger.set_aside(root, before=before)
    if left:
        err.print(f"Left alone in {folder} until they change: {_count(left)}.", markup=False)


def _clips(folder: Path) -> list[Sighting]:
    try:
        return [each for each in glance(folder) if is_clip(each.path)]
    except OSError as error:
        raise unread(folder, error) from error


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
    except (ValueError, OverflowError) as error:
        raise Fatal(
            f"{choice!r} does not say which clips to deliver.",
            hint="Choose all, none, or since: and a date, as in since:2026-11-22.",
            code="watch.backfill",
        ) from error
