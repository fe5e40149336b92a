"""A run's lease while it lives."""

from __future__ import annotations

from pathlib import Path

import pytest

from postflow.engine.lease import hold_lease
from postflow.errors import PostFlowError
from postflow.ledger import Draft, Ledger, open_ledger
from tests.support.stumbling import BUSY, stumbling
from tests.support.wait import wait_until

MESSAGE = Draft(key="one", channel="main", payload={"title": "hello"})


async def test_a_run_that_was_taken_for_dead_is_on_duty_again(tmp_path: Path) -> None:
    """As after a long sleep of its machine."""
    path = tmp_path / "ledger.db"
    async with open_ledger(path) as ledger:
        await ledger.enqueue(MESSAGE)
        async with hold_lease(ledger, "run-1", lease_seconds=0.4):
            with Ledger.open(path) as another:
                another.leave("run-1")
                assert not may_send(another)
                await wait_until(lambda: may_send(another), description="the next renewal")
        with Ledger.open(path) as another:
            assert another.recover().runs == (), "it has left in good order"


@pytest.mark.parametrize(
    ("call", "fault"),
    [("renew", KeyError("unforeseen")), ("enter", KeyError("unforeseen")), ("leave", BUSY)],
)
async def test_whatever_the_ledger_answers_the_lease_is_kept(
    tmp_path: Path, call: str, fault: Exception
) -> None:
    """At a renewal, at the entry after a long silence, at the end."""
    path = tmp_path / "ledger.db"
    async with open_ledger(path) as opened:
        ledger, stumbler = stumbling(opened)
        async with hold_lease(ledger, "run-1", lease_seconds=0.2):
            await opened.leave("run-1")
            stumbler.faults[call] = [fault]
            seen = stumbler.calls["enter"]
            await wait_until(lambda: stumbler.calls["enter"] > seen + (call == "enter"))
            seen = stumbler.calls["renew"]
            await wait_until(lambda: stumbler.calls["renew"] > seen + 2)
    assert not stumbler.yet_to_come


def may_send(ledger: Ledger) -> bool:
    (message,) = ledger.messages()
    try:
        ledger.sending(message, "run-1")
    except PostFlowError:
        return False
    return True
