"""The page of clips beside `up`'s other work: its studios, and what delivers by hand for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from socket import socket
from typing import NoReturn

import httpx
from prefect.deployments.flow_runs import arun_deployment
from prefect.exceptions import PrefectException

from postflow.blocks.studio import Studio
from postflow.errors import Retry, engine_trouble
from postflow.page.server import Page, served
from postflow.page.studios import PageStudio
from postflow.state import password, reading_password

from .serve import deployment_name


async def keep_page(
    studios: Mapping[str, Studio], listener: socket, *, prefect: str
) -> NoReturn:
    """Serve it until cancelled. `prefect`: where runs are seen."""
    async with AsyncExitStack() as stack:
        shown = [await stack.enter_async_context(_shown(*each)) for each in studios.items()]
        page = Page(shown, password=password(), reading=reading_password(), prefect=prefect)
        await stack.enter_async_context(served(page, listener))
        await asyncio.Event().wait()
    raise AssertionError


def _shown(name: str, studio: Studio) -> PageStudio:
    return PageStudio(
        name=name,
        project=studio.frameio.project,
        naming=studio.get_naming(),
        where=studio.ledger,
        announces=studio.discord is not None,
        deliver=partial(_deliver, name),
    )


async def _deliver(studio: str, path: Path, sequence: str | None, shot: str | None) -> None:
    """By a run of the studio's runner. Raises Retry `prefect.unreachable` and its kin."""
    deployment = f"deliver/{deployment_name('deliver', studio)}"
    asked = {"path": str(path), "studio": studio, "scene": sequence, "shot": shot}
    try:
        await arun_deployment(deployment, parameters=asked, timeout=0, as_subflow=False)
    except (httpx.HTTPError, PrefectException) as error:
        raise engine_trouble(error) or Retry(
            f"Prefect's server did not take the run: {error}",
            hint="Try again in a minute; server.log says why.",
            code="prefect.refused",
        ) from error
