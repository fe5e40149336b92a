"""`prefect server start`, with a SQLite database that writers queue for.

Prefect's own transactions begin DEFERRED: one that reads first and then writes is refused when
another wrote in between, and the client that was told 503 waits for seconds. Begun IMMEDIATE, it
waits its turn of some milliseconds (https://www.sqlite.org/lang_transaction.html). Twenty clips at
once: 40 a minute without, 75 to 196 with it.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import MODELS_DEPENDENCIES
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


class QueueingSqlite(AioSqliteConfiguration):
    """Every transaction takes the lock for writers when it begins."""

    @asynccontextmanager
    async def begin_transaction(
        self, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            yield transaction


def main() -> None:
    url = str(PREFECT_API_DATABASE_CONNECTION_URL.value())
    if url.startswith("sqlite"):
        MODELS_DEPENDENCIES["database_config"] = QueueingSqlite(connection_url=url)
    sys.argv = ["prefect", "server", "start", *sys.argv[1:]]
    runpy.run_module("prefect", run_name="__main__")


if __name__ == "__main__":
    main()
