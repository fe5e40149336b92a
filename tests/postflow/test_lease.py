"""A run's lease while it lives."""

from __future__ import annotations

from pathlib import Path

import pytest

from postflow.errors import PostFlowError
from postflow.ledger import Announcement, Ledger, leases, open_ledger, outbox
from postflow.ledger.leases import hold_lease
from tests.support.stumbling import BUSY, stumbling
from tests.support.wait import wait_until

MESSAGE = Announcement(key="one", channel="main", payload={"title": "hello"})


async def test_a_run_that_was_taken_for_dead_is_on_duty_again(tmp_path: Path) -> None:
    """As after a long sleep of its machine."""
    path = tmp_path / "ledger.db"
    async with open_ledger(path) as ledger:
        await ledger.run(outbox.enqueue, MESSAGE)
        async with hold_lease(ledger, "run-1", lease_seconds=0.4):
            with Ledger.open(path) as another:
                leases.end(another, "run-1")
                assert not may_send(another)
                await wait_until(lambda: may_send(another), description="the next renewal")
        with Ledger.open(path) as another:
            assert leases.recover(another).runs == (), "it has left in good order"


@pytest.mark.parametrize(
    ("call", "fault"),
    [("renew", KeyError("unforeseen")), ("start", KeyError("unforeseen")), ("end", BUSY)],
)
async def test_whatever_the_ledger_answers_the_lease_is_kept(
    tmp_path: Path, call: str, fault: Exception
) -> None:
    """At a renewal, at the entry after a long silence, at the end."""
    path = tmp_path / "ledger.db"
    async with open_ledger(path) as opened:
        ledger, stumbler = stumbling(opened)
        async with hold_lease(ledger, "run-1", lease_seconds=0.2):
            await opened.run(leases.end, "run-1")
            stumbler.faults[call] = [fault]
            seen = stumbler.calls["start"]
            await wait_until(lambda: stumbler.calls["start"] > seen + (call == "start"))
            seen = stumbler.calls["renew"]
            await wait_until(lambda: stumbler.calls["renew"] > seen + 2)
    assert not stumbler.yet_to_come


def may_send(ledger: Ledger) -> bool:
    (message,) = outbox.messages(ledger)
    try:
        outbox.sending(ledger, message, "run-1")
    except PostFlowError:
        return False
    return True
