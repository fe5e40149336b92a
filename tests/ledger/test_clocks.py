"""Whose clock leases go by, where the clocks of hosts differ."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from postflow.ledger import Ledger, claims, roots
from postflow.ledger import ledger as module
from postflow.service.check import clocks_apart
from tests.ledger.ground import add_many
from tests.ledger.lives import processes

AHEAD = timedelta(seconds=120)


def claim_with_a_clock_ahead(where: str) -> tuple[int, timedelta]:
    """In a process of its own: how many clips it gets, and how far ahead it thinks it is."""
    module.utc_now = lambda: datetime.now(tz=UTC) + AHEAD
    with Ledger.open(where) as ledger:
        return len(claims.claim(ledger, "ahead", limit=9)), ledger.host_ahead


def test_a_host_whose_clock_is_ahead_goes_by_that_of_postgresql(postgres_url: str) -> None:
    with Ledger.open(postgres_url) as ledger, ProcessPoolExecutor(1, mp_context=processes) as pool:
        add_many(ledger, roots.add(ledger, "main", Path("/mnt/show")), 4)
        mine = claims.claim(ledger, "mine", limit=9)
        got, ahead = pool.submit(claim_with_a_clock_ahead, postgres_url).result()
        assert (len(mine), got) == (4, 0)
        assert AHEAD - ahead < timedelta(seconds=30)
        assert not clocks_apart(ledger.host_ahead, "here")
        claims.release(ledger, mine[0])


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(2, None), (-3, None), (46, "46 s ahead of the"), (-90, "90 s behind the")],
)
def test_the_check_warns_of_clocks_that_are_apart(seconds: int, said: str | None) -> None:
    warning = clocks_apart(timedelta(seconds=seconds), "here")
    assert warning is None if said is None else said in str(warning)
