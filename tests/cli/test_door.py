"""The server of `up` to somebody who has no password: another user, or a page of another origin."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
import websockets
from prefect.settings import PREFECT_API_URL, temporary_settings
from websockets.exceptions import ConnectionClosed, InvalidStatus

from postflow.cli.sandbox import sandbox_studio
from postflow.sandbox import Sandbox
from postflow.servers import password
from postflow.service.console import Exit
from postflow.service.exposure import prefect_door
from postflow.service.studio_file import as_toml
from tests.cli.command_line import CommandLine
from tests.cli.conftest import MakeClip, SaveStudio
from tests.support.serving import serving
from tests.support.signed_in import SignedIn

pytestmark = pytest.mark.prefect

EVIL = {"Origin": "http://evil.example"}
SECRETS = {"include_secrets": True}


@pytest.mark.parametrize("headers", [{}, EVIL, {"Authorization": "Basic cG9zdGZsb3c6"}], ids=str)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/version"),
        ("GET", "/admin/settings"),
        ("GET", "/admin/version"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/csrf-token?client=evil"),
        ("GET", "//admin/settings"),
        ("GET", "/health/../admin/settings"),
        ("POST", "/block_documents/filter"),
        ("POST", "/deployments/filter"),
        ("POST", "/events"),
        ("POST", "/health"),
        ("DELETE", "/admin/database/clear"),
    ],
)
def test_an_outsider_reads_and_writes_nothing(
    prefect_api: str, method: str, path: str, headers: dict[str, str]
) -> None:
    body = SECRETS if method == "POST" else None
    answer = httpx.request(method, f"{prefect_api}{path}", json=body, headers=headers)
    assert answer.status_code in {401, 403}
    assert "access-control-allow-origin" not in answer.headers


def test_the_ui_is_shown_in_no_other_page(prefect_api: str) -> None:
    answer = httpx.get(f"{prefect_api.removesuffix('/api')}/runs", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["x-frame-options"]) == (200, "DENY")


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_all_that_an_outsider_learns_is_that_it_lives(prefect_api: str, path: str) -> None:
    answer = httpx.get(f"{prefect_api}{path}", headers=EVIL)
    assert answer.text in {"true", '{"message":"OK"}'}
    assert "access-control-allow-origin" not in answer.headers


def test_another_origin_is_refused_beforehand_and_the_ui_itself_is_not(prefect_api: str) -> None:
    asks = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    ui = prefect_api.removesuffix("/api")
    answers = [
        httpx.options(f"{prefect_api}/block_documents/filter", headers=asks | {"Origin": origin})
        for origin in ("http://evil.example", "null", ui, ui.replace("127.0.0.1", "localhost"))
    ]
    assert [answer.status_code for answer in answers] == [400, 400, 200, 200]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "0.0.0.0", "[::2]"])
@pytest.mark.parametrize("path", ["", "/api/health", "/api/admin/settings", "/postflow/proof"])
def test_under_a_foreign_name_it_answers_nothing_even_with_the_password(
    prefect_api: str, host: str, path: str
) -> None:
    url = f"{prefect_api.removesuffix('/api')}{path}"
    answer = httpx.get(url, headers={"Host": host}, auth=SignedIn(password()))
    assert (answer.status_code, answer.text) == (400, "Invalid host header")


def test_a_page_that_knows_the_password_needs_a_token_to_change_anything(prefect_api: str) -> None:
    basic = httpx.BasicAuth(*password().split(":", 1))
    asked = f"{prefect_api}/block_documents/filter"
    assert httpx.post(asked, json=SECRETS, auth=basic).status_code == 403
    assert httpx.post(asked, json=SECRETS, auth=SignedIn(password())).status_code == 200


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/events/in", {"type": "auth", "token": "wrong"}),
        ("/events/out", {"type": "auth"}),
        ("/logs/out", {"type": "auth", "token": None}),
        ("/task_runs/subscriptions/scheduled", {"type": "subscribe", "keys": []}),
        ("/work_pools/any/workers/connect", {"type": "auth", "token": "wrong"}),
    ],
)
async def test_a_socket_closes_before_it_tells_anything(
    prefect_api: str, path: str, message: dict[str, Any]
) -> None:
    url = f"{prefect_api.replace('http', 'ws')}{path}"
    with pytest.raises(InvalidStatus):
        await websockets.connect(url)
    with pytest.raises(InvalidStatus):
        await websockets.connect(url, subprotocols=["prefect"], host="127.0.0.1", **_named("evil"))  # type: ignore[list-item]
    async with websockets.connect(url, subprotocols=["prefect"]) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps(message))
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(30):
                await socket.recv()


def _named(host: str) -> dict[str, Any]:
    return {"additional_headers": {"Host": host}}


def test_a_command_with_the_wrong_password_is_told_the_remedy(
    postflow: CommandLine, save_studio: SaveStudio
) -> None:
    save_studio()
    for wrong in ("postflow:wrong", "nonsense"):
        ran = postflow("status", PREFECT_API_AUTH_STRING=wrong)
        assert ran.code == Exit.FATAL
        assert "[prefect.password]" in ran.err
        assert "PREFECT_API_AUTH_STRING" in ran.err
        assert wrong not in ran.text


class Other(BaseHTTPRequestHandler):
    """Something at an address, that answers all the same."""

    server: Answering

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked += 1
        self.send_response(self.server.status)
        for name, value in self.server.more.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


class Answering(ThreadingHTTPServer):
    status, body, asked = 200, b"", 0
    more: ClassVar[dict[str, str]] = {}


@pytest.fixture(scope="module")
def other() -> Iterator[Answering]:
    with serving(Answering(("127.0.0.1", 0), Other)) as server:
        yield server


@pytest.mark.parametrize(
    ("status", "body", "code", "exit_code"),
    [
        (401, b"{}", "prefect.password", Exit.FATAL),
        (403, b"{}", "prefect.refused", Exit.FATAL),
        (403, b"<html>no</html>", "prefect.refused", Exit.FATAL),
        (400, b"Invalid host header", "prefect.refused", Exit.FATAL),
        (422, b"{}", "prefect.refused", Exit.FATAL),
        (302, b"", "prefect.address", Exit.FATAL),
        (200, b"<html>Sign in to the VPN</html>", "prefect.address", Exit.FATAL),
        (200, b'{"status": "fine"}', "prefect.address", Exit.FATAL),
        (200, b"true", "prefect.address", Exit.FATAL),
        (200, b"[]", "prefect.address", Exit.FATAL),
        (200, b"", "prefect.address", Exit.FATAL),
        (500, b"{}", "prefect.unreachable", Exit.RETRY),
    ],
)
def test_what_a_server_refuses_is_one_sentence_and_a_remedy(
    postflow: CommandLine,
    other: Answering,
    status: int,
    body: bytes,
    code: str,
    exit_code: Exit,
) -> None:
    other.status, other.body = status, body
    ran = postflow("status", **at(other))
    assert (ran.code, ran.out) == (exit_code, "")
    assert f"[{code}]" in ran.err
    assert len(ran.err.splitlines()) == 2, ran.err


def test_a_command_that_only_asks_soon_says_that_the_server_is_busy(
    postflow: CommandLine, other: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefect's own client asks six times, for a minute, and that for each question."""
    other.status, other.body, other.asked = 503, b"{}", 0
    monkeypatch.setattr(other, "more", {"Retry-After": "0"}, raising=False)
    ran = postflow("status", **at(other))
    assert ran.code == Exit.RETRY
    assert "[prefect.unreachable]" in ran.err
    assert other.asked <= 6


