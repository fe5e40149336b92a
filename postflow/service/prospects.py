"""Each file of a watch folder, and what would become of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from postflow.errors import Retry, Skip, our_fault_at_name, printable
from postflow.folder.listing import Known
from postflow.folder.scanner import EMPTY, Scanner, passed_over_in, sightings_in
from postflow.media.containers.reading import NotWhole, our_fault
from postflow.media.containers.whole import verdict
from postflow.media.ignore import Ignoring
from postflow.media.kinds import ending, is_candidate, refusal
from postflow.media.sighting import Offline, Scanned, Sighting
from postflow.media.volume import is_folder
from postflow.models import FrozenModel
from postflow.settings import Watching

from .console import err

if TYPE_CHECKING:
    from postflow.ledger import Ledger
    from postflow.naming import Naming

NO_CLIP = "no clip"
DELIVER = "deliver"
WAIT = "wait"
FAULT = "fault"
IGNORED = "ignored"
WATCHING = Watching()


class Prospect(FrozenModel):
    """One file, and what would happen to it; "asked": first a person is asked about it."""

    file: str
    what: str
    where: str = ""


def look(
    ledger: Ledger,
    studio: str,
    folder: Path,
    naming: Naming,
    watching: Watching = WATCHING,
) -> list[Prospect]:
    """What would become of each file of a folder. A folder that is not there is told."""
    from postflow.folder.enrolment import watched
    from postflow.ledger import ObservationState, observations

    root, ignoring = watched(ledger, studio, folder), watching.ignoring(folder)
    is_there = is_folder(folder)
    if isinstance(root, Retry):
        if root.code == "folder.not_enrolled" and is_there:
            return _before_enrolment(folder, naming, root, ignoring)
        err.print(f"{root.message}\n  → {root.hint}", markup=False)
        return []
    known = observations.known(ledger, root)
    scanner = Scanner(folder, known=known, ignoring=ignoring)
    if not _has_scanned(scanner, studio):
        return []
    at_rest = {
        each.relpath: Known(each.size, each.mtime_ns, each.relpath)
        for each in known
        if each.state is not ObservationState.SETTLING
    }
    found = [(each, _prospect(each, naming, at_rest)) for each in scanner.everything()]
    prospects = [_if_whole(each, prospect, watching.open_ended) for each, prospect in found]
    return [*prospects, *_passed_over(scanner.passed_over())]


def _has_scanned(scanner: Scanner, studio: str) -> bool:
    """What cannot be read, or why the folder is left alone, is told."""
    from postflow.folder.enrolment import vanished

    result = scanner.scan()
    if isinstance(result, Scanned):
        for problem in result.problems:
            err.print(f"{problem.where}: {problem.what}", markup=False)
        return True
    gone = result.reason if isinstance(result, Offline) else vanished(studio, scanner.root, result)
    err.print(gone, markup=False)
    return False


def _before_enrolment(
    folder: Path, naming: Naming, why: Retry, ignoring: Ignoring
) -> list[Prospect]:
    """Nothing is delivered before a person has been asked."""
    try:
        found = [_prospect(each, naming, {}) for each in sightings_in(folder, ignoring)]
        found += _passed_over(passed_over_in(folder, ignoring))
    except OSError as error:
        err.print(f"{folder} cannot be read ({error.strerror}).", markup=False)
        return []
    err.print(f"{why.message}\n  → {why.hint}", markup=False)
    asked = {"what": "asked"}
    return [each.model_copy(update=asked) if each.what == DELIVER else each for each in found]


def _prospect(each: Sighting, naming: Naming, at_rest: Mapping[str, Known]) -> Prospect:
    if not is_candidate(each.path):
        return Prospect(file=each.relpath, what=NO_CLIP, where=ending(each.relpath))
    known = at_rest.get(each.relpath)
    if known and known.equals(Known(each.size, each.mtime_ns, each.relpath)):
        return Prospect(file=each.relpath, what="known")
    try:
        if no_clip := refusal(each.path.name):
            return Prospect(file=each.relpath, what="skip", where=str(no_clip))
        shot = naming.identify(each.path.name)
    except Skip as error:
        return Prospect(file=each.relpath, what="skip", where=error.message)
    except Exception as error:
        fault = our_fault_at_name(printable(each.path.name), error)
        return Prospect(file=each.relpath, what=FAULT, where=fault.message)
    return Prospect(file=each.relpath, what=DELIVER, where="to " + "/".join(shot.folder))


def _passed_over(found: Sequence[tuple[str, str]]) -> list[Prospect]:
    return [
        Prospect(file=relpath, what=WAIT if rule == EMPTY else IGNORED, where=rule)
        for relpath, rule in found
    ]


def _if_whole(each: Sighting, prospect: Prospect, open_ended: bool) -> Prospect:
    """A clip that would be delivered is opened, and a little of it read."""
    if prospect.what != DELIVER:
        return prospect
    try:
        found = verdict(each.path, (each.size, each.mtime_ns))
    except Exception as error:
        return Prospect(file=each.relpath, what=FAULT, where=f"it {our_fault(error).reason}")
    if isinstance(found, NotWhole) and not (open_ended and found.open_ended):
        return Prospect(file=each.relpath, what=WAIT, where=f"it {found.reason}")
    return prospect
