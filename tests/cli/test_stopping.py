"""Ctrl-C and SIGTERM in the middle of work: prompt, and nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from postflow.cli.app import Stopped, run, stoppable
from postflow.folder.root import MARKER
from postflow.sandbox import Sandbox
from postflow.service.console import Exit
from tests.cli.command_line import CommandLine
from tests.cli.conftest import STUDIO, MakeClip, SaveStudio
from tests.support.wait import wait_until_sync

pytestmark = pytest.mark.prefect

ZEROS = b"\0" * (32 << 20)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, Exit.INTERRUPTED), (signal.SIGTERM, Exit.TERMINATED)],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_stopped_upload_leaves_nothing_behind(
    postflow: CommandLine,
    save_studio: SaveStudio,
    world: Sandbox,
    make_clip: MakeClip,
    private_state: Path,
    number: signal.Signals,
    code: Exit,
) -> None:
    save_studio()
    world.fault("rate", "edge", bytes_per_second=1 << 20, times=None)
    clip = make_clip()
    with clip.open("ab") as file:
        file.write(ZEROS)
    running = postflow.start("upload", clip)
    wait_until_sync(
        lambda: world.assets() and _is_serving(running.pid),
        timeout=60,
        description="bytes on their way",
    )
    family = psutil.Process(running.pid).children(recursive=True)
    ports = {port for pid in (running.pid, *(each.pid for each in family)) for port in _ports(pid)}
    assert family, "the ngrok agent"
    assert len(ports) > 1, "of the media server and of the agent"

    running.signal(number)

    ran = running.wait()
    assert ran.code == code, ran.text
    assert "Stopping" in ran.err
    assert world.assets() == []
    assert psutil.wait_procs(family, timeout=30)[1] == [], "whoever ends last is waited for by init"
    assert list((private_state / "ngrok").iterdir()) == []
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()  # nobody listens there any more


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_the_watcher_and_the_runner_stop_when_told(
    postflow: CommandLine, save_studio: SaveStudio, tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "watch"
    folder.mkdir()
    save_studio(studio={"watching": {"folders": [str(folder)]}})

    watcher = postflow.start("watch")
    wait_until_sync((folder / MARKER).exists, description="the watcher")
    watcher.signal(number)
    assert watcher.wait().code == 128 + number

    before = asyncio.run(_served_since())
    runner = postflow.start("serve")
    wait_until_sync(
        lambda: asyncio.run(_served_since()) not in {None, before},
        timeout=60,
        description="the runner",
    )
    runner.signal(number)
    assert runner.wait().code == 128 + number


def test_a_second_signal_disturbs_nothing_that_is_closed_after_the_loop() -> None:
    """As the server of `up` is."""
    before = signal.getsignal(signal.SIGTERM)
    closed: list[str] = []

    async def stopped() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)

    def close() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        closed.append("server")

    def work() -> None:
        with stoppable(), ExitStack() as stack:
            stack.callback(close)
            run(stopped())

    try:
        with pytest.raises(Stopped):
            work()
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert closed


async def _served_since() -> datetime | None:
    """Since when the deployment takes runs. A runner pauses it at its end, unless it is killed."""
    from prefect import get_client
    from prefect.exceptions import ObjectNotFound

    async with get_client() as client:
        try:
            deployment = await client.read_deployment_by_name(f"ingest/ingest-{STUDIO}")
        except ObjectNotFound:
            return None
    return None if deployment.paused else deployment.updated


def _ports(pid: int) -> set[int]:
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.NoSuchProcess:  # a decoder that has done its picture
        return set()
    return {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}


def _is_serving(pid: int) -> bool:
    """Does somebody hold a connection to the media server?"""
    ports = _ports(pid)
    connections = psutil.Process(pid).net_connections("tcp")
    return any(
        each.laddr.port in ports and each.status == psutil.CONN_ESTABLISHED for each in connections
    )
