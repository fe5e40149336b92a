"""What a message says. Pure: models in, a webhook payload out.

Limits and keys: https://discord.com/developers/docs/resources/message#embed-object
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Annotated, Any, Self
from urllib.parse import quote

from pydantic import ConfigDict, Field, model_validator

from postflow.errors import PostFlowError
from postflow.ledger import Announcement, Namesake, ShareLink
from postflow.models import IN_WORDS, Delivery, FrozenModel, MediaFile, Project, Shot

ON_ITS_WAY = 0xFFA500
READY = 0x00FF00
FAILED = 0xFF0000

# Which link opens for whom.
MEMBERS = "For members"
GUESTS = {"public": "For everybody with the link", "secure": "For invited reviewers"}

MAX_TITLE = 256
MAX_DESCRIPTION = 4096
MAX_FIELDS = 25
MAX_FIELD_NAME = 256
MAX_VALUE = 1024
MAX_TOTAL = 6000
MAX_BUTTONS = 5
MAX_LABEL = 80

LONGEST_LINK = 512
PICTURE = "picture.jpg"
STACK = "Version stack"

_LONGEST_REASON = 1500
_LONGEST_VALUE = 300

Line = tuple[
    Annotated[str, Field(min_length=1, max_length=MAX_FIELD_NAME)],
    Annotated[str, Field(min_length=1, max_length=MAX_VALUE)],
]

Button = tuple[
    Annotated[str, Field(min_length=1, max_length=MAX_LABEL)],
    Annotated[str, Field(pattern="^https?://", max_length=LONGEST_LINK)],
]

_MARKDOWN = re.compile(r"([\\*_~`|>#\[\]()<:@-])")
_UNITS = ("KB", "MB", "GB", "TB")


def plain(text: str, limit: int) -> str:
    """At most `limit` characters that render as `text`, in one line."""
    seen = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    escaped = _MARKDOWN.sub(r"\\\1", " ".join(seen.split()))
    return shortened(escaped, limit) or "(empty)"


def shortened(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, an ellipsis in the place of what is gone."""
    if len(text) <= limit:
        return text
    return text[: limit - 1].rstrip("\\ ") + "…"


def counted(number: int, thing: str) -> str:
    """1 clip, 2 clips."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def human_size(size: int) -> str:
    """Bytes in decimal units, as disks and Frame.io count them: 831 MB."""
    if size < 1000:
        return counted(size, "byte")
    amount = float(size)
    for unit in _UNITS:
        amount /= 1000
        if amount < 999.5 or unit == _UNITS[-1]:
            break
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"


def human_duration(duration: timedelta) -> str:
    """Whole seconds up to an hour, then minutes: 8 s, 2 min 05 s, 1 h 12 min."""
    seconds = max(0, round(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class Card(FrozenModel):
    """One message. `lines` are names and values, escaped already; `about` are the clip's fields.

    `notifies`: whoever waits for such a clip, if the channel's settings name a role for it.
    `buttons`: labels and the addresses they lead to. `picture`: the revision whose picture it
    shows, where there is one when it is sent; see `media.picture`.

    Keys that another version of PostFlow put into the outbox, unknown here, are left out.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: str = Field(min_length=1, max_length=MAX_TITLE)
    colour: int = Field(ge=0, le=0xFFFFFF)
    description: str | None = Field(default=None, min_length=1, max_length=MAX_DESCRIPTION)
    lines: tuple[Line, ...] = Field(default=(), max_length=MAX_FIELDS)
    url: str | None = None
    buttons: tuple[Button, ...] = Field(default=(), max_length=MAX_BUTTONS)
    notifies: bool = False
    picture: str | None = Field(default=None, pattern="^[0-9a-f]{32}$")
    at: datetime | None = None
    about: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        texts = [
            self.title,
            self.description or "",
            *(text for line in self.lines for text in line),
        ]
        if sum(map(len, texts)) > MAX_TOTAL:
            raise ValueError(f"a card holds at most {MAX_TOTAL} characters")
        return self

    def announcement(self, key: str, channel: str) -> Announcement:
        """What the outbox keeps of it. One key is one message."""
        return Announcement(key=key, channel=channel, payload=self.model_dump(mode="json"))

    def call(self) -> Card:
        """A short message for those who are not notified by this one, since that is an edit."""
        return Card(**{name: getattr(self, name) for name in _OF_CALL})

    def payload(self, *, pictured: bool = False, role: str | None = None) -> dict[str, Any]:
        """The JSON body for POST and PATCH. Nobody is mentioned but that role, whatever the texts
        say: https://discord.com/developers/docs/resources/message#allowed-mentions-object

        `pictured`: with the file 0 of the request, in place of any that the message has.
        """
        embed: dict[str, Any] = {
            "title": self.title,
            "color": self.colour,
            "fields": [{"name": n, "value": v, "inline": len(v) <= 40} for n, v in self.lines],
            "footer": {"text": "PostFlow"},
        }
        if self.at:
            embed["timestamp"] = self.at.astimezone(UTC).isoformat()
        if self.description:
            embed["description"] = self.description
        if self.url:
            embed["url"] = self.url
        if pictured:
            embed["image"] = {"url": f"attachment://{PICTURE}"}
        return {
            "embeds": [embed],
            "components": self._rows(),
            "attachments": [{"id": 0, "filename": PICTURE}] if pictured else [],
            "content": f"<@&{role}>" if role else "",
            "allowed_mentions": {"parse": []} | ({"roles": [role]} if role else {}),
        }

    def _rows(self) -> list[dict[str, Any]]:
        """Link buttons (style 5), the only ones that a plain webhook may send, in one row."""
        links = [{"type": 2, "style": 5, "label": label, "url": url} for label, url in self.buttons]
        return [{"type": 1, "components": links}] if links else []


_OF_CALL = ("title", "colour", "url", "buttons", "notifies", "at", "about")


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
