"""The page of clips beside `up`'s other work: its studios, and what delivers by hand for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import socket
from typing import NoReturn

from prefect.deployments.flow_runs import arun_deployment

from postflow.blocks.studio import Studio, load_studio
from postflow.engine.runs import SERVER_FAILS
from postflow.errors import PostFlowError, as_ours, engine_trouble
from postflow.folder.enrolment import folders_away
from postflow.ledger import Ledger, open_ledger
from postflow.page.server import HOST, Page, listening, served
from postflow.page.studios import PageStudio
from postflow.servers import PAGE, address_told, password, reading_password

from .console import err
from .serve import deployment_name


@dataclass(frozen=True)
class StudioPage:
    """`prefect`: where runs are seen."""

    studios: Mapping[str, Studio]
    listener: socket
    prefect: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.listener.getsockname()[1]}/"

    async def keep_served(self) -> NoReturn:
        """Until cancelled."""
        async with AsyncExitStack() as stack:
            studios = [_shown(name, studio) for name, studio in self.studios.items()]
            for studio in studios:
                await stack.enter_async_context(studio)
            page = Page(
                studios, password=password(), reading=reading_password(), prefect=self.prefect
            )
            await stack.enter_async_context(served(page, self.listener))
            while True:
                await asyncio.Event().wait()


@contextmanager
def serving_page(studios: Mapping[str, Studio], port: int, *, prefect: str) -> Iterator[StudioPage]:
    """It listens from now on, answers while it `keep_served`, and other commands find it."""
    with listening(port) as listener:
        page = StudioPage(studios, listener, prefect)
        if listener.getsockname()[1] != port:
            err.print(f"Port {port} is taken; the page of clips has another. Or give --page-port.")
        with address_told(page.url, PAGE):
            yield page


def _shown(name: str, studio: Studio) -> PageStudio:
    return PageStudio(
        name=name,
        project=studio.frameio.project,
        naming=studio.get_naming(),
        where=studio.ledger,
        language=studio.language,
        announces=studio.discord is not None,
        deliver=partial(_deliver, name),
        look=partial(_in_the_way, name),
    )


async def _in_the_way(name: str) -> list[PostFlowError]:
    """What is in the way of all clips, as `postflow status` says. Raises as `load_studio` does."""
    with _as_ours():
        studio = await load_studio(name)
        sign_in = await studio.adobe.why_to_sign_in()
    async with open_ledger(studio.ledger) as ledger:
        away = await folders_away(ledger.ledger, name, studio.watching.folders)
        full = await ledger.run(Ledger.without_room)
    return [*full, *away, *([sign_in] if sign_in else [])]


async def _deliver(studio: str, path: Path, sequence: str | None, shot: str | None) -> None:
    """By a run of the studio's runner. Raises as `engine_trouble` and `as_ours` have it."""
    deployment = f"deliver/{deployment_name('deliver', studio)}"
    asked = {"path": str(path), "studio": studio, "scene": sequence, "shot": shot}
    with _as_ours():
        await arun_deployment(deployment, parameters=asked, timeout=0, as_subflow=False)


@contextmanager
def _as_ours() -> Iterator[None]:
    """Prefect's failures become ours, with a remedy."""
    try:
        yield
    except SERVER_FAILS as error:
        raise engine_trouble(error) or as_ours(error) from error