@pytest.mark.parametrize(
    "command",
    [
        ["check"],
        ["export"],
        ["history"],
        ["login"],
        ["name", "a.mov"],
        ["retry", "--failed"],
        ["scan"],
        ["scan", "--deliver"],
        ["serve"],
        ["setup", "--file", "FILE"],
        ["up", "--file", "FILE"],
        ["up"],
        ["upload", "CLIP"],
        ["upload", "CLIP", "--dry-run"],
        ["watch"],
    ],
    ids=" ".join,
)
def test_every_command_tells_that_a_password_is_asked_for(
    postflow: CommandLine,
    other: Answering,
    command: list[str],
    world: Sandbox,
    make_clip: MakeClip,
    tmp_path: Path,
) -> None:
    file = tmp_path / "studio.toml"
    file.write_text(as_toml(sandbox_studio(world.describe())))
    names = {"FILE": str(file), "CLIP": str(make_clip())}
    other.status, other.body = 401, b'{"exception_message": "Unauthorized"}'
    ran = postflow(*[names.get(each, each) for each in command], **at(other))
    assert ran.code == Exit.FATAL
    assert "[prefect.password]" in ran.err


def at(server: Answering) -> dict[str, str]:
    return {"PREFECT_API_URL": f"http://127.0.0.1:{server.server_port}/api"}


@pytest.mark.parametrize(
    ("status", "more", "told"),
    [
        (200, {"Access-Control-Allow-Origin": "*"}, ("no password", "web pages", "host name")),
        (401, {"Access-Control-Allow-Origin": "*"}, ("web pages",)),
        (401, {}, ()),
    ],
    ids=["as Prefect comes", "with a password", "closed"],
)
async def test_check_knocks_at_a_server_of_ones_own(
    other: Answering,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    more: dict[str, str],
    told: tuple[str, ...],
) -> None:
    other.status, other.body = status, b"true"
    monkeypatch.setattr(other, "more", more, raising=False)
    with temporary_settings({PREFECT_API_URL: at(other)["PREFECT_API_URL"]}):
        said = await prefect_door()
    if told:
        assert isinstance(said, tuple)
        says, remedy = said
        assert [word for word in ("no password", "web pages", "host name") if word in says] == [
            *told
        ]
        assert "postflow.service.prefect_server" in remedy
    else:
        assert "asks for a password" in said


async def test_the_server_of_up_stands_open_to_nobody(prefect_api: str) -> None:
    assert await prefect_door() == (
        f"{prefect_api} asks for a password, and answers no other origin and no foreign name"
    )


def test_files_and_folders_with_secrets_that_others_may_read_are_told_of(
    postflow: CommandLine,
    save_studio: SaveStudio,
    world: Sandbox,
    private_state: Path,
    tmp_path: Path,
) -> None:
    file = tmp_path / "studio.toml"
    file.write_text(as_toml(sandbox_studio(world.describe())))
    for path in (file, private_state):
        path.chmod(0o755)
    told = postflow("setup", "--file", file)
    checked = postflow("check", POSTFLOW_STUDIO="main")
    for path in (file, private_state):
        assert f"chmod -R go= {path}" in told.err
    assert f"chmod -R go= {private_state}" in checked.out
    assert (told.code, checked.code) == (Exit.DELIVERED, Exit.DELIVERED)

    for path in (file, private_state):
        path.chmod(0o700)
    assert "chmod" not in postflow("setup", "--file", file).text
