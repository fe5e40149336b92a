"""What a message says. Pure: models in, a webhook payload out.

Limits and keys: https://discord.com/developers/docs/resources/message#embed-object
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from postflow.errors import PostFlowError
from postflow.models import Delivery, MediaFile, Moment, Project, Shot

from .text import human_duration, human_size, plain, shortened

ON_ITS_WAY = 0xFFA500
READY = 0x00FF00
FAILED = 0xFF0000
BATCH = 0x0099FF

MAX_TITLE = 256
MAX_DESCRIPTION = 4096
MAX_FIELDS = 25
MAX_FIELD_NAME = 256
MAX_VALUE = 1024
MAX_TOTAL = 6000
MAX_URL = 2048

_LONGEST_REASON = 1500
_LONGEST_VALUE = 300
_LISTED = 15

Line = tuple[
    Annotated[str, Field(min_length=1, max_length=MAX_FIELD_NAME)],
    Annotated[str, Field(min_length=1, max_length=MAX_VALUE)],
]


class Card(Moment):
    """One message. `lines` are names and values, escaped already."""

    title: str = Field(min_length=1, max_length=MAX_TITLE)
    colour: int = Field(ge=0, le=0xFFFFFF)
    description: str | None = Field(default=None, min_length=1, max_length=MAX_DESCRIPTION)
    lines: tuple[Line, ...] = Field(default=(), max_length=MAX_FIELDS)
    url: str | None = None
    thumbnail_url: str | None = None
    at: datetime

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

    def payload(self) -> dict[str, Any]:
        """The JSON body for POST and PATCH. Nobody is mentioned, whatever the texts say."""
        embed: dict[str, Any] = {
            "title": self.title,
            "color": self.colour,
            "fields": [{"name": n, "value": v, "inline": len(v) <= 40} for n, v in self.lines],
            "footer": {"text": "PostFlow"},
            "timestamp": self.at.astimezone(UTC).isoformat(),
        }
        if self.description:
            embed["description"] = self.description
        if self.url:
            embed["url"] = self.url
        if self.thumbnail_url:
            embed["thumbnail"] = {"url": self.thumbnail_url}
        return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def on_its_way_card(
    media: MediaFile, shot: Shot, *, project: Project | str, at: datetime | None = None
) -> Card:
    """Orange: the clip travels."""
    return Card(
        title=_title(shot, "is on its way"),
        colour=ON_ITS_WAY,
        lines=(*_what(shot), *_file(media), *_place(shot, project)),
        at=at or datetime.now(UTC),
    )


def ready_card(
    delivery: Delivery, *, project: Project | str, thumbnail_url: str | None = None
) -> Card:
    """Green: the clip can be watched, and here is the link."""
    link = web_link(delivery.view_url)
    took = human_duration(delivery.finished - delivery.started)
    return Card(
        title=_title(delivery.shot, "is ready for review"),
        colour=READY,
        lines=(
            *_what(delivery.shot),
            *_file(delivery.media),
            *_place(delivery.shot, project),
            ("Duration", took),
            *([("Link", f"[Open in Frame.io]({link})")] if link else []),
        ),
        url=link,
        thumbnail_url=web_link(thumbnail_url or "", MAX_URL),
        at=delivery.finished,
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
    known = (*_what(shot), *_place(shot, project)) if shot else ()
    title = _title(shot, "has failed") if shot else f"{plain(media.name, 200)} has failed"
    return Card(
        title=title,
        colour=FAILED,
        description=plain(error.message, _LONGEST_REASON),
        lines=(*remedy, *known, *_file(media), ("Code", plain(error.code, 100))),
        at=at or datetime.now(UTC),
    )


def batch_card(
    deliveries: Sequence[Delivery],
    failures: Mapping[str, PostFlowError],
    *,
    project: Project | str,
    waiting: int = 0,
    at: datetime | None = None,
) -> Card:
    """Blue: many clips in one message; failures, by file name, are spelled out first."""
    size = sum(delivery.media.size for delivery in deliveries)
    counts = [("Delivered", f"{len(deliveries)} ({human_size(size)})")]
    counts += [("Failed", str(len(failures)))] if failures else []
    counts += [("Waiting", str(waiting))] if waiting else []
    told = [_failure_told(name, error) for name, error in failures.items()]
    told += [_delivery_told(delivery) for delivery in deliveries]
    return Card(
        title=f"{len(deliveries) + len(failures) + waiting} clips",
        colour=BATCH,
        description=_listed(told),
        lines=(*counts, ("Project", _project(project))),
        at=at or datetime.now(UTC),
    )


def skipped_card(skipped: Mapping[str, PostFlowError], *, at: datetime | None = None) -> Card:
    """Red: names that nobody understood, each with what would be right."""
    return Card(
        title=f"{len(skipped)} clips have names PostFlow does not know",
        colour=FAILED,
        description=_listed([_failure_told(name, error) for name, error in skipped.items()]),
        at=at or datetime.now(UTC),
    )


def notice_card(title: str, text: str, *, at: datetime | None = None) -> Card:
    """Red: something that a person should look at."""
    return Card(
        title=plain(title, MAX_TITLE),
        colour=FAILED,
        description=plain(text, MAX_DESCRIPTION),
        at=at or datetime.now(UTC),
    )


def web_link(url: str, limit: int = 512) -> str | None:
    """The URL fit for a Markdown link, or None when it is too long or none of the web."""
    safe = quote(url, safe="/:?#@!$&'*+,;=%~-._")
    return safe if url.startswith(("https://", "http://")) and len(safe) <= limit else None


def _title(shot: Shot, state: str) -> str:
    parts = (shot.sequence, _shot_name(shot), shot.version)
    name = " ".join(plain(part, 60) for part in parts if part)
    return f"{name or plain(shot.file_name, 200)} {state}"


def _shot_name(shot: Shot) -> str | None:
    if shot.shot and shot.project_code:
        return f"{shot.project_code}_{shot.shot}"
    return shot.shot


def _what(shot: Shot) -> list[Line]:
    named = (("Sequence", shot.sequence), ("Shot", _shot_name(shot)), ("Version", shot.version))
    return [(name, plain(value, _LONGEST_VALUE)) for name, value in named if value]


def _file(media: MediaFile) -> list[Line]:
    return [("File", plain(media.name, 600)), ("Size", human_size(media.size))]


def _place(shot: Shot, project: Project | str | None) -> list[Line]:
    folder: list[Line] = [("Folder", plain("/".join(shot.folder), _LONGEST_VALUE))]
    return [*folder, ("Project", _project(project))] if project else folder


def _project(project: Project | str) -> str:
    return plain(project if isinstance(project, str) else project.name, _LONGEST_VALUE)


def _failure_told(name: str, error: PostFlowError) -> str:
    return f"❌ {plain(name, 120)}: {plain(f'{error.message} {error.hint}', 240)}"


def _delivery_told(delivery: Delivery) -> str:
    name, link = plain(delivery.media.name, 120), web_link(delivery.view_url)
    return f"✅ [{name}]({link})" if link and len(link) < 120 else f"✅ {name}"


def _listed(told: list[str]) -> str | None:
    shown = told[:_LISTED]
    while len("\n".join(shown)) > MAX_DESCRIPTION - 100:
        shown.pop()
    more = len(told) - len(shown)
    lines = [*shown, f"… and {more} more"] if more else shown
    return shortened("\n".join(lines), MAX_DESCRIPTION) or None
