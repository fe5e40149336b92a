"""Whose clock leases go by, where the clocks of hosts differ."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from postflow.ledger import Ledger, claims, leases, roots
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


@pytest.mark.parametrize(
    ("kind", "robbed"), [pytest.param("sqlite", 4, id="sqlite"), pytest.param("postgres", 0)]
)
def test_a_host_whose_clock_is_ahead_robs_nobody_on_postgresql(
    request: pytest.FixtureRequest, kind: str, robbed: int
) -> None:
    """SQLite is one machine's, and goes by its clock."""
    where = str(request.getfixturevalue(f"{kind}_url"))
    with Ledger.open(where) as ledger, ProcessPoolExecutor(1, mp_context=processes) as pool:
        add_many(ledger, roots.add(ledger, "main", Path("/mnt/show")), 4)
        mine = claims.claim(ledger, "mine", limit=9)
        got, ahead = pool.submit(claim_with_a_clock_ahead, where).result()
        assert (len(mine), got) == (4, robbed)
        if kind == "postgres":
            assert AHEAD - ahead < timedelta(seconds=30)
            assert not clocks_apart(ledger.host_ahead, "here")
            claims.release(ledger, mine[0])


def serves_for(ledger: Ledger, seconds: float) -> None:
    """As PostgreSQL says it has: a function of ours stands before its own."""
    with ledger.writing() as connection:
        connection.exec_driver_sql(
            "CREATE OR REPLACE FUNCTION pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql"
            f" AS $$SELECT now() - interval '{seconds} s'$$"
        )


def test_who_could_not_renew_while_postgresql_was_away_has_a_while_to_do_so(
    postgres_url: str,
) -> None:
    """Also where a run begins just then, which was never silent itself."""
    with Ledger.open(f"{postgres_url},pg_catalog") as ledger:
        add_many(ledger, roots.add(ledger, "main", Path("/mnt/show")), 1)
        claims.claim(ledger, "silent", limit=1, lease_seconds=0)
        serves_for(ledger, 5)
        assert claims.claim(ledger, "begins", limit=1) == []
        leases.renew(ledger, "silent", lease_seconds=0)
        serves_for(ledger, 40)
        assert len(claims.claim(ledger, "begins", limit=1)) == 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(2, None), (-3, None), (46, "46 s ahead of the"), (-90, "90 s behind the")],
)
def test_the_check_warns_of_clocks_that_are_apart(seconds: int, said: str | None) -> None:
    warning = clocks_apart(timedelta(seconds=seconds), "here")
    assert warning is None if said is None else said in str(warning)
