"""What is shown in Prefect's UI holds up no clip and undoes none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from prefect.exceptions import PrefectException

log = logging.getLogger("postflow.deliver")

LONGEST = 5.0


@asynccontextmanager
async def courtesy(what: str, *, level: int = logging.WARNING) -> AsyncIterator[None]:
    """Tell the server; for some seconds only, and go on when it is away or busy."""
    try:
        async with asyncio.timeout(LONGEST):
            yield
    except (TimeoutError, httpx.HTTPError, PrefectException) as error:
        log.log(level, "Prefect's server did not take %s (%s).", what, type(error).__name__)
