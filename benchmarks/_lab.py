"""Hosts in network namespaces of their own, each with its volume somewhere else and an uplink of
its own, around one PostgreSQL, one Prefect server and one sandbox. Needs root, `ip`, `unshare`.

A host reaches these three, and is reached by the sandbox, through a relay in this process, which
joins both networks, limits the uplink and cuts the cable.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg

from postflow.cli.sandbox import sandbox_studio
from postflow.outlet.tunnel import free_port
from postflow.sandbox import Sandbox
from postflow.service.studio_file import as_toml
from tests.ledger.postgres_server import find_server, prepared, running

NEWNET = 0x40000000
MEDIA_PORT = 8000
CHUNK = 16_384
# Buffers are small, or a whole clip would seem to have left while it waits for the line.
LITTLE = "net.ipv4.tcp_wmem=4096 16384 65536"
PASSWORD = "postflow:the-password-of-the-lab"
# What is started does not outlive this process.
WITH_US = ("setpriv", "--pdeathsig", "KILL")
START_LIMIT = 900.0
PLACES = ("Volumes/Post", "mnt/post", "mnt/nas/post")
WATCHING = {"quiet": 0.5, "interval": 3.0, "idle_timeout": 90.0, "at_once": 4, "batch": 100}


def socket_in(namespace: str) -> socket.socket:
    """A socket that belongs to another network: this thread visits it."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        return socket.socket()
    finally:
        libc.setns(home, NEWNET)
        os.close(home)
        os.close(there)


class Cable:
    """Between a host and all else. `rate`: bytes a second that its media may leave with."""

    def __init__(self, namespace: str, rate: float) -> None:
        self.namespace = namespace
        self.media_address = free_port()
        self.sent = 0
        self._rate = rate
        self._free_at = 0.0
        self.plugged_in = asyncio.Event()
        self.plugged_in.set()

    async def limit(self, many: int) -> None:
        self.sent += many
        now = time.monotonic()
        self._free_at = max(now, self._free_at) + many / self._rate
        await asyncio.sleep(self._free_at - now)


class Relay:
    """Its loop runs in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="relay", daemon=True).start()

    def plug_in(self, cable: Cable, *ports: int) -> None:
        """What listens here on these ports is there too, and the media server here."""
        for port in ports:
            self._do(self._listen(cable, cable.namespace, port, None, port))
        media = cable.media_address
        self._do(self._listen(cable, cable.namespace, media, cable.namespace, MEDIA_PORT))
        self._do(self._listen(cable, None, media, cable.namespace, MEDIA_PORT, limited=True))

    def cut(self, cable: Cable, *, mended: bool = False) -> None:
        change = cable.plugged_in.set if mended else cable.plugged_in.clear
        self._loop.call_soon_threadsafe(change)

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(
        self,
        cable: Cable,
        at: str | None,
        port: int,
        to: str | None,
        to_port: int,
        *,
        limited: bool = False,
    ) -> None:
        listener = socket_in(at) if at else socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                await cable.plugged_in.wait()
                other = socket_in(to) if to else socket.socket()
                other.setblocking(False)
                if limited:
                    other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
                await asyncio.get_running_loop().sock_connect(other, ("127.0.0.1", to_port))
                back, forth = await asyncio.open_connection(sock=other)
                limit = cable.limit if limited else None
                await asyncio.gather(
                    _pump(reader, forth, cable, None), _pump(back, writer, cable, limit)
                )
            writer.close()

        await asyncio.start_server(serve, sock=listener)


async def _pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    cable: Cable,
    limit: Callable[[int], Awaitable[None]] | None,
) -> None:
    with suppress(OSError):
        while block := await reader.read(CHUNK):
            await cable.plugged_in.wait()
            if limit:
                await limit(len(block))
            writer.write(block)
            await writer.drain()
    writer.close()


class Host:
    """`up --join` in its own network, processes, name and mounts."""

    def __init__(self, lab: Lab, number: int, rate: float) -> None:
        self.name = f"h{number}"
        self.folder = lab.home / self.name / PLACES[(number - 1) % len(PLACES)]
        self.folder.mkdir(parents=True)
        self.cable = Cable(f"pf{os.getpid()}-{self.name}", rate)
        self._lab = lab
        self._process: subprocess.Popen[bytes] | None = None
        _ip("netns", "add", self.cable.namespace)
        _ip("-n", self.cable.namespace, "link", "set", "lo", "up")
        _ip("netns", "exec", self.cable.namespace, "sysctl", "-qw", LITTLE)
        lab.relay.plug_in(self.cable, lab.pg_port, lab.prefect_port, lab.sandbox_port)

    @property
    def state(self) -> Path:
        return self._lab.home / self.name / "state"

    def environment(self) -> dict[str, str]:
        home = self._lab.home / self.name
        return self._lab.environment | {
            "POSTFLOW_STATE_DIR": str(self.state),
            "PREFECT_HOME": str(home / "prefect"),
            "POSTFLOW_HOST": self.name,
            "POSTFLOW_BASE_URL": f"http://127.0.0.1:{self.cable.media_address}",
            "POSTFLOW_PORT": str(MEDIA_PORT),
        }

    def inside(self, command: list[str], *, mounted: bool = True) -> list[str]:
        bind = f"mount --bind {self._lab.volume} {self.folder};" if mounted else ""
        shell = f'hostname {self.name}; {bind} exec "$@"'
        own = ("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
        enter = [
            *WITH_US,
            "ip",
            "netns",
            "exec",
            self.cable.namespace,
            *own,
            "sh",
            "-c",
            shell,
            "sh",
        ]
        return [*enter, *command]

    def up(self, *, mounted: bool = True, **environment: str) -> None:
        command = postflow("up", "--join", self._lab.prefect_url, "--backfill", "all")
        with (self._lab.home / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.inside(command, mounted=mounted),
                env=self.environment() | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )

    def ask(self, *command: str) -> str:
        """What a command says on this host."""
        done = subprocess.run(
            self.inside(postflow(*command)),
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        return done.stdout + done.stderr

    def kill(self) -> None:
        """All of its processes at once, as by a power cut."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        self.kill()
        _ip("netns", "del", self.cable.namespace)


