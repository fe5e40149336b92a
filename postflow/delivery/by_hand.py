"""A clip that a person hands over, whole by their word: which path is meant, and its record."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.request import url2pathname

from postflow.errors import Fatal, Retry
from postflow.folder.enrolment import enrolled
from postflow.folder.root import AbsentError, read_mark
from postflow.ledger import (
    AsyncLedger,
    Registered,
    Root,
    State,
    claims,
    observations,
    registry,
    retrying,
    roots,
)
from postflow.media import volume
from postflow.media.sighting import Sighting
from postflow.models import MediaFile, nfc

from .record import DeliveryRecord

log = logging.getLogger(__name__)

NOT_OURS = frozenset({"folder.away", "folder.taken", "folder.not_enrolled"})

QUOTES = {('"', '"'), ("'", "'"), ("“", "”"), ("„", "“"), ("\u2018", "\u2019"), ("«", "»")}

# A Path of `file:///a` has one slash only.
FILE_URL = re.compile("file:(?://localhost|/localhost|//)?(?=/)", re.IGNORECASE)

IsGone = Callable[[str, str], Awaitable[bool]]
"""Is there no such file in Frame.io any more, by its account and its id?"""


def as_meant(path: Path) -> Path:
    """A path as people paste it: in quotes, with blanks or a line break around it, with `~`, or as
    a browser's `file://`.
    """
    text = str(path).strip()
    while len(text) > 1 and (text[0], text[-1]) in QUOTES:
        text = text[1:-1].strip()
    if found := FILE_URL.match(text):
        return Path(url2pathname(text[found.end() :]))
    with suppress(RuntimeError):  # nobody of that name
        return Path(text).expanduser()
    return Path(text)


async def allowed(path: Path, folders: Iterable[Path]) -> Path:
    """The very file below one of the folders that a path leads to, links followed: for whoever is
    not at this machine, as by a form in a browser.

    Raises Fatal `clip.not_allowed` for any other, which tells nothing of what is there, Retry
    `volume.hangs`.
    """
    found = await volume.ask_in_time(lambda: _below(as_meant(path), folders), path)
    if found is None:
        raise Fatal(
            "Runs of the deployment `deliver` send only what lies in a watch folder of the studio, "
            "or in another folder that it allows.",
            hint="Give the clip's whole path; add its folder to `allow` in [studio.watching]; or "
            "use `postflow upload` on that machine.",
            code="clip.not_allowed",
        )
    return found


def _below(path: Path, folders: Iterable[Path]) -> Path | None:
    with suppress(OSError, ValueError):
        real = Path(os.path.realpath(path))
        for folder in folders:
            place = Path(os.path.realpath(folder))
            if path.is_absolute() and real != place and real.is_relative_to(place):
                return folder / real.relative_to(place)
    return None


async def open_by_hand(
    ledger: AsyncLedger,
    studio: str,
    media: MediaFile,
    *,
    folders: Sequence[Path],
    run_id: str,
    is_gone: IsGone,
) -> DeliveryRecord:
    """The record of a clip that a person hands over, whole by their word.

    One that was delivered, and is gone from Frame.io, travels once more. Raises Retry `clip.busy`
    while another run has it.
    """
    root, watched = await _root_by_hand(ledger, studio, media, folders)
    await ledger.run(observations.observe, root, [_sighting(root.path, media)])
    entry = await ledger.run(registry.register, root, media)
    if entry is None:
        raise _busy(media)
    if entry.delivered:
        is_confirmed = await _is_confirmed(entry, is_gone)
        file_id = entry.file_id
        if (
            is_confirmed
            or not file_id
            or not await ledger.run(retrying.redo, entry.clip_id, file_id)
        ):
            return DeliveryRecord(
                ledger, None, by_hand=True, clip_id=entry.clip_id, is_confirmed=is_confirmed
            )
        # it goes as it is now, not as it went then
        await ledger.run(registry.register, root, media)
    if entry.state in {State.FAILED, State.SKIPPED}:
        await ledger.run(retrying.retry, clip_id=entry.clip_id)
    claim = await ledger.run(claims.claim_clip, run_id, entry.clip_id, folders={root.id: root.path})
    if claim is None:
        raise _busy(media)
    return DeliveryRecord(ledger, claim, by_hand=True, watched=watched)


async def _root_by_hand(
    ledger: AsyncLedger, studio: str, media: MediaFile, folders: Sequence[Path]
) -> tuple[Root, bool]:
    """The folder of the clip, and whether later `ingest` runs look after it.

    That is the watch folder where it is enrolled. Elsewhere one clip says nothing of the others.
    """
    folder = next((each for each in folders if media.path.is_relative_to(each)), None)
    if folder is None:
        return await ledger.run(roots.add, studio, media.path.parent), False
    try:
        mark = await volume.ask(lambda: read_mark(folder))
        return await ledger.run(enrolled, studio, folder, mark), True
    except AbsentError:
        pass
    except Retry as why:
        if why.code not in NOT_OURS:
            raise
        log.warning("%s is sent by hand. %s", media.name, why)
    return await ledger.run(roots.add, studio, folder), False


async def _is_confirmed(entry: Registered, is_gone: IsGone) -> bool:
    if entry.account_id is None or entry.file_id is None:
        return False
    return not await is_gone(entry.account_id, entry.file_id)


def _sighting(folder: Path, media: MediaFile) -> Sighting:
    return Sighting(
        relpath=nfc(media.path.relative_to(folder).as_posix()),
        path=media.path,
        size=media.size,
        mtime_ns=media.mtime_ns,
    )


def _busy(media: MediaFile) -> Retry:
    return Retry(
        "Another run is delivering {name} at this moment.",
        hint="Look for it in `postflow status`; if it hangs, `postflow cancel` it.",
        code="clip.busy",
        name=media.name,
    )
