"""The watch folder: what lies in it, what the names mean, and what becomes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from postflow.errors import Skip
from postflow.folder.root import unread
from postflow.folder.scanner import sightings_in
from postflow.language import N_, Bytes, _, ngettext, number, told
from postflow.media import volume
from postflow.media.kinds import ending, is_candidate
from postflow.media.sighting import Sighting
from postflow.models import FrozenModel
from postflow.naming import PRESETS, Naming
from postflow.service.console import waiting

from .draft import ASIDE, Draft
from .prompts import Desk

# The latest names of so many are tried: enough to know the set by, and quick.
TRIED = 400
SHOWN = 4
# Seconds for a volume to list its files.
PATIENCE = 300.0


def take_folder(desk: Desk) -> None:
    known = desk.draft.get("studio.watching", "folders") or [""]
    said = desk.ask.folder(N_("Which folder is watched?"), judge=_is_folder, default=known[0])
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
        desk.explain(N_("How the names are read:"))
    elif names:
        desk.explain(N_("No set of rules reads all of the names. How far each goes:"))
    options = [(each.preset, each.label(len(names))) for each in tried]
    preset = desk.ask.choose(N_("Which naming rules?"), options, best.preset if names else "undlm")
    desk.draft.put("studio", naming=preset)
    _explain(desk, next(each for each in tried if each.preset == preset))


def names_said(draft: Draft) -> str | None:
    known = draft.get("studio", "naming") or (
        draft.get("studio", "rules") and _("rules of your own")
    )
    return str(known) if known else None


def take_backlog(desk: Desk) -> None:
    clips = _clips(desk)
    if not clips:
        desk.draft.put(ASIDE, backlog="all")
        return
    size = Bytes(sum(clip.size for clip in clips))
    question = N_(
        "Already there: {clips} ({size}). Deliver them?",
        clips=_clips_in_words(len(clips)),
        size=size,
    )
    desk.draft.put(ASIDE, backlog=desk.ask.choose(question, _backlogs(clips), "none"))


def _is_folder(answer: str) -> str | None:
    folder = Path(answer.strip()).expanduser()
    if not answer.strip() or not folder.is_absolute():
        return N_("A whole path, as /Volumes/exports; TAB completes it.")
    if not volume.is_folder(folder):
        return N_("There is no such folder. Is its volume mounted? TAB completes.")
    return None


def _clips(desk: Desk) -> list[Sighting]:
    folder = Path(desk.draft.get("studio.watching", "folders")[0])
    return [each for each in _files(desk, folder) if is_candidate(each.path)]


def _files(desk: Desk, folder: Path) -> list[Sighting]:
    with waiting(N_("Looking into {folder}", folder=folder.name)):
        return desk.run(_look(folder))


async def _look(folder: Path) -> list[Sighting]:
    """Raises Retry `scan.unread` or `volume.hangs`."""
    try:
        return await volume.ask_in_time(lambda: sightings_in(folder), folder, timeout=PATIENCE)
    except OSError as error:
        raise unread(folder, error) from error


def _counts(found: Sequence[Sighting]) -> str:
    clips = Counter(ending(each.relpath) for each in found if is_candidate(each.path))
    others = Counter(ending(each.relpath) for each in found if not is_candidate(each.path))
    said = f"{_clips_in_words(clips.total())}{_listed(clips)}"
    if not others:
        return f"{said}."
    many = others.total()
    more = ngettext("%(num)s other file", "%(num)s other files", many) % {"num": number(many)}
    left = _("%(clips)s; %(others)s, left alone.")
    return left % {"clips": said, "others": f"{more}{_listed(others)}"}


def _clips_in_words(many: int) -> str:
    return ngettext("%(num)s clip", "%(num)s clips", many) % {"num": number(many)}


def _listed(endings: Counter[str]) -> str:
    some = ", ".join(f"{number(count)} {_(which)}" for which, count in endings.most_common(SHOWN))
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
                refused.append((name, *error.told))
        if read:
            name, shot = read[0]
            example = f"{name} → {'/'.join(shot.folder)}"
        else:
            example = told(N_("reads names like {example}", example=PRESETS[preset][0].examples[0]))
        return cls(preset=preset, known=len(read), example=example, refused=tuple(refused))

    def label(self, names: int) -> str:
        far = told(N_("{some} of {many}", some=self.known, many=names)) + ", " if names else ""
        return f"{self.preset:<11} {far}{self.example}"


def _explain(desk: Desk, attempt: Attempt) -> None:
    if not attempt.refused:
        return
    many = len(attempt.refused)
    skipped = ngettext(
        "%(num)s name would be skipped, and told of, such as:",
        "%(num)s names would be skipped, and told of, such as:",
        many,
    )
    desk.explain(skipped % {"num": number(many)})
    for name, reason, hint in attempt.refused[:SHOWN]:
        desk.explain(f"  {name}\n    {reason}\n    → {hint}")
    own = N_("Rules of your own stand in a studio file: `postflow setup --example` shows one.")
    desk.explain(own)


def _backlogs(clips: Sequence[Sighting]) -> list[tuple[str, str]]:
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    options: list[tuple[str, str]] = [
        ("none", N_("No: only what comes from now on")),
        ("all", N_("Yes, all of them")),
    ]
    for days, words in (
        (1, N_("Those since yesterday: {some}")),
        (7, N_("Those of the last seven days: {some}")),
    ):
        since = midnight - timedelta(days=days)
        some = sum(each.mtime_ns / 1e9 >= since.timestamp() for each in clips)
        if 0 < some < len(clips):
            options.append((f"since:{since:%Y-%m-%d}", N_(words, some=some)))
    return options
