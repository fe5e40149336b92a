"""A page on a real ledger, and what somebody does who looks at it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import httpx

from postflow.errors import PostFlowError
from postflow.language import Language
from postflow.ledger import Ledger, Root, roots, transitions
from postflow.naming import Naming
from postflow.page.server import HOST, Page, listening, served
from postflow.page.studios import PageStudio
from tests.ledger.ground import (
    BROKEN,
    MISNAMED,
    add,
    bring_to_arrived,
    bring_to_requested,
    claim_one,
)

PASSWORD, READING = "postflow:may-act", "postflow:may-look"
ROOT = Path("/mnt/show")
NAME = "SQ07_UNDLM_00{}_v001.mov"
BOARD = "/studio/main/"

Asked = tuple[Path, str | None, str | None]


@dataclass
class Served:
    """A page that is being served, and what it was told to deliver."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    in_the_way: list[PostFlowError] = field(default_factory=list)


@asynccontextmanager
async def a_page(
    ledger: Path,
    *,
    studios: tuple[str, ...] = ("main",),
    languages: Mapping[str, Language] = MappingProxyType({}),
) -> AsyncIterator[Served]:
    """`languages` of those studios that have another one than English."""
    listener = listening(0)
    here = Served(f"http://{HOST}:{listener.getsockname()[1]}")

    async def deliver(path: Path, sequence: str | None, shot: str | None) -> None:
        here.asked.append((path, sequence, shot))

    async def look() -> list[PostFlowError]:
        return here.in_the_way

    naming = Naming.preset()
    async with AsyncExitStack() as stack:
        shown = [
            PageStudio(
                name, "UNDLM", naming, ledger, True, languages.get(name, "en"), deliver, look
            )
            for name in studios
        ]
        for studio in shown:
            await stack.enter_async_context(studio)
        page = Page(shown, password=PASSWORD, reading=READING, prefect="http://127.0.0.1:4200/runs")
        await stack.enter_async_context(served(page, listener))
        yield here


class Person(httpx.AsyncClient):
    """Somebody with a browser, signed in by a password if they have one."""

    def __init__(self, url: str, password: str | None = PASSWORD) -> None:
        super().__init__(base_url=url, headers={"Origin": url}, timeout=20)
        self._password = password

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        if self._password:
            answer = await self.post("/sign-in", data={"password": self._password})
            assert answer.status_code == 303
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await super().__aexit__(kind, error, trace)

    async def sees(self, path: str = BOARD) -> str:
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def presses(self, pressed: str, name: str, **changed: str) -> httpx.Response:
        """The button of the clip's line, with the fields of its form."""
        fields = form_of(await self.sees(), name) | {"action": pressed} | changed
        return await self.post(f"{BOARD}act", data=fields, headers={"Accept": "application/json"})


def line_of(html: str, name: str) -> str:
    lines = [each for each in html.split('<li class="line') if name in each]
    assert lines, f"{name} is not on the page"
    return lines[0]


def form_of(html: str, name: str) -> dict[str, str]:
    """The hidden fields beside a clip."""
    return dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', line_of(html, name))
    )


def shelves(html: str) -> dict[str, list[str]]:
    """The clips of each shelf, as they are listed."""
    found = {}
    for shelf in html.split('<section class="shelf ')[1:]:
        names = re.findall(r'<p class="name">.*?<bdi>(.*?)</bdi>', shelf, re.DOTALL)
        found[shelf.split('"')[0]] = names
    return found


def lively(ledger: Ledger, studio: str = "main") -> Root:
    """One clip of each kind: 00001 failed, 2 was skipped, 3 travels, 4 and 5 wait, 6 is there."""
    root = roots.add(ledger, studio, ROOT / studio, f"mark-{studio}")
    clips = [f"exports/{NAME.format(f'{number:03}')}" for number in (6, 1, 2, 3, 4, 5)]
    for clip in clips:
        add(ledger, root, clip, content=clip)
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger), "file-6"))
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    transitions.skip(ledger, claim_one(ledger), MISNAMED)
    bring_to_requested(ledger, claim_one(ledger, lease_seconds=3600), "file-3")
    return root


@contextmanager
def served_beside(ledger: Path) -> Iterator[Served]:
    """In a thread of its own, for a browser that waits in this one."""
    told: Future[Served] = Future()
    ended = asyncio.Event()

    async def serve() -> None:
        async with a_page(ledger) as page:
            told.set_result(page)
            await ended.wait()

    with asyncio.Runner() as runner, ThreadPoolExecutor(1) as thread:
        job = thread.submit(runner.run, serve())
        try:
            yield told.result(timeout=30)
        finally:
            runner.get_loop().call_soon_threadsafe(ended.set)
            job.result(timeout=30)
