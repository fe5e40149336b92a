"""What the message of a clip says. Pure: models in, a card out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from postflow.errors import PostFlowError
from postflow.ledger import Namesake, ShareLink
from postflow.models import IN_WORDS, Delivery, MediaFile, Project, Shot

from .card import (
    LONGEST_LINK,
    MAX_DESCRIPTION,
    MAX_TITLE,
    MAX_VALUE,
    Card,
    Line,
    human_duration,
    human_size,
    plain,
)

ON_ITS_WAY = 0xFFA500
READY = 0x00FF00
FAILED = 0xFF0000

# Which link opens for whom.
MEMBERS = "For members"
GUESTS = {"public": "For everybody with the link", "secure": "For invited reviewers"}

STACK = "Version stack"

_LONGEST_REASON = 1500
_LONGEST_VALUE = 300


def on_its_way_card(media: MediaFile, shot: Shot, *, project: Project | str) -> Card:
    """Orange: the clip travels. Every run that takes the clip up says the same."""
    return _clip_card(shot, media, project, "is on its way", ON_ITS_WAY)


def waiting_card(
    media: MediaFile, shot: Shot, error: PostFlowError, *, project: Project | str
) -> Card:
    """Orange: the clip was on its way, and waits; why. It goes by itself."""
    why = plain(f"{error} The clip is tried again by itself.", _LONGEST_REASON)
    return _clip_card(shot, media, project, "is waiting", ON_ITS_WAY, description=why)


def ready_card(
    delivery: Delivery, *, project: Project | str, namesake: Namesake | None = None
) -> Card:
    """Green: the clip can be watched, and here is the link.

    `namesake`: other content of its name and version that reviewers may have seen before.
    """
    link = web_link(delivery.view_url)
    took = human_duration(delivery.finished - delivery.started)
    way = f", {IN_WORDS[delivery.way]}" if delivery.way else ""
    doubt = delivery.media.doubt
    return _clip_card(
        delivery.shot,
        delivery.media,
        project,
        "is ready for review",
        READY,
        ("Delivered in", f"{took}{way}"),
        *([(STACK, "follows")] if delivery.stack_follows else []),
        *([("Please check", plain(f"The file {doubt}.", MAX_VALUE))] if doubt else []),
        *([(MEMBERS, f"[Open in Frame.io]({link})")] if link else []),
        description=namesake_text(namesake) if namesake else None,
        url=link,
        buttons=[("Open in Frame.io", link)] if link else [],
        at=delivery.finished,
        notifies=True,
    )


def with_share(card: Card, link: ShareLink) -> Card:
    """The clip's message, with the link for those who are no members, in the place of an older."""
    label, url = GUESTS[link.access], web_link(link.url.get_secret_value())
    if url is None:
        return card
    others = GUESTS.values()
    lines = [line for line in card.lines if line[0] not in others]
    buttons = [button for button in card.buttons if button[0] not in others]
    added = {"lines": [*lines, (label, share_text(link, url))], "buttons": [*buttons, (label, url)]}
    return Card.model_validate(card.model_dump() | added)


def share_text(link: ShareLink, url: str) -> str:
    """The link by its name, how long it opens, and the passphrase that Frame.io made up for it."""
    until = f" until {link.expires_at.astimezone():%Y-%m-%d}" if link.expires_at else ""
    word = link.passphrase.get_secret_value() if link.passphrase else ""
    asks = f", passphrase: {plain(word, 255)}" if word else ""
    return f"[{plain(link.name, 200)}]({url}){until}{asks}"


def stacked_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """The message of a clip whose stack followed: that it does is told no longer."""
    return payload | {"lines": [line for line in payload["lines"] if line[0] != STACK]}


def unstacked_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """The message of a clip whose stack was to follow, and could not be made."""
    told = [STACK, "could not be made"]
    return payload | {"lines": [told if line[0] == STACK else line for line in payload["lines"]]}


