"""The password of the server of `up`, and who is told it."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from postflow import servers
from postflow.blocks import base as server
from postflow.errors import Fatal
from postflow.state import state_dir
from tests.support.serving import serving

PASSWORDS = (servers.SERVER_PASSWORD, servers.CLIENT_PASSWORD)


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (servers.API, *PASSWORDS):
        monkeypatch.delenv(variable, raising=False)


def test_the_password_is_made_once_for_its_owner_only(private_state: Path) -> None:
    made = servers.password()
    assert servers.password() == made
    assert len(made) > 40
    kept = private_state / "prefect-password"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.write_text("")  # the disk was full just then
    assert servers.password() not in {"", made}


def test_a_password_of_ones_own_is_used_and_kept_nowhere(
    private_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(servers.SERVER_PASSWORD, "admin:pass")
    assert servers.password() == "admin:pass"
    assert not (private_state / "prefect-password").exists()


class Listener(HTTPServer):
    """Somebody at a port, who answers `says(path)` and remembers what he was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: list[str] = []
        self.body = b""

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api"


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.heard.append(f"{self.path} {self.headers}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.body or self.answer())

    def answer(self) -> bytes:
        """What the true server would say."""
        question = self.path.partition("question=")[2]
        at = f"127.0.0.1:{self.server.server_port}"
        return servers.proof(servers.password(), at, question).encode()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening(body: bytes = b"") -> Iterator[Listener]:
    with serving(Listener()) as listener:
        listener.body = body
        yield listener


def test_the_server_that_knows_the_password_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: dict[str, str] = {}
    monkeypatch.setattr(server, "set_environment", set_to.update)
    with listening() as ours, servers.address_told(ours.api):
        server.find_prefect()
    assert set_to == {
        servers.API: ours.api,
        servers.CLIENT_PASSWORD: servers.password(),
    }
    assert servers.told_address() is None, "it has ended"


@pytest.mark.parametrize("body", [b"true", b"0" * 64, b"\xff" * 10_000_000])
def test_a_stranger_at_its_port_is_told_of_and_never_hears_the_password(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(body) as stranger, servers.address_told(stranger.api):
        assert not servers.is_ours(stranger.api)
    assert "is not a Prefect server of ours" in caplog.text
    assert stranger.heard
    secret = servers.password().removeprefix("postflow:")
    assert not [heard for heard in stranger.heard if secret in heard or "Authorization" in heard]


def test_a_proof_that_was_passed_on_from_another_port_is_none() -> None:
    question = "asked"
    first, second = (
        servers.proof("secret", f"127.0.0.1:{port}", question) for port in (4200, 4201)
    )
    assert first != second
    assert servers.proof("other", "127.0.0.1:4200", question) != first


def test_nobody_at_its_port_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert not servers.is_ours(f"http://127.0.0.1:{port}/api")
    assert caplog.text == ""


def test_another_users_state_folder_is_refused(
    private_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: private_state.stat().st_uid + 1)
    with pytest.raises(Fatal, match="belongs to another user") as refused:
        state_dir()
    assert refused.value.code == "postflow.state_dir"


def test_a_password_that_another_user_laid_there_is_refused(
    private_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(servers.SERVER_PASSWORD, raising=False)
    monkeypatch.delenv(servers.CLIENT_PASSWORD, raising=False)
    laid = private_state / "prefect-password"
    laid.write_text("postflow:known")
    for folder in ("state_dir", "lock_dir"):
        monkeypatch.setattr(servers, folder, lambda: private_state)
    monkeypatch.setattr(os, "geteuid", lambda: laid.stat().st_uid + 1)
    with pytest.raises(
        Fatal, match=r"prefect-password, where .* belongs to another user"
    ) as refused:
        servers.password()
    assert "Remove it" in refused.value.hint


PYTHON = """
import os, {first}
from postflow import deliver
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, get_current_settings
server = get_current_settings().server
print(PREFECT_API_URL.value(), PREFECT_API_AUTH_STRING.value(), server.api.auth_string is not None,
      server.ephemeral.startup_timeout_seconds)
"""


@pytest.mark.parametrize(("first", "up"), [("prefect", True), ("sys", False)])
def test_python_finds_the_server_by_itself_else_locks_the_one_that_prefect_starts(
    first: str, up: bool, private_state: Path, tmp_path: Path
) -> None:
    environment = {
        "POSTFLOW_STATE_DIR": str(private_state),
        "PREFECT_HOME": str(tmp_path / "prefect"),
    }
    with listening() as ours:
        if up:
            (private_state / "prefect-api-url").write_text(ours.api)
        told = subprocess.check_output(
            [sys.executable, "-P", "-c", PYTHON.format(first=first)],
            env=environment,
            cwd=tmp_path,
            text=True,
        )
    api, password, *lock = told.split()
    assert (password == servers.password()) == up, "a stranger may take its port"
    assert (api, lock[0]) == ((ours.api, "False") if up else ("None", "True"))
    assert up or lock[1] == "180"
