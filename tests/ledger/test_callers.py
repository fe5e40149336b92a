"""Who calls Frame.io as the same user, so that each keeps to a part of its rates."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from postflow.ledger import Ledger, leases
from postflow.ledger.schema import leases as table


def at(ledger: Ledger, run_id: str, pid: int) -> None:
    """A living run of another host."""
    leases.start(ledger, run_id)
    with ledger.writing() as tx:
        there = {"machine": "elsewhere", "pid": pid}
        tx.execute(update(table).where(table.c.run_id == run_id).values(**there))


def test_each_living_process_that_calls_as_the_user_counts_once(ledger: Ledger) -> None:
    for run_id, pid in (("one", 1), ("two", 2), ("of two", 2), ("silent", 3), ("other", 4)):
        at(ledger, run_id, pid)
    assert leases.note_caller(ledger, "one", "studio") == 1
    assert leases.note_caller(ledger, "two", "studio") == 2
    assert leases.note_caller(ledger, "of two", "studio") == 2
    assert leases.note_caller(ledger, "other", "another") == 1
    assert leases.note_caller(ledger, "two", None) == 1
    assert leases.note_caller(ledger, "one", "studio") == 2, (
        "the process still has a run that calls"
    )
    assert leases.note_caller(ledger, "of two", None) == 1
    assert leases.note_caller(ledger, "one", "studio") == 1


def test_a_renewed_lease_goes_on_calling_and_one_that_ran_out_does_not(ledger: Ledger) -> None:
    for run_id, pid in (("one", 1), ("two", 2)):
        at(ledger, run_id, pid)
        leases.note_caller(ledger, run_id, "studio")
    leases.renew(ledger, "two")
    assert leases.note_caller(ledger, "one", "studio") == 2
    with ledger.writing() as tx:
        past = ledger.now() - timedelta(seconds=1)
        tx.execute(update(table).where(table.c.run_id == "two").values(expires_at=past))
    assert leases.note_caller(ledger, "one", "studio") == 1
