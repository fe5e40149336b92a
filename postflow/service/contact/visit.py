"""A stay in the studio's project: a folder of its own there, and the calls made from it."""

from __future__ import annotations

import asyncio
import platform
import re
import secrets
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
from pydantic import SecretStr

from postflow.errors import Fatal, PostFlowError
from postflow.frameio import FrameioClient, endpoints
from postflow.frameio.calls import Call
from postflow.frameio.endpoints import Endpoint
from postflow.frameio.models import Named, Nothing, WireFolder
from postflow.frameio.paging import every_page
from postflow.models import Folder, FrozenModel, Project
from postflow.outlet.loop_thread import finish

from .witness import Answer, Source, Witness, whole

T = TypeVar("T")
Why = Literal[
    "no permission",
    "no tunnel",
    "no answer",
    "not in time",
    "not told apart",
    "nothing to ask",
    "another answer",
]
NAME = re.compile(r"postflow-contact-([0-9a-f]{8})-[0-9a-f]{32}")
# After so long one that another host has made is a leftover.
OLD = timedelta(hours=1)
CLEANING = 60.0
ENDS = ("failed", "complete")
# With pages that Frame.io takes whatever it thinks of large ones.
FOLDERS = replace(endpoints.FOLDERS, page=endpoints.PAGE)
DELETE_SHARE = Endpoint(
    "DELETE", "/v4/accounts/{account_id}/shares/{share_id}", "delete the share link", 60
)
REFUSED = (401, 402, 403)
INVALID = (400, 422)
Answers = Mapping[str, object]


def new_name() -> str:
    """Ours can be recognised, and not be guessed."""
    return f"postflow-contact-{_host()}-{secrets.token_hex(16)}"


def _host() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


