"""Ctrl-C and SIGTERM in the middle of an upload: prompt, and nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from postflow.cli.sandbox_studio import sandbox_studio
from sandbox import Sandbox
from tests.cli.conftest import MakeClip
from tests.support.wait import wait_until_sync

pytestmark = pytest.mark.prefect

ZEROS = b"\0" * (32 << 20)


@pytest.fixture
def slow_world() -> Iterator[Sandbox]:
    """Frame.io takes its time: 32 MiB need more than half a minute."""
    with Sandbox(fetch_style="slow", fetch_rate=1 << 20) as world:
        yield world


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_stopped_upload_leaves_nothing_behind(
    prefect_api: str,
    slow_world: Sandbox,
    make_clip: MakeClip,
    private_state: Path,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    from blocks.setup import StudioFile, save_studio

    tables = sandbox_studio(slow_world.describe(), name="stopping")
    asyncio.run(save_studio(StudioFile.model_validate(tables)))
    clip = make_clip()
    with clip.open("ab") as file:
        file.write(ZEROS)
    command = [sys.executable, "-m", "postflow", "upload", str(clip), "--studio", "stopping"]
    environment = os.environ | {
        "PREFECT_API_URL": prefect_api,
        "PREFECT_LOCAL_STORAGE_PATH": str(tmp_path / "results"),
    }
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        wait_until_sync(
            lambda: slow_world.assets() and _is_serving(process.pid),
            timeout=60,
            description="bytes on their way",
        )
        family = psutil.Process(process.pid).children(recursive=True)
        ports = {port for each in (process, *family) for port in _listening(each.pid)}
        assert family, "the ngrok agent"
        assert len(ports) > 1, "of the media server and of the agent"

        process.send_signal(number)

        said = process.communicate(timeout=30)[0]
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert "Stopping" in said
    assert slow_world.assets() == []
    assert [child for child in family if child.is_running()] == []
    assert list((private_state / "ngrok").iterdir()) == []
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()  # nobody listens there any more


def _listening(pid: int) -> set[int]:
    connections = psutil.Process(pid).net_connections("tcp")
    return {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}


def _is_serving(pid: int) -> bool:
    """Does somebody hold a connection to the media server?"""
    ports = _listening(pid)
    connections = psutil.Process(pid).net_connections("tcp")
    return any(
        each.laddr.port in ports and each.status == psutil.CONN_ESTABLISHED for each in connections
    )
