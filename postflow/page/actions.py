"""What a person does to a clip on the page; the same as by the commands of these names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from postflow.delivery.announcements import of_cancelled
from postflow.language import _
from postflow.ledger import Announcement, Ledger, queries, queue, retrying
from postflow.ledger.queue import Spot
from postflow.models import FrozenModel, MediaFile

from . import words
from .studios import PageStudio

_NUMBER = re.compile(r"[0-9]{1,18}")


class Said(FrozenModel):
    """What came of it, about the clip of that name."""

    name: str
    text: str
    done: bool = True


class Target(FrozenModel):
    """A clip, or a file that settles: a path in a root."""

    clip_id: int | None
    root_id: int
    relpath: str


def target_in(form: Mapping[str, object]) -> Target | None:
    """None where the form names nothing. A path is quoted: browsers change line breaks."""
    clip, root, path = (str(form.get(name, "")) for name in ("clip", "root", "path"))
    if not (_NUMBER.fullmatch(root) and path and (not clip or _NUMBER.fullmatch(clip))):
        return None
    return Target(clip_id=int(clip) if clip else None, root_id=int(root), relpath=unquote(path))


def act(ledger: Ledger, studio: PageStudio, action: str, target: Target) -> Said | None:
    """None for what is not the studio's, or no action. Blocking."""
    spot = _spot(ledger, studio, target)
    if spot is None:
        return None
    match action:
        case "retry":
            return _retry(ledger, target, spot)
        case "first":
            return _said(spot, queue.put_first(ledger, spot))
        case "cancel":
            return _cancel(ledger, studio, spot)
        case _:
            return None


def _retry(ledger: Ledger, target: Target, spot: Spot) -> Said:
    again = queue.forget_wish(ledger, spot)
    if target.clip_id is not None:
        again = bool(retrying.retry(ledger, clip_id=target.clip_id)) or again
    text = _("will be tried again.") if again else _("cannot be tried again as it is now.")
    return Said(name=spot.path.name, text=text, done=again)


def _cancel(ledger: Ledger, studio: PageStudio, spot: Spot) -> Said:
    def announce(clip_id: int, media: MediaFile) -> Announcement | None:
        channel = studio.name if studio.announces else None
        naming, project = studio.naming, studio.project
        return of_cancelled(channel, naming, clip_id, media, project=project, how=queue.ON_PAGE)

    outcomes = queue.cancel(ledger, studio.name, queue.ON_PAGE, announce, at=spot)
    return _said(spot, outcomes[0][1] if outcomes else None)


def _said(spot: Spot, outcome: queue.Outcome | None) -> Said:
    if outcome is None:
        return Said(name=spot.path.name, text=_("does not wait any more."), done=False)
    return Said(name=spot.path.name, text=words.outcome(outcome))


def _spot(ledger: Ledger, studio: PageStudio, target: Target) -> Spot | None:
    """Of the studio's own, and with a clip that clip's, whatever a form says."""
    here = target.root_id, target.relpath
    if target.clip_id is not None:
        found = queries.rows(ledger, studio=studio.name, ids=[target.clip_id])
        if not found or (found[0].root_id, found[0].relpath) != here:
            return None
    spots = queue.spots(ledger, target.relpath, studio=studio.name)
    return next((spot for spot in spots if (spot.root_id, spot.relpath) == here), None)


def path_of(ledger: Ledger, studio: PageStudio, clip_id: int) -> Path | None:
    """Where the clip is, by the spelling of its disk. Blocking."""
    found = queries.rows(ledger, studio=studio.name, ids=[clip_id])
    return Path(str(found[0].root)) / found[0].disk_path if found else None