class Unanswered(Exception):
    """A question that stays open. `status` is that of an answer which nobody expected."""

    def __init__(self, why: Why, status: int | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.status = status


class Bounds(FrozenModel):
    """Seconds: for a question, for one that waits for Frame.io to give up or to be done, for all;
    and between two looks."""

    question: float = 30.0
    slow: float = 180.0
    total: float = 600.0
    poll: float = 0.5


@dataclass(frozen=True)
class Reply:
    """An answer of Frame.io's, a refusal too."""

    status: int
    data: Any
    headers: Mapping[str, str]

    @property
    def media_type_at(self) -> str:
        """Of a new file: does Frame.io know its kind already?"""
        return "upload" if self.data.get("media_type") is None else "creation"

    def expect(self, *statuses: int) -> Reply:
        """Itself, or Unanswered where it has none of these statuses."""
        if self.status in statuses:
            return self
        raise Unanswered(
            "no permission" if self.status in REFUSED else "another answer", self.status
        )


@dataclass
class Visit:
    """What the questions ask with. `clip`: a few seconds of film, that travel. `public_url` leads
    to the witness, where there is a tunnel.
    """

    frameio: FrameioClient
    project: Project
    clip: Path
    bounds: Bounds
    renews: bool | None
    name: str = field(default_factory=new_name)
    folder: Folder | None = None
    witness: Witness | None = None
    public_url: SecretStr | None = None
    _tasks: dict[object, asyncio.Task[Any]] = field(default_factory=dict)

    @cached_property
    def body(self) -> bytes:
        """All of the clip."""
        return self.clip.read_bytes()

    @property
    def folder_id(self) -> str:
        if self.folder is None:
            raise Unanswered("no permission")
        return self.folder.id

    async def ask(
        self,
        endpoint: Endpoint,
        data: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str | int] | None = None,
        **ids: str,
    ) -> Reply:
        """One call. Raises Retry where there is no answer, Fatal where the sign-in is over."""
        known = {"account_id": self.project.account_id, "project_id": self.project.id, **ids}
        body = None if data is None else {"data": data}
        answer = await self.frameio.api.look(Call(endpoint, known, query or {}, body))
        return Reply(answer.status_code, _data(answer), answer.headers)

    def offer(self, answer: Answer = whole) -> tuple[Source, SecretStr]:
        """A new address of the clip, and its URL as Frame.io is told it."""
        if self.witness is None or self.public_url is None:
            raise Unanswered("no tunnel")
        source = self.witness.offer(answer)
        url = self.public_url.get_secret_value() + source.path.get_secret_value()
        return source, SecretStr(url)

    def named(self, name: str, **data: Any) -> dict[str, Any]:
        """What a new file of the folder is asked for with."""
        return {"name": f"contact_{name}{self.clip.suffix}", **data}

    def begin(self, trial: Callable[[Visit], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """A trial under way or done. Several questions may want what came of it."""
        if trial not in self._tasks:
            self._tasks[trial] = asyncio.create_task(trial(self))
        return self._tasks[trial]

    async def once(self, trial: Callable[[Visit], Coroutine[Any, Any, T]]) -> T:
        return await asyncio.shield(self.begin(trial))

    async def until(self, look: Callable[[], Awaitable[T | None]], seconds: float) -> T:
        """What `look` finds, looked for again and again. Raises Unanswered `not in time`."""
        ends = time.monotonic() + seconds
        while (found := await look()) is None:
            if time.monotonic() >= ends:
                raise Unanswered("not in time")
            await asyncio.sleep(self.bounds.poll)
        return found

    async def arrival(self, file_id: str) -> str:
        """Of a file that is on its way: complete or failed."""

        async def look() -> str | None:
            told = (await self.ask(endpoints.UPLOAD_STATUS, file_id=file_id)).expect(200).data
            return next((each for each in ENDS if told.get(f"upload_{each}")), None)

        return await self.until(look, self.bounds.slow)

    async def stop(self) -> None:
        """End the trials."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


def _data(answer: httpx.Response) -> Any:
    try:
        read = answer.json()
    except ValueError:
        return {}
    return read.get("data", {}) if isinstance(read, dict) else {}


@asynccontextmanager
async def in_own_folder(visit: Visit) -> AsyncIterator[None]:
    """Makes the folder; on every way out, it is removed with all that was made.

    What an earlier visit left is removed first. Where no folder may be made, there is none.
    """
    with suppress(Fatal):  # who may not list them, has left none
        await remove(visit, is_left_over)
    made = None
    try:
        made = await visit.ask(
            endpoints.CREATE_FOLDER, {"name": visit.name}, folder_id=visit.project.root_folder_id
        )
        if made.status == 201:
            visit.folder = _folder(visit.project, visit.name, made.data["id"])
        yield
    finally:
        if made is None or visit.folder:
            await finish(_leave(visit))


async def _leave(visit: Visit) -> None:
    await visit.stop()
    try:
        async with asyncio.timeout(CLEANING):
            await remove(visit, lambda thing: thing.name == visit.name)
    except (PostFlowError, TimeoutError) as error:
        raise Fatal(
            f"The folder {visit.name} may still be in the Frame.io project.",
            hint="Remove it there by hand; the next `postflow contact` removes it too.",
            code="contact.left",
        ) from error


def _folder(project: Project, name: str, folder_id: str) -> Folder:
    return Folder(id=folder_id, account_id=project.account_id, project_id=project.id, path=(name,))


class _Made(Named):
    created_at: datetime


def is_left_over(thing: WireFolder | _Made) -> bool:
    found = NAME.fullmatch(thing.name)
    is_old = datetime.now(UTC) - thing.created_at > OLD
    return found is not None and (found[1] == _host() or is_old)


async def remove(visit: Visit, is_ours: Callable[[WireFolder | _Made], bool]) -> None:
    """Folders in the project's root, and shares, that are ours; who may not list has made none."""
    ids = {"account_id": visit.project.account_id, "project_id": visit.project.id}
    api, root = visit.frameio.api, {**ids, "folder_id": visit.project.root_folder_id}
    with suppress(Fatal):
        shares = await every_page(api, Call(endpoints.SHARES, ids), _Made)
        for share in filter(is_ours, shares):
            await api.ask(Call(DELETE_SHARE, {**ids, "share_id": share.id}), Nothing)
    folders = await every_page(api, Call(FOLDERS, root), WireFolder)
    for folder in filter(is_ours, folders):
        await visit.frameio.folders.delete(_folder(visit.project, folder.name, folder.id))
