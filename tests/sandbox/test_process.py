"""`python -m postflow.sandbox`, and the sandbox in a thread: both start fast and leave nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from postflow.sandbox import Sandbox
from postflow.sandbox.__main__ import main
from postflow.sandbox.control import KINDS
from postflow.sandbox.switches import Switches
from tests.sandbox.caller import Caller


@contextmanager
def running(tmp_path: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its first line; its temporary files go below tmp_path."""
    command = [sys.executable, "-m", "postflow.sandbox", *arguments]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_process_tells_its_addresses_and_cleans_up(tmp_path: Path, number: int) -> None:
    with running(tmp_path, "--json") as (process, line):
        described: dict[str, Any] = json.loads(line)
        assert httpx.get(f"{described['url']}/sandbox").json() == described
        assert list(tmp_path.iterdir())
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""

    assert list(tmp_path.iterdir()) == []


def test_process_takes_switches_and_a_folder(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    switch = ["--switch", "rate_limits=false", "--switch", "project_name=OTHER"]
    with running(tmp_path, "--json", "--data", str(kept), *switch) as (process, line):
        described = json.loads(line)
        told = httpx.get(f"{described['url']}/sandbox/switches").json()
        process.terminate()
        process.wait(20)

    assert (described["project_name"], told["rate_limits"]) == ("OTHER", False)
    assert kept.is_dir()


@pytest.mark.parametrize("switch", ["nonsense=1", "rate_limits", "rate_limits=perhaps"])
def test_wrong_switch_is_a_usage_error(switch: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--switch", switch])

    assert stopped.value.code == 2
    assert "switch" in capsys.readouterr().err


def test_taken_port_is_a_plain_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with running(tmp_path, "--port", port) as (process, _):
            assert process.wait(20) == 1
            assert process.stderr is not None
            message = process.stderr.read()

    assert "could not start" in message
    assert "Traceback" not in message
    assert list(tmp_path.iterdir()) == []


def test_sandbox_in_a_thread_leaves_no_thread_file_or_port() -> None:
    with Sandbox(fetch_delay=60, webhook_backoff=60) as world, Caller(world) as caller:
        caller.upload(world.root_folder_id, "a.mov", "http://127.0.0.1:9/")
        folder = Path(world.ngrok_path).parent
        port = int(world.url.rpartition(":")[2])
        assert folder.is_dir()

    assert not folder.exists()
    assert "sandbox" not in {thread.name for thread in threading.enumerate()}
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


def test_sandbox_stops_while_a_request_is_held_up() -> None:
    answers: list[object] = []
    with Sandbox() as world:
        world.fault("delay", "me", seconds=60)

        def ask() -> None:
            with Caller(world) as caller:
                try:
                    answers.append(caller.http.get("/v4/me").status_code)
                except httpx.TransportError as error:
                    answers.append(type(error))

        thread = threading.Thread(target=ask)
        thread.start()
        while not world.requests() and "delay" in str(
            httpx.get(f"{world.url}/sandbox/faults").text
        ):
            pass
    thread.join(20)

    assert answers
    assert answers != [200]


def test_agent_stand_in_is_an_executable_of_ours_alone(world: Sandbox) -> None:
    mode = Path(world.ngrok_path).stat().st_mode & 0o777

    assert mode == 0o700


def test_unknown_switch_is_an_error_in_python_too() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Sandbox(nonsense=1)


def test_every_switch_and_fault_is_documented() -> None:
    text = Path("docs/sandbox.md").read_text(encoding="utf-8")

    assert [name for name in Switches.model_fields if f"`{name}`" not in text] == []
    assert [kind for kind in sorted(KINDS) if f"`{kind}`" not in text] == []
