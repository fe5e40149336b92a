"""A watch folder belongs to one ledger, once a person has said what becomes of what is in it."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from postflow.errors import Retry
from postflow.language import N_
from postflow.ledger import Ledger, Root, observations, roots
from postflow.ledger.process import this_machine
from postflow.media import volume
from postflow.media.ignore import SHIPPED_ONLY, Ignoring
from postflow.media.kinds import is_candidate
from postflow.media.sighting import Abandoned, Scanned, Sighting
from postflow.models import FrozenModel

from .root import (
    STRANGER,
    AbsentError,
    Owner,
    RootMark,
    marking,
    missing,
    read_mark,
    restore_mark,
    unread,
)
from .scanner import Scanner, sightings_in

# Seconds for a volume to answer a person.
HANGS = 5.0


class Choice(FrozenModel):
    """What becomes of clips that are there already: they are delivered, or left alone until they
    change, but for those last written `since` then.
    """

    deliver: bool
    since: datetime | None = None


ALL = Choice(deliver=True)
NONE = Choice(deliver=False)


def enrol(
    ledger: Ledger,
    studio: str,
    folder: Path,
    decide: Callable[[list[Sighting]], Choice] = lambda _: ALL,
    *,
    ignoring: Ignoring = SHIPPED_ONLY,
) -> int:
    """Enter the folder in the ledger as watched; how many clips are left alone.

    The marker is complete only once the choice is in the ledger, so nobody scans before.
    Raises as `marking` does.
    """
    with marking(folder, owner(ledger, studio)) as mark:
        clips = _clips(folder, ignoring)
        choice = decide(clips)
        return roots.enrol(
            ledger, studio, folder, mark.id, clips, deliver=choice.deliver, since=choice.since
        )


def _clips(folder: Path, ignoring: Ignoring) -> list[Sighting]:
    """What is nearly a clip is part of the backlog, too."""
    try:
        return [each for each in sightings_in(folder, ignoring) if is_candidate(each.path)]
    except OSError as error:
        raise unread(folder, error) from error


def owner(ledger: Ledger, studio: str) -> Owner:
    """What the marker of a folder says that is enrolled now."""
    return Owner(
        ledger=roots.ledger_id(ledger),
        place=ledger.place,
        machine=this_machine(),
        studio=studio,
        since=datetime.now(tz=UTC),
    )


def enrolled(ledger: Ledger, studio: str, folder: Path, mark: RootMark) -> Root:
    """The studio's folder of that mark, known from now on to be mounted there.

    Raises Retry `folder.away` for another volume, `folder.taken` where another ledger watches it,
    `folder.not_enrolled` where nobody has said yet what becomes of what is in it.
    """
    root = roots.find_root(ledger, studio, mark.id)
    if root is None and roots.marks_at(ledger, studio, folder):
        raise _away(studio, folder, STRANGER)
    if mark.owner and mark.owner.ledger != roots.ledger_id(ledger):
        raise (
            _lost(studio, folder)
            if _is_lost(ledger, mark.owner)
            else _taken(studio, folder, mark.owner)
        )
    found = roots.mounted(ledger, studio, folder, mark.id)
    if found is None:
        raise not_enrolled(studio, folder)
    return found


def watched(ledger: Ledger, studio: str, folder: Path) -> Root | Retry:
    """The folder in the ledger, or why nothing in it is delivered now. Blocking."""
    try:
        return enrolled(ledger, studio, folder, read_mark(folder))
    except AbsentError as absent:
        return absent_root(ledger, studio, folder, absent)
    except Retry as why:
        return why


def why_not_watched(ledger: Ledger, studio: str, folder: Path) -> Retry | None:
    """None when it is in order. Blocking."""
    found = watched(ledger, studio, folder)
    return found if isinstance(found, Retry) else None


async def folders_away(ledger: Ledger, studio: str, folders: Sequence[Path]) -> list[Retry]:
    """Why watch folders cannot be looked at from this machine, for each that cannot."""
    answers = await asyncio.gather(*(_why_not_in_time(ledger, studio, each) for each in folders))
    return [answer for answer in answers if answer]


async def _why_not_in_time(ledger: Ledger, studio: str, folder: Path) -> Retry | None:
    try:
        return await volume.ask_in_time(
            lambda: why_not_watched(ledger, studio, folder), folder, timeout=HANGS
        )
    except Retry as hangs:
        return hangs


def absent_root(ledger: Ledger, studio: str, folder: Path, why: AbsentError) -> Retry:
    """A folder that was watched before and has lost its marker has lost its volume."""
    was_watched = roots.marks_at(ledger, studio, folder)
    return _away(studio, folder, why.args[0]) if was_watched else not_enrolled(studio, folder)


def restore(ledger: Ledger, studio: str, folder: Path) -> None:
    """A person says that this is the right folder: it gets back the marker that it had.

    Raises Fatal `scan.root_missing` for one that was never watched, and as `restore_mark` does.
    """
    known = roots.marks_at(ledger, studio, folder)
    if not known:
        never = N_(
            "{folder} was never watched for studio {studio!r}.", folder=folder, studio=studio
        )
        raise missing(never)
    restore_mark(folder, known[0], owner(ledger, studio))


def not_enrolled(studio: str, folder: Path) -> Retry:
    return Retry(
        "The watch folder {folder} is not enrolled yet for studio {studio!r}: nothing in it is "
        "delivered.",
        hint="Mount the volume if it is away, then say what becomes of the clips that are there "
        "already: postflow enrol{option} --backfill all, none or since:YYYY-MM-DD",
        code="folder.not_enrolled",
        folder=folder,
        studio=studio,
        option=_of(studio),
    )


def _is_lost(ledger: Ledger, theirs: Owner) -> bool:
    """Was the ledger in that marker at our own ledger's place, and so replaced by it?"""
    return (theirs.place, theirs.machine) == (ledger.place, this_machine())


