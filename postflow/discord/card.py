"""One message as data, and how any text comes to stand in it.

Limits and keys: https://discord.com/developers/docs/resources/message#embed-object
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from postflow.language import _, shortened, where_to_type
from postflow.ledger import Announcement
from postflow.models import FrozenModel

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

Line = tuple[
    Annotated[str, Field(min_length=1, max_length=MAX_FIELD_NAME)],
    Annotated[str, Field(min_length=1, max_length=MAX_VALUE)],
]

Button = tuple[
    Annotated[str, Field(min_length=1, max_length=MAX_LABEL)],
    Annotated[str, Field(pattern="^https?://", max_length=LONGEST_LINK)],
]

_MARKDOWN = re.compile(r"([\\*_~`|>#\[\]()<:@-])")


def plain(text: str, limit: int) -> str:
    """At most `limit` characters that render as `text`, in one line."""
    seen = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    escaped = _MARKDOWN.sub(r"\\\1", " ".join(seen.split()))
    return shortened(escaped, limit) or _("(empty)")


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

    `notifies`: whoever waits for such a clip, if the channel's settings name a role for its
    sequence, or for one of the `sequences` that the message is about.
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
    sequences: tuple[str, ...] = ()
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

    @property
    def called(self) -> tuple[str, ...]:
        """The sequences for which somebody is to be notified."""
        own = self.about.get("sequence")
        return (*([own] if own else []), *self.sequences) if self.notifies else ()

    def call(self) -> Card:
        """A short message for those who are not notified by this one, since that is an edit."""
        return Card(**{name: getattr(self, name) for name in _OF_CALL})

    def payload(self, *, pictured: bool = False, roles: Sequence[str] = ()) -> dict[str, Any]:
        """The JSON body for POST and PATCH. Nobody is mentioned but these roles, whatever the texts
        say: https://discord.com/developers/docs/resources/message#allowed-mentions-object

        `pictured`: with the file 0 of the request, in place of any that the message has.
        """
        said = (self.description or "", *(value for _name, value in self.lines))
        embed: dict[str, Any] = {
            "title": self.title,
            "color": self.colour,
            "fields": [{"name": n, "value": v, "inline": len(v) <= 40} for n, v in self.lines],
            "footer": {"text": where_to_type(*said) or "PostFlow"},
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
            "content": " ".join(f"<@&{role}>" for role in roles),
            "allowed_mentions": {"parse": []} | ({"roles": [*roles]} if roles else {}),
        }

    def _rows(self) -> list[dict[str, Any]]:
        """Link buttons (style 5), the only ones that a plain webhook may send, in one row."""
        links = [{"type": 2, "style": 5, "label": label, "url": url} for label, url in self.buttons]
        return [{"type": 1, "components": links}] if links else []


_OF_CALL = ("title", "colour", "url", "buttons", "notifies", "sequences", "at", "about")
