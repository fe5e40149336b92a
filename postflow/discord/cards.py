"""What the message of a clip says. Pure: models in, a card out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from postflow.errors import PostFlowError
from postflow.language import N_, _, dated, human_size, in_all_languages, told
from postflow.ledger import Namesake, ShareLink
from postflow.models import IN_WORDS, Delivery, MediaFile, Shot

from .card import (
    LONGEST_LINK,
    MAX_DESCRIPTION,
    MAX_TITLE,
    MAX_VALUE,
    Card,
    Line,
    human_duration,
    plain,
)

ON_ITS_WAY = 0xFFA500
READY = 0x00FF00
FAILED = 0xFF0000

# Which link opens for whom.
MEMBERS = N_("For members")
GUESTS = {"public": N_("For everybody with the link"), "secure": N_("For invited reviewers")}

STACK = N_("Version stack")

_LONGEST_REASON = 1500
LONGEST_VALUE = 300


def on_its_way_card(media: MediaFile, shot: Shot, *, project: str) -> Card:
    """Orange: the clip travels. Every run that takes the clip up says the same."""
    return _clip_card(shot, media, project, _("%(name)s is on its way"), ON_ITS_WAY)


def waiting_card(media: MediaFile, shot: Shot, error: PostFlowError, *, project: str) -> Card:
    """Orange: the clip was on its way, and waits; why. It goes by itself."""
    again, title = _("The clip is tried again by itself."), _("%(name)s is waiting")
    why = plain(f"{told(error.whole)} {again}", _LONGEST_REASON)
    return _clip_card(shot, media, project, title, ON_ITS_WAY, description=why)


def ready_card(delivery: Delivery, *, project: str, namesake: Namesake | None = None) -> Card:
    """Green: the clip can be watched, and here is the link.

    `namesake`: other content of its name and version that reviewers may have seen before.
    """
    link = web_link(delivery.view_url)
    took = human_duration(delivery.finished - delivery.started)
    way = f", {_(IN_WORDS[delivery.way])}" if delivery.way else ""
    doubt = doubt_text(delivery.media.doubt)
    opens = _("Open in Frame.io")
    return _clip_card(
        delivery.shot,
        delivery.media,
        project,
        _("%(name)s is ready for review"),
        READY,
        (_("Delivered in"), f"{took}{way}"),
        *([(_(STACK), _("follows"))] if delivery.stack_follows else []),
        *([(_("Please check"), plain(doubt, MAX_VALUE))] if doubt else []),
        *([(_(MEMBERS), f"[{opens}]({link})")] if link else []),
        description=namesake_text(namesake) if namesake else None,
        url=link,
        buttons=[(opens, link)] if link else [],
        at=delivery.finished,
        notifies=True,
    )


def with_share(card: Card, link: ShareLink) -> Card:
    """The clip's message, with the link for those who are no members, in the place of an older."""
    label, url = _(GUESTS[link.access]), web_link(link.url.get_secret_value())
    if url is None:
        return card
    others = {said for each in GUESTS.values() for said in in_all_languages(each)}
    lines = [line for line in card.lines if line[0] not in others]
    buttons = [button for button in card.buttons if button[0] not in others]
    added = {"lines": [*lines, (label, share_text(link, url))], "buttons": [*buttons, (label, url)]}
    return Card.model_validate(card.model_dump() | added)


def share_text(link: ShareLink, url: str) -> str:
    """The link by its name, how long it opens, and the passphrase that Frame.io made up for it."""
    told = f"[{plain(link.name, 200)}]({url})"
    if link.expires_at:
        day = dated(link.expires_at.astimezone(), _("%Y-%m-%d"))
        told += _(" until %(day)s") % {"day": day}
    if word := link.passphrase.get_secret_value() if link.passphrase else "":
        told += _(", passphrase: %(word)s") % {"word": plain(word, 255)}
    return told


def stacked_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """The message of a clip whose stack followed: that it does is told no longer."""
    stack = in_all_languages(STACK)
    return payload | {"lines": [line for line in payload["lines"] if line[0] not in stack]}


def unstacked_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """The message of a clip whose stack was to follow, and could not be made."""
    told, stack = [_(STACK), _("could not be made")], in_all_languages(STACK)
    return payload | {"lines": [told if line[0] in stack else line for line in payload["lines"]]}


