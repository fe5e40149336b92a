"""Threads of the webhook's channel: the posts of a forum, or those of a text channel.

https://discord.com/developers/docs/topics/threads
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from .forms import MessageForm, Refusal

Channel = Literal["text", "forum", "forum_with_tags"]

UNKNOWN_CHANNEL = 10003
TAG_REQUIRED = 40067
UNKNOWN_TAG = 10087
ARCHIVED = 50083
LOCKED = 160005
FORUM_WANTS_THREAD = 220001
ONE_OF_BOTH = 220002
NO_FORUM = 220003


@dataclass
class Thread:
    """A locked one is opened again by nobody who only posts."""

    id: str
    name: str
    tags: tuple[str, ...] = ()
    archived: bool = False
    locked: bool = False


class Threads:
    """Of one channel. `new_id` gives ids; the webhook may open threads in a forum only.

    `tags`: what a post of the forum may be tagged with, names by ids.
    """

    def __init__(self, channel: Channel, channel_id: str, new_id: Callable[[], str]) -> None:
        self._channel = channel
        self._channel_id = channel_id
        self._new_id = new_id
        self.known: dict[str, Thread] = {}
        self.tags = {} if channel == "text" else {new_id(): "review", new_id(): "animation"}

    def open(self, name: str, thread_id: str | None = None, *, tags: Sequence[str] = ()) -> Thread:
        thread = Thread(thread_id or self._new_id(), name, tuple(tags))
        self.known[thread.id] = thread
        return thread

    def place_for(self, form: MessageForm, thread_id: str | None, message_id: str) -> str:
        """The channel or thread that a new message goes to; a new thread has the message's id.

        Raises Refusal.
        """
        if thread_id is not None and form.thread_name is not None:
            raise Refusal(
                400,
                ONE_OF_BOTH,
                "Webhooks posted to forum channels cannot have both a thread_name and thread_id",
            )
        if thread_id is not None:
            return self._awakened(thread_id).id
        if self._channel == "text":
            if form.thread_name is not None:
                raise Refusal(400, NO_FORUM, "Webhooks can only create threads in forum channels")
            return self._channel_id
        if form.thread_name is None:
            raise Refusal(
                400,
                FORUM_WANTS_THREAD,
                "Webhooks posted to forum channels must have a thread_name or thread_id",
            )
        if self._channel == "forum_with_tags" and not form.applied_tags:
            raise Refusal(
                400, TAG_REQUIRED, "A tag is required to create a forum post in this channel"
            )
        if not set(form.applied_tags) <= self.tags.keys():
            raise Refusal(404, UNKNOWN_TAG, "Unknown Tag")
        return message_id

    def place_of(self, thread_id: str | None, *, edits: bool = False) -> str:
        """Where a message is looked for. Raises Refusal, also if it cannot be edited there."""
        if thread_id is None:
            return self._channel_id
        thread = self._find(thread_id)
        if edits and thread.archived:
            raise Refusal(400, ARCHIVED, "Thread is archived")
        if edits and thread.locked:
            raise Refusal(400, LOCKED, "Thread is locked")
        return thread.id

    def _awakened(self, thread_id: str) -> Thread:
        """A message opens an archived thread, unless somebody has locked it."""
        thread = self._find(thread_id)
        if thread.locked:
            code = ARCHIVED if thread.archived else LOCKED
            raise Refusal(400, code, f"Thread is {'archived' if thread.archived else 'locked'}")
        thread.archived = False
        return thread

    def _find(self, thread_id: str) -> Thread:
        if thread_id not in self.known:
            raise Refusal(404, UNKNOWN_CHANNEL, "Unknown Channel")
        return self.known[thread_id]
