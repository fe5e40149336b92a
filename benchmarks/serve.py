"""How our media server compares with nginx (or, where there is none, with bare os.sendfile).

    python benchmarks/serve.py [--rounds 7] [--mebibytes 1024] [--nginx PATH] [--check]

The servers take turns in each round and the ratio is the median of the rounds' ratios: absolute
rates say more about the machine's other work than about us. CPU seconds per gigabyte are the
steadier figure. `--check` ends with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

MIB = 1 << 20
GB = 1e9
STALLED = 64
LIMIT = 200_000_000
Ranges = list[tuple[int, int]]

OURS = """
import asyncio, sys
from pathlib import Path
from postflow.bandwidth import Bandwidth
from postflow.media.probe import probe_media
from postflow.outlet.server import MediaServer
from postflow.outlet.served_files import Limits

async def main():
    limit = float(sys.argv[2]) if len(sys.argv) > 2 else None
    bandwidth = Bandwidth((lambda: limit) if limit else None)
    with MediaServer(limits=Limits(parallel=1000), bandwidth=bandwidth) as server:
        file = await server.publish(await probe_media(Path(sys.argv[1])))
        print(server.url + file.path.get_secret_value(), flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""

BARE = """
import os, re, socket, sys, threading

def serve(connection, file, size):
    with connection, connection.makefile("rb") as lines:
        while request := lines.readline():
            wanted = None
            while (line := lines.readline()) not in (b"\\r\\n", b""):
                wanted = re.match(rb"(?i)range: bytes=(\\d+)-(\\d+)", line) or wanted
            start, last = (int(wanted[1]), int(wanted[2])) if wanted else (0, size - 1)
            head = f"HTTP/1.1 200 OK\\r\\nContent-Length: {last + 1 - start}\\r\\n\\r\\n"
            connection.sendall(head.encode())
            while start <= last:
                start += os.sendfile(connection.fileno(), file, start, last + 1 - start)

file = os.open(sys.argv[1], os.O_RDONLY)
with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
    while True:
        arguments = (listener.accept()[0], file, os.fstat(file).st_size)
        threading.Thread(target=serve, args=arguments, daemon=True).start()
"""

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


@dataclass(frozen=True)
class Server:
    """A server process of its own that has one file to give."""

    name: str
    process: psutil.Process
    port: int
    path: str

    def cpu(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        return float(self.process.memory_info().rss / MIB)


@dataclass(frozen=True)
class Case:
    """What is fetched: one list of ranges for each connection; and what we want to reach."""

    name: str
    connections: list[Ranges]
    goal: float

    @property
    def bytes(self) -> int:
        return sum(stop - start for ranges in self.connections for start, stop in ranges)


@dataclass(frozen=True)
class Run:
    """One fetch of a whole case. Gigabytes a second, and the server's CPU seconds a gigabyte."""

    rate: float
    cpu: float


def cases(size: int) -> list[Case]:
    eighth = size // 8
    pieces = size // (8 * MIB)
    order = random.Random(1).sample(range(pieces), pieces)
    return [
        Case("one GET", [[(0, size)]], 0.8),
        Case("8 ranges at once", [[(n * eighth, (n + 1) * eighth)] for n in range(8)], 0.8),
        Case("8 MiB ranges, keep-alive", [[(n * 8 * MIB, (n + 1) * 8 * MIB) for n in order]], 0.55),
    ]


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def python_server(name: str, code: str, clip: Path, *limit: int) -> Iterator[Server]:
    """A server that prints the clip's URL when it is ready."""
    with running([sys.executable, "-c", code, str(clip), *map(str, limit)]) as process:
        assert process.stdout
        found = re.fullmatch(r"http://127.0.0.1:(\d+)(/.*)", process.stdout.readline().strip())
        assert found
        yield Server(name, psutil.Process(process.pid), int(found[1]), found[2])


@contextmanager
def nginx_server(nginx: str, clip: Path) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        config = Path(folder, "nginx.conf")
        config.write_text(NGINX.format(folder=folder, port=port, root=clip.parent))
        with running([nginx, "-p", folder, "-c", str(config)]) as process:
            wait_for(port)
            yield Server("nginx", psutil.Process(process.pid), port, f"/{clip.name}")


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit("nginx did not start")


def fetch(server: Server, ranges: Ranges) -> None:
    """Ask for one range after the other on one connection, and drop what comes."""
    buffer = bytearray(256 << 10)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        for start, stop in ranges:
            request(connection, server, start, stop)
            left = stop - start - len(after_head(connection))
            while left > 0:
                count = connection.recv_into(buffer, min(left, len(buffer)))
                if count == 0:
                    raise SystemExit(f"{server.name} broke off")
                left -= count


def request(connection: socket.socket, server: Server, start: int, stop: int) -> None:
    lines = [f"GET {server.path} HTTP/1.1", "Host: x", f"Range: bytes={start}-{stop - 1}", "", ""]
    connection.sendall("\r\n".join(lines).encode())


def after_head(connection: socket.socket) -> bytes:
    """What came of the body together with the head."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(4096)
    return received.partition(b"\r\n\r\n")[2]


def run(server: Server, case: Case) -> Run:
    threads = [threading.Thread(target=fetch, args=(server, ranges)) for ranges in case.connections]
    cpu, begun = server.cpu(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gigabytes = case.bytes / GB
    return Run(gigabytes / (time.perf_counter() - begun), (server.cpu() - cpu) / gigabytes)


def stalled_readers(server: Server, size: int) -> float:
    """How many MiB the server grows by when many readers take nothing."""
    before = server.memory()
    with ExitStack() as stack:
        for _ in range(STALLED):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            request(connection, server, 0, size)
            after_head(connection)
        return server.memory() - before


def limited(clip: Path, case: Case) -> str:
    """What a limit costs, and how well it is kept."""
    with python_server("limited", OURS, clip, LIMIT) as server:
        found = run(server, case)
    asked = f"Limited to {LIMIT / 1e6:.0f} MB/s: {found.rate * 1e3:.0f} MB/s in {case.name}"
    return f"{asked}, CPU {found.cpu:.2f} s/GB"


def measure(ours: Server, other: Server, case: Case, rounds: int) -> tuple[list[Run], list[Run]]:
    """Fetch in turns; who begins changes with each round."""
    results: dict[str, list[Run]] = {ours.name: [], other.name: []}
    for number in range(rounds):
        for server in (ours, other) if number % 2 else (other, ours):
            results[server.name].append(run(server, case))
    return results[ours.name], results[other.name]


def median(runs: list[Run], what: str) -> float:
    return float(statistics.median(getattr(run, what) for run in runs))


def report(ours: Server, other: Server, size: int, rounds: int) -> bool:
    """Print the table; were all goals reached?"""
    table = Table(title=f"Media server against {other.name}: {size // MIB} MiB, {rounds} rounds")
    for column in ("case", "GB/s", other.name, "ratio", "goal", "CPU s/GB", other.name, "goal"):
        table.add_column(column, justify="left" if column == "case" else "right")
    reached = True
    for case in cases(size):
        mine, theirs = measure(ours, other, case, rounds)
        ratio = statistics.median(a.rate / b.rate for a, b in zip(mine, theirs, strict=True))
        cpu, cpu_goal = median(mine, "cpu"), 0.25 if case.goal > 0.6 else 0.5
        reached &= ratio >= case.goal and cpu <= cpu_goal
        table.add_row(
            case.name,
            f"{median(mine, 'rate'):.2f}",
            f"{median(theirs, 'rate'):.2f}",
            f"{ratio:.2f}",
            f">= {case.goal}",
            f"{cpu:.2f}",
            f"{median(theirs, 'cpu'):.2f}",
            f"<= {cpu_goal}",
        )
    growth = stalled_readers(ours, size)
    console = Console(width=110)
    console.print(table)
    console.print(
        f"{STALLED} readers that take nothing: +{growth:.1f} MiB (goal <= +10), "
        f"{ours.memory():.0f} MiB in all"
    )
    return reached and growth <= 10


@contextmanager
def clip_of(size: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "clip.mov")
        block = random.Random(0).randbytes(MIB)
        with path.open("wb") as file:
            for _ in range(size // MIB):
                file.write(block)
        yield path


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--nginx", default=shutil.which("nginx"))
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    size = options.mebibytes * MIB
    with clip_of(size) as clip, python_server("ours", OURS, clip) as ours:
        rival = (
            nginx_server(options.nginx, clip)
            if options.nginx
            else python_server("os.sendfile", BARE, clip)
        )
        with rival as other:
            reached = report(ours, other, size, options.rounds)
        Console(width=110).print(limited(clip, cases(size)[0]))
    return 1 if options.check and not reached else 0


if __name__ == "__main__":
    sys.exit(main())
