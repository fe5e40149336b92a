"""Every state a clip and a message can be in, and every legal move between them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from postflow.errors import Fatal, PostFlowError


class ObservationState(StrEnum):
    """A path in the watched folder, before and after its content is known to be whole."""

    SETTLING = "settling"
    SETTLED = "settled"
    ASIDE = "aside"


class State(StrEnum):
    """How far one revision of a clip has come. `requesting` and `stacking` are intents."""

    READY = "ready"
    REQUESTING = "requesting"
    REQUESTED = "requested"
    ARRIVED = "arrived"
    STACKING = "stacking"
    STACKED = "stacked"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class MessageState(StrEnum):
    """How far an announcement has come. `sending` is an intent; `unknown` never got an answer."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"


class AttemptOutcome(StrEnum):
    """What became of one upload request."""

    OPEN = "open"
    ACCEPTED = "accepted"
    ARRIVED = "arrived"
    NOTHING = "nothing"
    FAILED = "failed"


class Phase(StrEnum):
    """Where a clip stands in a person's words."""

    SETTLING = "settling"
    REFUSED = "refused"
    SET_ASIDE = "set aside"
    WAITING = "waiting"
    ON_ITS_WAY = "on its way"
    DELIVERED = "delivered"
    SKIPPED = "skipped"
    FAILED = "failed"
    GONE = "gone"
    SUPERSEDED = "superseded"


_GIVEN_UP = {State.SKIPPED, State.FAILED, State.SUPERSEDED}

MOVES: Mapping[State, frozenset[State]] = {
    State.READY: frozenset({State.REQUESTING, *_GIVEN_UP}),
    # again: Frame.io was asked, and has no such file
    State.REQUESTING: frozenset({State.REQUESTED, State.REQUESTING, *_GIVEN_UP}),
    State.REQUESTED: frozenset({State.ARRIVED, State.REQUESTING, *_GIVEN_UP}),
    # from here on the clip is delivered, and nothing undoes that
    State.ARRIVED: frozenset({State.STACKING, State.DONE}),
    State.STACKING: frozenset({State.STACKED, State.STACKING, State.DONE}),
    State.STACKED: frozenset({State.DONE}),
    State.DONE: frozenset(),
    State.SKIPPED: frozenset({State.READY, State.SUPERSEDED}),
    State.FAILED: frozenset({State.READY, State.SUPERSEDED}),
    State.SUPERSEDED: frozenset({State.READY}),
}

MESSAGE_MOVES: Mapping[MessageState, frozenset[MessageState]] = {
    MessageState.PENDING: frozenset({MessageState.PENDING, MessageState.SENDING}),
    MessageState.SENDING: frozenset(
        {MessageState.SENT, MessageState.PENDING, MessageState.UNKNOWN, MessageState.FAILED}
    ),
    MessageState.SENT: frozenset({MessageState.PENDING}),
    # sent: a person says that the channel has it, or need not
    MessageState.UNKNOWN: frozenset({MessageState.PENDING, MessageState.SENT}),
    MessageState.FAILED: frozenset({MessageState.PENDING, MessageState.SENT}),
}

CLOSED = frozenset({State.DONE, *_GIVEN_UP})
"""No run works on these."""

OPEN = frozenset(State) - CLOSED
"""A run may claim these."""

DELIVERED = frozenset({State.ARRIVED, State.STACKING, State.STACKED, State.DONE})
"""The clip is whole in Frame.io, and no later failure undoes that."""

UNDELIVERED = OPEN - DELIVERED
"""Waits, or is on its way."""

REPLACEABLE = frozenset({State.READY, State.SKIPPED, State.FAILED})
"""Superseded as soon as the path holds newer content: nothing of these is in the world."""

NEEDS_FILE = frozenset({State.SKIPPED, State.FAILED})
"""Nothing is left for a person to do about these once a scan finds their file gone."""

FILE_GONE = "file.missing"
"""Code of a skip that is taken back when the file comes back."""


class IllegalMove(Fatal):
    """A state was to be left in a way that is not written down above."""


class StaleClaim(PostFlowError):
    """Another run has taken the clip over: this one stops, and calls nobody outside any more."""


def is_delivered(state: State, finished_at: datetime | None) -> bool:
    """In people's eyes: whole in Frame.io and told of, also when it is not on its stack yet."""
    return state in DELIVERED and finished_at is not None


def check_move(was: State, to: State) -> None:
    """Raise IllegalMove unless `was -> to` is in MOVES."""
    if to not in MOVES[was]:
        raise _illegal("clip", was, to)


def check_message_move(was: MessageState, to: MessageState) -> None:
    """Raise IllegalMove unless `was -> to` is in MESSAGE_MOVES."""
    if to not in MESSAGE_MOVES[was]:
        raise _illegal("message", was, to)


def _illegal(what: str, was: str, to: str) -> IllegalMove:
    return IllegalMove(
        f"A {what} that is {was} cannot become {to}.",
        hint="This is a fault in PostFlow: please report it with `postflow history`.",
        code="ledger.illegal_move",
    )
