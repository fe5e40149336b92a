"""How this area's tests reach the sandbox: credentials, token sources, clients."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from postflow.frameio import (
    AdobeIms,
    CallRetries,
    Credential,
    FrameioClient,
    Tokens,
    TokenSource,
)
from postflow.frameio.auth.tokens import FileTokenStore
from postflow.frameio.client import Shared
from postflow.models import Project
from postflow.sandbox import Sandbox
from tests.support.token_stores import FixedToken

ROOT = Path(__file__).parents[2]
QUICK = CallRetries(backoff=0.01, longest_backoff=0.05, looks=(0.0, 0.05))


def web(world: Sandbox) -> Credential:
    return Credential(client_id=world.client_id, client_secret=SecretStr(world.client_secret))


def native(world: Sandbox) -> Credential:
    return Credential(kind="native", client_id=world.public_client_id)


def service(world: Sandbox) -> Credential:
    return web(world).model_copy(update={"kind": "service"})


def signed_in(world: Sandbox, *, scope: str | None = None, lasts: float = 86399) -> Tokens:
    """A fresh pair, of which we believe that it lasts so many seconds."""
    issued = world.tokens(scope)
    return Tokens(
        access_token=SecretStr(issued["access_token"]),
        refresh_token=SecretStr(issued["refresh_token"]),
        expires_at=datetime.now(UTC) + timedelta(seconds=lasts),
    )


async def source_of(
    world: Sandbox, folder: Path, tokens: Tokens | None = None, **changes: Any
) -> TokenSource:
    """A token source whose store, lock and journal are in `folder`."""
    store = FileTokenStore(folder / "tokens.json")
    if tokens is not None:
        await store.save(tokens)
    given = {"state_dir": folder, "grace": 0.01, **changes}
    return TokenSource(given.pop("credential", web(world)), store, AdobeIms(world.url), **given)


@contextlib.asynccontextmanager
async def connected(
    world: Sandbox, folder: Path, tokens: Tokens | None = None, **changes: Any
) -> AsyncIterator[FrameioClient]:
    """A signed-in client that shares nothing with other tests."""
    source = await source_of(world, folder, tokens or signed_in(world))
    given = {"retries": QUICK, "shared": Shared(), "lock_dir": folder / "locks", **changes}
    async with FrameioClient(source, base_url=world.url, **given) as client:
        yield client


def answering(answer: Callable[[httpx.Request], httpx.Response]) -> FrameioClient:
    """A client at whose other end is a function, for answers that the sandbox does not give."""
    return FrameioClient(
        FixedToken("canary-token"),
        base_url="https://api.example",
        transport=httpx.MockTransport(answer),
        retries=QUICK,
        shared=Shared(),
    )


async def revoke(world: Sandbox, token: SecretStr) -> None:
    """As Adobe does when a person signs out everywhere."""
    form = {"client_id": world.client_id, "client_secret": world.client_secret}
    async with httpx.AsyncClient(base_url=world.url) as http:
        answer = await http.post("/ims/revoke", data=form | {"token": token.get_secret_value()})
    answer.raise_for_status()


def calls(world: Sandbox, *ops: str) -> int:
    """How often these operations were asked for."""
    return sum(request["op"] in ops for request in world.requests())


def project_of(world: Sandbox) -> Project:
    return Project(
        id=world.project_id,
        name=world.project_name,
        account_id=world.account_id,
        workspace_id=world.workspace_id,
        root_folder_id=world.root_folder_id,
    )


async def raw(world: Sandbox, method: str, path: str, data: object = None) -> Any:
    """The `data` of an answer to a call that is not our client's."""
    headers = {"Authorization": f"Bearer {world.tokens()['access_token']}"}
    async with httpx.AsyncClient(base_url=world.url, headers=headers) as http:
        body = None if data is None else {"data": data}
        answer = await http.request(method, path, json=body)
    answer.raise_for_status()
    return answer.json()["data"] if answer.content else None


async def subfolders(world: Sandbox, folder_id: str) -> list[dict[str, Any]]:
    path = f"/v4/accounts/{world.account_id}/folders/{folder_id}/folders"
    found: list[dict[str, Any]] = await raw(world, "GET", path)
    return found


async def folder_names(world: Sandbox) -> set[str]:
    """The names of all folders below the root; fails where two in one place are the same."""
    names: set[str] = set()
    waiting = [world.root_folder_id]
    while waiting:
        found = await subfolders(world, waiting.pop())
        here = [folder["name"] for folder in found]
        assert len(here) == len(set(here)), f"twice: {here}"
        names.update(here)
        waiting.extend(folder["id"] for folder in found)
    return names


def in_processes(module: str, given: str, number: int) -> list[str]:
    """What so many processes print, all told to go once all are up."""
    command = [sys.executable, "-m", f"tests.frameio.{module}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(number)]  # type: ignore[call-overload]
    try:
        for process in processes:
            process.stdin.write(given + "\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        return [process.communicate(timeout=60)[0].strip() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
