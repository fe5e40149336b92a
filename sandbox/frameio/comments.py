"""Comments on a file. Replies cannot be made, as in the stable version of the real API."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import Field

from postflow.sandbox.refusals import Json, invalid

from . import shapes
from .assets import new_id, now
from .endpoints import Body, Call, Table
from .files import FILE
from .queries import page

comments = Table()

TIMECODE = re.compile(r"\d{2}:\d{2}:\d{2}[:;]\d{2}")


class NewComment(Body):
    """`timestamp` is a frame from 1 on, or HH:MM:SS:FF; `duration` is in frames."""

    text: Annotated[str, Field(min_length=1, max_length=40_000)]
    timestamp: int | str | None = None
    duration: Annotated[int, Field(ge=1)] | None = None
    annotation: Annotated[str, Field(max_length=200_000)] | None = None
    page: int | None = None
    completed: bool | None = None


@dataclass(eq=False, kw_only=True)
class Comment:
    file_id: str
    owner_id: str
    text: str
    timestamp: int | str | None
    duration: int | None
    annotation: str | None
    page: int | None
    completed_at: datetime | None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)

    @property
    def owner(self) -> str:
        """What a list is sorted by."""
        return self.owner_id


@comments.write("comments.create", "POST", f"{FILE}/comments", NewComment)
async def create_comment(call: Call, data: NewComment) -> Json:
    _check_timestamp(data.timestamp)
    file = call.file
    comment = Comment(
        file_id=file.id,
        owner_id=call.user.id,
        text=data.text,
        timestamp=data.timestamp,
        duration=data.duration,
        annotation=data.annotation,
        page=data.page,
        completed_at=now() if data.completed else None,
    )
    call.world.comments.append(comment)
    call.world.tell("comment.created", comment.id, file.project_id, call.user)
    return {"data": _shape(comment)}


def _check_timestamp(timestamp: int | str | None) -> None:
    wrong_frame = isinstance(timestamp, int) and timestamp < 1
    if wrong_frame or (isinstance(timestamp, str) and not TIMECODE.fullmatch(timestamp)):
        raise invalid("/data/timestamp", "Invalid timestamp")


@comments.read("comments.list", f"{FILE}/comments")
async def list_comments(call: Call) -> Json:
    file = call.file
    found = [comment for comment in call.world.comments if comment.file_id == file.id]
    return page(found, call.asked, call.path, lambda it: _shape(it) | _includes(call, it))


def _shape(comment: Comment) -> Json:
    completed = comment.completed_at is not None
    return {
        "id": comment.id,
        "file_id": comment.file_id,
        "text": comment.text,
        "timestamp": comment.timestamp,
        "duration": comment.duration,
        "annotation": comment.annotation,
        "page": comment.page,
        "attachments": [],
        "links": [],
        "mentions": [],
        "anchor": None,
        "text_edited_at": None,
        "text_review_annotation": None,
        "completed_at": shapes.stamp(comment.completed_at),
        "completer_id": comment.owner_id if completed else None,
        "created_at": shapes.stamp(comment.created_at),
        "updated_at": shapes.stamp(comment.created_at),
    }


def _includes(call: Call, comment: Comment) -> Json:
    shape: Json = {}
    if "owner" in call.asked.include:
        shape["owner"] = shapes.user(call.world.studio.user(comment.owner_id))
    if "replies" in call.asked.include:
        shape["replies"] = []
    return shape
