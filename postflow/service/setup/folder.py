"""The watch folder: what lies in it, what the names mean, and what becomes of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from rich.filesize import decimal

from postflow.discord.card import counted
from postflow.errors import Skip
from postflow.folder.root import unread
from postflow.folder.scanner import glance
from postflow.media import volume
from postflow.media.kinds import ending, is_candidate
from postflow.media.sighting import Sighting
from postflow.models import FrozenModel
from postflow.naming import PRESETS, Naming
from postflow.service.console import waiting

from .draft import ASIDE, Draft
from .step import Desk

# The latest names of so many are tried: enough to know the set by, and quick.
TRIED = 400
SHOWN = 4
# Seconds for a volume to list its files.
PATIENCE = 300.0


def take_folder(desk: Desk) -> None:
    known = desk.draft.get("studio.watching", "folders") or [""]
    said = desk.ask.folder("Which folder is watched?", judge=_is_folder, default=known[0])
    folder = Path(said).expanduser().absolute()
    found = _files(desk, folder)
    desk.draft.put("studio.watching", folders=[str(folder)])
    desk.draft.put(ASIDE, backlog=None)
    desk.draft.put("studio", naming=None)
    desk.proven(_counts(found))


def folder_said(draft: Draft) -> str | None:
    known = draft.get("studio.watching", "folders")
    return ", ".join(known) if known else None


def take_names(desk: Desk) -> None:
    names = _latest(_clips(desk))
    tried = [Attempt.of(preset, names) for preset in PRESETS]
    best = max(tried, key=lambda each: each.known)
    if names and best.known == len(names):
        desk.explain("How the names are read:")
    elif names:
        desk.explain("No set of rules reads all of the names. How far each goes:")
    options = [(each.preset, each.label(len(names))) for each in tried]
    preset = desk.ask.choose("Which naming rules?", options, best.preset if names else "undlm")
    desk.draft.put("studio", naming=preset)
    _explain(desk, next(each for each in tried if each.preset == preset))


def names_said(draft: Draft) -> str | None:
    known = draft.get("studio", "naming") or (draft.get("studio", "rules") and "rules of your own")
    return str(known) if known else None


def take_backlog(desk: Desk) -> None:
    clips = _clips(desk)
    if not clips:
        desk.draft.put(ASIDE, backlog="all")
        return
    size = decimal(sum(clip.size for clip in clips))
    question = f"Already there: {counted(len(clips), 'clip')} ({size}). Deliver them?"
    desk.draft.put(ASIDE, backlog=desk.ask.choose(question, _backlogs(clips), "none"))


def backlog_said(draft: Draft) -> str | None:
    known = draft.get(ASIDE, "backlog")
    return str(known) if known else None


def _is_folder(answer: str) -> str | None:
    folder = Path(answer.strip()).expanduser()
    if not answer.strip() or not folder.is_absolute():
        return "A whole path, as /Volumes/exports; TAB completes it."
    if not os.path.isdir(folder):  # noqa: PTH112 - that of Path raises for a dead mount
        return "There is no such folder. Is its volume mounted? TAB completes."
    return None


def _clips(desk: Desk) -> list[Sighting]:
    folder = Path(desk.draft.get("studio.watching", "folders")[0])
    return [each for each in _files(desk, folder) if is_candidate(each.path)]


def _files(desk: Desk, folder: Path) -> list[Sighting]:
    with waiting(f"Looking into {folder.name}"):
        return desk.run(_look(folder))


async def _look(folder: Path) -> list[Sighting]:
    """Raises Retry `scan.unread` or `volume.hangs`."""
    looking = volume.ask(lambda: glance(folder))
    try:
        return await volume.in_time(looking, folder, timeout=PATIENCE)
    except OSError as error:
        raise unread(folder, error) from error


def _counts(found: Sequence[Sighting]) -> str:
    clips = Counter(ending(each.relpath) for each in found if is_candidate(each.path))
    others = Counter(ending(each.relpath) for each in found if not is_candidate(each.path))
    said = f"{counted(clips.total(), 'clip')}{_listed(clips)}"
    if others:
        said += f"; {counted(others.total(), 'other file')}{_listed(others)}, left alone"
    return f"{said}."


def _listed(endings: Counter[str]) -> str:
    some = ", ".join(f"{count:,} {which}" for which, count in endings.most_common(SHOWN))
    return f" ({some})" if some else ""


def _latest(clips: Iterable[Sighting]) -> list[str]:
    latest = sorted(clips, key=lambda each: -each.mtime_ns)
    return list(dict.fromkeys(each.path.name for each in latest))[:TRIED]


class Attempt(FrozenModel):
    """What a set of rules makes of names."""

    preset: str
    known: int
    example: str
    refused: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def of(cls, preset: str, names: Sequence[str]) -> Attempt:
        naming, read, refused = Naming.preset(preset), [], []
        for name in names:
            try:
                read.append((name, naming.identify(name)))
            except Skip as error:
                refused.append((name, error.message, error.hint))
        if read:
            name, shot = read[0]
            example = f"{name} → {'/'.join(shot.folder)}"
        else:
            example = f"reads names like {PRESETS[preset][0].examples[0]}"
        return cls(preset=preset, known=len(read), example=example, refused=tuple(refused))

    def label(self, names: int) -> str:
        return f"{self.preset:<11} {f'{self.known} of {names}, ' if names else ''}{self.example}"


def _explain(desk: Desk, attempt: Attempt) -> None:
    if not attempt.refused:
        return
    desk.explain(f"{counted(len(attempt.refused), 'name')} would be skipped, and told of, such as:")
    for name, reason, hint in attempt.refused[:SHOWN]:
        desk.explain(f"  {name}\n    {reason}\n    → {hint}")
    desk.explain("Rules of your own stand in a studio file: `postflow setup --example` shows one.")


def _backlogs(clips: Sequence[Sighting]) -> list[tuple[str, str]]:
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    options = [("none", "No: only what comes from now on"), ("all", "Yes, all of them")]
    for days, words in ((1, "since yesterday"), (7, "of the last seven days")):
        since = midnight - timedelta(days=days)
        some = sum(each.mtime_ns / 1e9 >= since.timestamp() for each in clips)
        if 0 < some < len(clips):
            options.append((f"since:{since:%Y-%m-%d}", f"Those {words}: {some}"))
    return options
