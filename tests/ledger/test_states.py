"""The table of states: what may follow what."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from postflow.errors import Fatal
from postflow.ledger.states import (
    CLOSED,
    MESSAGE_MOVES,
    MOVES,
    OPEN,
    IllegalMove,
    MessageState,
    State,
    check_message_move,
    check_move,
)

DELIVERED = {State.ARRIVED, State.STACKING, State.STACKED, State.DONE}


def test_every_state_has_its_moves_written_down() -> None:
    assert set(MOVES) == set(State)
    assert set(MESSAGE_MOVES) == set(MessageState)


@pytest.mark.parametrize(("was", "to"), list(product(State, State)))
def test_what_is_not_in_the_table_is_refused(was: State, to: State) -> None:
    if to in MOVES[was]:
        check_move(was, to)
    else:
        with pytest.raises(IllegalMove) as refused:
            check_move(was, to)
        assert isinstance(refused.value, Fatal)
        assert refused.value.code == "ledger.illegal_move"


@pytest.mark.parametrize(("was", "to"), list(product(MessageState, MessageState)))
def test_messages_too(was: MessageState, to: MessageState) -> None:
    if to in MESSAGE_MOVES[was]:
        check_message_move(was, to)
    else:
        with pytest.raises(IllegalMove):
            check_message_move(was, to)


def test_a_delivered_clip_can_only_go_on_to_done() -> None:
    """Neither failed nor skipped nor requested again: a later stage never undoes a delivery."""
    for state in DELIVERED:
        assert set(_reachable(state)) <= DELIVERED


def test_done_is_reached_through_arrived_only() -> None:
    without: dict[State, frozenset[State]] = {
        state: to for state, to in MOVES.items() if state is not State.ARRIVED
    }
    assert State.DONE not in set(_reachable(State.READY, without))


def test_every_open_state_has_a_way_to_an_end() -> None:
    for state in OPEN:
        assert CLOSED & set(_reachable(state))


def _reachable(start: State, moves: dict[State, frozenset[State]] | None = None) -> Iterator[State]:
    seen, todo = set(), [start]
    while todo:
        state = todo.pop()
        if state not in seen:
            seen.add(state)
            yield state
            todo.extend((moves or MOVES).get(state, ()))