def postflow(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "postflow", *arguments]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


class Lab:
    """Live. `hosts` are there, and not up yet."""

    def __init__(self, world: Sandbox, home: Path) -> None:
        self.world = world
        self.home = home
        self.volume = home / "volume"
        self.volume.mkdir()
        self.relay = Relay()
        self.hosts: list[Host] = []
        self.pg_port, self.prefect_port = free_port(), free_port()
        self.sandbox_port = int(world.url.rpartition(":")[2])
        self.prefect_url = f"http://127.0.0.1:{self.prefect_port}"
        self.ledger_url = f"postgresql://postgres@127.0.0.1:{self.pg_port}/postflow"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PREFECT_", "POSTFLOW_"))
        } | {"PREFECT_API_AUTH_STRING": PASSWORD, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        self._postgres, self._prefect = ExitStack(), ExitStack()
        programs = find_server()
        assert programs, "PostgreSQL's server is not installed"
        self._programs = programs
        self._cluster: Path

    @contextmanager
    def running(self, hosts: int, rate: float) -> Iterator[None]:
        with prepared(self._programs) as self._cluster, ExitStack() as stack:
            stack.callback(self._postgres.close)
            self.start_postgres()
            with psycopg.connect(self._database("postgres"), autocommit=True) as connection:
                for name in ("prefect", "postflow"):
                    connection.execute(f"CREATE DATABASE {name}")
            stack.callback(self._prefect.close)
            self.start_prefect()
            for number in range(1, hosts + 1):
                self.hosts.append(Host(self, number, rate))
                stack.callback(self.hosts[-1].remove)
            self._set_up()
            yield

    def _database(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.pg_port}/{name}"

    def start_postgres(self) -> None:
        self._postgres.enter_context(running(self._programs, self._cluster, port=self.pg_port))

    def stop_postgres(self) -> None:
        self._postgres.close()

    def start_prefect(self) -> None:
        """As the documentation says; it is waited for."""
        database = self._database("prefect").replace("postgresql:", "postgresql+asyncpg:")
        settings = {
            "PREFECT_HOME": str(self.home / "prefect"),
            "PREFECT_SERVER_API_AUTH_STRING": PASSWORD,
            "PREFECT_SERVER_API_PORT": str(self.prefect_port),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
                "prefect.server.concurrency.lease_storage.filesystem"
            ),
        }
        command = [*WITH_US, sys.executable, "-P", "-m", "postflow.service.prefect_server"]
        with (self.home / "prefect.log").open("ab") as log:
            server = subprocess.Popen(
                command, env=self.environment | settings, stdout=log, stderr=log, cwd="/"
            )
        self._prefect.callback(server.wait)
        self._prefect.callback(server.kill)
        wait_for(self._prefect_answers, "Prefect's server")

    def stop_prefect(self) -> None:
        self._prefect.close()

    def _prefect_answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.prefect_url}/api/health").is_success
        return False

    def _set_up(self) -> None:
        """By the first host; the others find the folder by its marker."""
        tables: dict[str, dict[str, Any]] = sandbox_studio(self.world.describe())
        first = self.hosts[0]
        tables["studio"]["ledger"] = self.ledger_url
        tables["studio.watching"] = WATCHING | {"folders": [str(first.folder)]}
        tables["tunnel"] = {"provider": "static", "base_url": "http://127.0.0.1:1", "port": 1}
        file = self.home / "studio.toml"
        file.write_text(as_toml(tables), encoding="utf-8")
        told = subprocess.run(
            postflow("setup", "--file", str(file)),
            env=first.environment() | {"PREFECT_API_URL": f"{self.prefect_url}/api"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stdout + told.stderr


@contextmanager
def a_lab(hosts: int, rate: float) -> Iterator[Lab]:
    """Its folder, with all logs, stays where something went wrong."""
    home = Path(tempfile.mkdtemp(prefix="pf-lab-"))
    with Sandbox() as world:
        lab = Lab(world, home)
        try:
            with lab.running(hosts, rate):
                yield lab
        except BaseException as error:
            error.add_note(f"The logs are in {home}")
            raise
    shutil.rmtree(home, ignore_errors=True)


def wait_for(is_done: Callable[[], bool], what: str, *, limit: float = START_LIMIT) -> float:
    """Seconds that it took. Raises TimeoutError."""
    began = time.monotonic()
    while not is_done():
        if time.monotonic() - began > limit:
            raise TimeoutError(f"{what} was waited for in vain for {limit:.0f} s")
        time.sleep(0.25)
    return time.monotonic() - began
