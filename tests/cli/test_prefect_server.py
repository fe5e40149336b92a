"""Writers of the server's SQLite database wait for each other, where Prefect alone refuses some."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from postflow.service.prefect_server import begin_immediate

WRITERS = 8


@pytest.fixture(params=[False, True], ids=["Prefect alone", "ours"])
def ours(request: pytest.FixtureRequest) -> Iterator[bool]:
    if request.param:
        event.listen(Engine, "before_cursor_execute", begin_immediate, retval=True)
    yield request.param
    if request.param:
        event.remove(Engine, "before_cursor_execute", begin_immediate)


async def test_writers_that_read_first_wait_for_each_other(tmp_path: Path, ours: bool) -> None:
    database = AioSqliteConfiguration(connection_url=f"sqlite+aiosqlite:///{tmp_path}/prefect.db")
    engine = await database.engine()
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE runs (name TEXT)"))
    ended = await asyncio.gather(*(_write(database, engine, n) for n in range(WRITERS)))
    await engine.dispose()
    refused = ended.count(False)
    assert refused == 0 if ours else refused > 0, "else there is no need for ours any more"


async def _write(database: AioSqliteConfiguration, engine: AsyncEngine, number: int) -> bool:
    async with await database.session(engine) as session:
        try:
            async with database.begin_transaction(session):
                await session.execute(text("SELECT count(*) FROM runs"))
                await asyncio.sleep(0.02)
                await session.execute(text("INSERT INTO runs VALUES (:n)"), {"n": str(number)})
        except OperationalError:
            return False
    return True