def _clip_card(
    shot: Shot,
    media: MediaFile,
    project: Project | str,
    state: str,
    colour: int,
    *lines: Line,
    **more: Any,
) -> Card:
    return Card(
        title=_title(shot, state),
        colour=colour,
        lines=(*_shot_lines(shot), *_file_lines(media), *_place_lines(shot, project), *lines),
        about=_about(shot, project),
        picture=media.revision,
        **more,
    )


def namesake_text(namesake: Namesake) -> str:
    """That the file was exported again, or that there are two of its name; as Discord shows it."""
    at = namesake.finished_at
    when = f" on {at.astimezone():%Y-%m-%d at %H:%M}" if at else " just now"
    if namesake.is_same_path:
        return plain(f"Exported again: it replaces what was delivered{when}.", MAX_VALUE)
    where = f"{PurePath(namesake.root).name}/{namesake.relpath}"
    return plain(
        f"⚠ Another file of this name and version, with other content, was delivered{when} from "
        f"{where}. Both are in Frame.io: if one is not meant, say so to whoever exported it.",
        MAX_VALUE,
    )


def failed_card(
    media: MediaFile,
    shot: Shot | None,
    error: PostFlowError,
    *,
    project: Project | str | None = None,
    at: datetime | None = None,
) -> Card:
    """Red: what happened, and what a person can do."""
    remedy = [("What to do", plain(error.hint, MAX_VALUE))] if error.hint else []
    known = (*_shot_lines(shot), *_place_lines(shot, project)) if shot else ()
    title = _title(shot, "has failed") if shot else f"{plain(media.name, 200)} has failed"
    return Card(
        title=title,
        colour=FAILED,
        description=plain(error.message, _LONGEST_REASON),
        lines=(*remedy, *known, *_file_lines(media), ("Code", plain(error.code, 100))),
        at=at or datetime.now(UTC),
        about=_about(shot, project) if shot else {"file": media.name},
    )


def notice_card(title: str, text: str, *, at: datetime | None = None) -> Card:
    """Red: something that a person should look at."""
    return Card(
        title=plain(title, MAX_TITLE),
        colour=FAILED,
        description=plain(text, MAX_DESCRIPTION),
        at=at or datetime.now(UTC),
    )


def web_link(url: str) -> str | None:
    """The URL fit for a Markdown link, or None when it is too long or none of the web."""
    safe = quote(url, safe="/:?#@!$&'*+,;=%~-._")
    return safe if url.startswith(("https://", "http://")) and len(safe) <= LONGEST_LINK else None


def _title(shot: Shot, state: str) -> str:
    parts = (shot.sequence, _shot_name(shot), shot.version)
    name = " ".join(plain(part, 60) for part in parts if part)
    return f"{name or plain(shot.file_name, 200)} {state}"


def _shot_name(shot: Shot) -> str | None:
    if shot.shot and shot.project_code:
        return f"{shot.project_code}_{shot.shot}"
    return shot.shot


def _about(shot: Shot, project: Project | str | None) -> dict[str, str]:
    """What the name of a thread may hold; see `discord.webhook`."""
    named = {
        "sequence": shot.sequence,
        "shot": _shot_name(shot),
        "version": shot.version,
        "file": shot.file_name,
        "project": project.name if isinstance(project, Project) else project,
    }
    return {name: value for name, value in named.items() if value}


def _shot_lines(shot: Shot) -> list[Line]:
    named = (("Sequence", shot.sequence), ("Shot", _shot_name(shot)), ("Version", shot.version))
    return [(name, plain(value, _LONGEST_VALUE)) for name, value in named if value]


def _file_lines(media: MediaFile) -> list[Line]:
    return [("File", plain(media.name, 600)), ("Size", human_size(media.size))]


def _place_lines(shot: Shot, project: Project | str | None) -> list[Line]:
    folder: list[Line] = [("Folder", plain("/".join(shot.folder), _LONGEST_VALUE))]
    return [*folder, ("Project", project_text(project))] if project else folder


def project_text(project: Project | str) -> str:
    return plain(project if isinstance(project, str) else project.name, _LONGEST_VALUE)