def _clip_card(
    shot: Shot,
    media: MediaFile,
    project: str,
    title: str,
    colour: int,
    *lines: Line,
    **more: Any,
) -> Card:
    return Card(
        title=_title(shot, title),
        colour=colour,
        lines=(*_shot_lines(shot), *_file_lines(media), *_place_lines(shot, project), *lines),
        about=_about(shot, project),
        picture=media.revision,
        **more,
    )


def namesake_text(namesake: Namesake) -> str:
    """That the file was exported again, or that there are two of its name; as Discord shows it."""
    at = namesake.finished_at
    when = dated(at.astimezone(), _("on %Y-%m-%d at %H:%M")) if at else _("just now")
    if namesake.is_same_path:
        told = _("Exported again: it replaces what was delivered %(when)s.")
        return plain(told % {"when": when}, MAX_VALUE)
    where = f"{PurePath(namesake.root).name}/{namesake.relpath}"
    told = _(
        "⚠ Another file of this name and version, with other content, was delivered %(when)s from "
        "%(where)s. Both are in Frame.io: if one is not meant, say so to whoever exported it."
    )
    return plain(told % {"when": when, "where": where}, MAX_VALUE)


def failed_card(
    media: MediaFile,
    shot: Shot | None,
    error: PostFlowError,
    *,
    project: str | None = None,
) -> Card:
    """Red: what happened, and what a person can do."""
    why = error.told
    remedy = [(_("What to do"), plain(why.hint, MAX_VALUE))] if why.hint else []
    known = (*_shot_lines(shot), *_place_lines(shot, project)) if shot else ()
    failed = _("%(name)s has failed")
    title = _title(shot, failed) if shot else failed % {"name": plain(media.name, 200)}
    return Card(
        title=title,
        colour=FAILED,
        description=plain(why.message, _LONGEST_REASON),
        lines=(*remedy, *known, *_file_lines(media), (_("Code"), plain(error.code, 100))),
        at=datetime.now(UTC),
        about=_about(shot, project) if shot else {"file": media.name},
    )


def notice_card(title: str, text: str) -> Card:
    """Red: something that a person should look at."""
    return Card(
        title=plain(title, MAX_TITLE),
        colour=FAILED,
        description=plain(text, MAX_DESCRIPTION),
        at=datetime.now(UTC),
    )


def web_link(url: str) -> str | None:
    """The URL fit for a Markdown link, or None when it is too long or none of the web."""
    safe = quote(url, safe="/:?#@!$&'*+,;=%~-._")
    return safe if url.startswith(("https://", "http://")) and len(safe) <= LONGEST_LINK else None


def _title(shot: Shot, title: str) -> str:
    parts = (shot.sequence, shot.shot_name, shot.version)
    name = " ".join(plain(part, 60) for part in parts if part)
    return title % {"name": name or plain(shot.file_name, 200)}


def _about(shot: Shot, project: str | None) -> dict[str, str]:
    """What the name of a thread may hold; see `discord.webhook`."""
    named = {
        "sequence": shot.sequence,
        "shot": shot.shot_name,
        "version": shot.version,
        "file": shot.file_name,
        "project": project,
    }
    return {name: value for name, value in named.items() if value}


def _shot_lines(shot: Shot) -> list[Line]:
    named = (
        (_("Sequence"), shot.sequence),
        (_("Shot"), shot.shot_name),
        (_("Version"), shot.version),
    )
    return [(name, plain(value, LONGEST_VALUE)) for name, value in named if value]


def _file_lines(media: MediaFile) -> list[Line]:
    return [(_("File"), plain(media.name, 600)), (_("Size"), human_size(media.size))]


def _place_lines(shot: Shot, project: str | None) -> list[Line]:
    folder: list[Line] = [(_("Folder"), plain("/".join(shot.folder), LONGEST_VALUE))]
    return [*folder, (_("Project"), plain(project, LONGEST_VALUE))] if project else folder


def doubt_text(doubt: str | None) -> str:
    """What a person should look at before reviewers do."""
    return _("The file %(doubt)s.") % {"doubt": doubt} if doubt else ""