def _lost(studio: str, folder: Path) -> Retry:
    plain = not_enrolled(studio, folder)
    return Retry(
        "{plain} The ledger that it was enrolled in was deleted or replaced.",
        hint=plain.hint,
        code=plain.code,
        plain=plain.message,
    )


def _taken(studio: str, folder: Path, theirs: Owner) -> Retry:
    machine = theirs.machine.split(" ")[0]
    return Retry(
        "The watch folder {folder} belongs to another PostFlow: studio {studio!r} on "
        "{machine} with the ledger {place}, since {since:%Y-%m-%d %H:%M} UTC.",
        hint="So that nothing is sent twice, nothing in it is delivered from here. Hosts that "
        "deliver from one volume need one ledger, on PostgreSQL ([studio] ledger). If that one "
        "is to deliver no more, stop it, then: postflow enrol --take-over{option}",
        code="folder.taken",
        folder=folder,
        studio=theirs.studio,
        machine=machine,
        place=theirs.place,
        since=theirs.since,
        option=_of(studio),
    )


def _away(studio: str, folder: Path, why: str) -> Retry:
    return Retry(
        "The watched folder {folder} is not there: {why}.",
        hint="Mount its volume; it goes on by itself. If this is the right folder all the same: "
        "postflow scan --restore-marker {path}{option}",
        code="folder.away",
        folder=folder,
        why=why,
        path=shlex.quote(str(folder)),
        option=_of(studio),
    )


def _of(studio: str) -> str:
    return "" if studio == "main" else f" --studio {shlex.quote(studio)}"


def vanished(studio: str, folder: Path, scan: Abandoned) -> str:
    """What a person should know of it, and can do."""
    return N_(
        "{reason} from {folder} ({examples}, …). Nothing is concluded until they are back. If they "
        "are really gone: postflow scan --accept-vanished {path}{option}",
        reason=scan.reason,
        folder=folder,
        examples=", ".join(scan.examples),
        path=shlex.quote(str(folder)),
        option=_of(studio),
    )


def accept_vanished(
    ledger: Ledger, studio: str, folder: Path, ignoring: Ignoring = SHIPPED_ONLY
) -> tuple[str, ...]:
    """Enter as gone what is missing in a folder now; their relpaths. What vanishes later is not.

    Whoever watches the folder reads it in the ledger. Raises Fatal `scan.root_missing`, and
    Retry `scan.unread` when some part of the folder cannot be looked at, and as `enrolled` does.
    """
    try:
        mark = read_mark(folder)
    except AbsentError as error:
        raise missing(N_("{folder}: {why}.", folder=folder, why=error.args[0])) from error
    root = enrolled(ledger, studio, folder, mark)
    scanner = Scanner(folder, mark=mark, known=observations.known(ledger, root), ignoring=ignoring)
    result = scanner.scan(believe=True)
    if not isinstance(result, Scanned):
        raise missing(result.reason)
    if where := ", ".join(each.where for each in result.problems if each.unread):
        raise Retry(
            "A part of {folder} cannot be read, so nothing is taken for gone: {where}.",
            hint="Mend its access rights or its mount, then say it again.",
            code="scan.unread",
            folder=folder,
            where=where,
        )
    observations.observe(ledger, root, (), gone=result.gone)
    return result.gone
