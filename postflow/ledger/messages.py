"""What a channel is told, as frozen types."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from postflow.models import FrozenModel

from .states import MessageState


class Announcement(FrozenModel):
    """What a channel is to show. One key is one message, whatever it says later."""

    key: str
    channel: str
    payload: dict[str, Any]


class Message(FrozenModel):
    """An announcement in the outbox. With a `message_id` it is an edit, else a new post.

    While it is sent: the name of the `thread` it belongs in, and that one's id where it is known.
    """

    key: str
    channel: str
    clip_id: int | None
    payload: dict[str, Any]
    wanted: int
    message_id: str | None
    state: MessageState
    run_id: str | None
    token: int
    tries: int
    not_before: datetime | None
    made_at: datetime
    since: datetime
    reason: str | None
    hint: str | None
    code: str | None
    thread: str | None = None
    thread_id: str | None = None


class Unannounced(FrozenModel):
    """A message that is not in its channel, or may not be. `about`: a clip's path, or its title."""

    key: str
    channel: str
    state: MessageState
    since: datetime
    reason: str | None
    hint: str | None
    code: str | None
    about: str
