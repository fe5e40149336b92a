"""What the sandbox's tests share: a caller of the API that hides nothing, and a source of clips."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx

from postflow.sandbox import Sandbox
from tests.support.serving import serving
from tests.support.wait import wait_until_sync

SERVICE_SCOPES = "openid,AdobeID,frame.s2s.all"


def service_token(world: Sandbox) -> dict[str, Any]:
    form = {
        "grant_type": "client_credentials",
        "client_id": world.client_id,
        "client_secret": world.client_secret,
        "scope": SERVICE_SCOPES,
    }
    answer = httpx.post(f"{world.url}/ims/token/v3", data=form)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


class Caller:
    """Calls of the account's API, with a token of the person at the studio."""

    def __init__(self, world: Sandbox, token: str | None = None) -> None:
        self.world = world
        self.account = f"/v4/accounts/{world.account_id}"
        bearer = token or world.tokens()["access_token"]
        headers = {"Authorization": f"Bearer {bearer}"}
        self.http = httpx.Client(base_url=world.url, headers=headers, timeout=20, verify=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.http.get(self.account + path, params=query)

    def post(self, path: str, **data: Any) -> httpx.Response:
        return self.http.post(self.account + path, json={"data": data})

    def patch(self, path: str, **data: Any) -> httpx.Response:
        return self.http.patch(self.account + path, json={"data": data})

    def delete(self, path: str) -> httpx.Response:
        return self.http.delete(self.account + path)

    def folder(self, name: str, parent: str | None = None) -> str:
        parent = parent or self.world.root_folder_id
        answer = self.post(f"/folders/{parent}/folders", name=name)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["id"])

    def upload(self, folder: str, name: str, url: str) -> str:
        answer = self.post(f"/folders/{folder}/files/remote_upload", name=name, source_url=url)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["data"]["id"])

    def placeholder(self, folder: str, name: str, size: int = 1) -> str:
        """A file without bytes."""
        answer = self.post(f"/folders/{folder}/files/local_upload", name=name, file_size=size)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["id"])

    def stack(self, folder: str, *names: str) -> tuple[str, list[str]]:
        """A version stack of new placeholders, oldest first."""
        files = [self.placeholder(folder, name) for name in names]
        answer = self.post(f"/folders/{folder}/version_stacks", file_ids=files)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["id"]), files

    def file(self, file_id: str, **query: Any) -> dict[str, Any]:
        return dict(self.get(f"/files/{file_id}", **query).json()["data"])

    def status(self, file_id: str) -> dict[str, Any]:
        return dict(self.get(f"/files/{file_id}/status").json()["data"])

    def names(self, path: str, **query: Any) -> list[str]:
        return [item["name"] for item in self.get(path, **query).json()["data"]]


def asset(world: Sandbox, file_id: str) -> dict[str, Any]:
    """The row of a file in /sandbox/assets."""
    (row,) = [row for row in world.assets() if row["id"] == file_id]
    return row


def wait_for_status(world: Sandbox, file_id: str, status: str) -> dict[str, Any]:
    """The row, once it has this status."""
    wait_until_sync(lambda: asset(world, file_id)["status"] == status, description=status)
    return asset(world, file_id)


class Source:
    """A web server with one clip, which counts who asks."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.status = 200
        self.asked: list[str] = []
        self.agents: set[str] = set()
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.command)
        self.agents.add(request.headers.get("User-Agent", ""))
        request.send_response(self.status)
        request.send_header("Content-Length", str(len(self.body)))
        request.send_header("Content-Type", "video/quicktime")
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(self.body)


@contextmanager
def source_of(body: bytes) -> Iterator[Source]:
    """A running source on loopback."""
    source = Source(body)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            source.answer(self)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None: ...

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        source.url = f"http://127.0.0.1:{server.server_port}/clip.mov"
        yield source
