"""How fast parts are sent directly: against curl, by HTTP and TLS, and against the official SDK.

    python benchmarks/direct.py [--rounds 5] [--parts 25] [--sdk PYTHON] [--check]

All send to the same server, which drops what it gets, in turns, each in a process of its own; the
order is reversed each round. The ratios are medians of the rounds' ratios. `--sdk` is a Python that
has `frameio` (`make conformance` makes one in .venv-conformance).

Where the server tells no MD5, we hash the first four parts and the last one only, and curl is the
rival. Where it tells the MD5 of each part, we hash them all on the way, which curl does not do; so
`md5sum` runs beside it. The SDK never hashes: it meets us both ways.

Rates on the loopback say how much of a processor is left, as no line is in the way; they scatter by
a third where others use the machine. So `--check` holds CPU (to 1.2 times that of curl with
md5sum) and memory, and rates are only told.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

MIB = 1 << 20
PART = 20 * MIB
AT_ONCE = 4
MEMORY_GOAL = 60.0
ROOT = Path(__file__).resolve().parent.parent

SINK = """
import os, re, signal, socket, ssl, sys

def told(head):
    known = re.search(rb"etag=([0-9a-f]+)", head)
    return b'ETag: "%s"\\r\\n' % known[1] if known else b""

def drain(connection):
    buffer = memoryview(bytearray(1 << 20))
    dropped = 0 if context else getattr(socket, "MSG_TRUNC", 0) * (sys.platform == "linux")
    if context:
        connection = context.wrap_socket(connection, server_side=True)
    while True:
        head = b""
        while b"\\r\\n\\r\\n" not in head:
            piece = connection.recv(4096)
            if not piece:
                return
            head += piece
        head, _, rest = head.partition(b"\\r\\n\\r\\n")
        left = int(re.search(rb"(?i)content-length: (\\d+)", head)[1]) - len(rest)
        if b"100-continue" in head.lower():
            connection.sendall(b"HTTP/1.1 100 Continue\\r\\n\\r\\n")
        while left:
            count = connection.recv_into(buffer, min(left, len(buffer)), dropped)
            if not count:
                return
            left -= count
        connection.sendall(b"HTTP/1.1 200 OK\\r\\n%sContent-Length: 0\\r\\n\\r\\n" % told(head))

context = None
if len(sys.argv) > 1:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1])
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        if not os.fork():
            listener.close()
            try:
                drain(connection)
            finally:
                os._exit(0)
        connection.close()
"""

OURS = """
import asyncio, json, re, resource, sys, time
from pathlib import Path
import httpcore  # else httpx would load it when the first part leaves
from pydantic import SecretStr
from postflow.bandwidth import Bandwidth
from postflow.delivery.direct import DirectSending
from postflow.media.probe import probe_media
from postflow.models import UploadPart

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

async def main(path, url, part):
    media = await probe_media(Path(path))
    starts = range(0, media.size, part)
    parts = [
        UploadPart(number=number, start=at, size=min(part, media.size - at), url=SecretStr(url))
        for number, at in enumerate(starts, 1)
    ]
    async def arrived(number, etag): ...
    sending = DirectSending(None, media, arrived, detour=None, bandwidth=Bandwidth())
    sending.resume(parts)
    idle = peak()
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    sending.start()
    await sending.settled()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = {"seconds": seconds, "cpu": cpu, "peak": peak(), "grown": peak() - idle}
    print(json.dumps(told))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""

SDK = """
import json, resource, sys, time
from types import SimpleNamespace
import httpcore
from frameio.upload import FrameioUploader

path, url, part = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(path, "rb") as file:
    size = file.seek(0, 2)
    file.seek(0)
    urls = [SimpleNamespace(url=url, size=part)] * -(-size // part)
    asset = SimpleNamespace(upload_urls=urls, file_size=size, media_type="video/quicktime")
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    FrameioUploader(asset, file).upload()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": 0, "grown": 0}))
"""


@dataclass(frozen=True)
class Run:
    """Seconds, CPU seconds, and the most memory in MiB: all of it, and what sending added."""

    seconds: float
    cpu: float
    peak: float
    grown: float


Sender = Callable[[], Run]


@contextmanager
def sink(certificate: Path | None) -> Iterator[str]:
    """Its address."""
    command = [sys.executable, "-c", SINK, *([str(certificate)] if certificate else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        scheme, port = "https" if certificate else "http", int(process.stdout.readline())
        try:
            yield f"{scheme}://localhost:{port}/part?X-Amz-SignedHeaders=host"
        finally:
            process.kill()


def python(code: str, executable: str, clip: Path, url: str, trusted: Path) -> Sender:
    def send() -> Run:
        command = [executable, "-c", code, str(clip), url, str(PART)]
        environment = {**os.environ, "SSL_CERT_FILE": str(trusted)}
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, env=environment, cwd=ROOT
        )
        return Run(**json.loads(done.stdout))

    return send


def curl(parts: list[Path], url: str, trusted: Path, *, hashed: bool) -> Sender:
    puts = [word for part in parts for word in ("-T", str(part), url)]
    options = ["-sS", "--no-progress-meter", "--fail", "--cacert", str(trusted), "-H", "Expect:"]
    parallel = ["--parallel", "--parallel-max", str(AT_ONCE), "--parallel-immediate"]
    sending = ["curl", *options, *parallel, *puts]
    hashing = ["xargs", "-0", "-n1", f"-P{AT_ONCE}", "md5sum"]

    def send() -> Run:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        with subprocess.Popen(sending, stdout=subprocess.DEVNULL) as process:
            if hashed:
                names = "\0".join(map(str, parts)).encode()
                subprocess.run(hashing, input=names, stdout=subprocess.DEVNULL, check=True)
            assert process.wait() == 0
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Run(seconds, cpu, 0, 0)

    return send


@dataclass(frozen=True)
class Line:
    """One comparison of two senders by name; `goal` is for the ratio of the rates."""

    ours: str
    other: str
    goal: float
    is_equal_work: bool = False


def measured(senders: dict[str, Sender], rounds: int) -> dict[str, list[Run]]:
    """Each sends once a round; what the first round was is not kept."""
    runs: dict[str, list[Run]] = {name: [] for name in senders}
    for number in range(rounds + 1):
        for name in list(senders)[:: -1 if number % 2 else 1]:
            runs[name].append(senders[name]())
    return {name: each[1:] for name, each in runs.items()}


def report(lines: list[Line], runs: dict[str, list[Run]], size: int) -> bool:
    table = Table("case", "GB/s ours", "other", "ratio", "goal", "CPU s/GB ours", "other", "MiB")
    reached = True
    for line in lines:
        ours, other = runs[line.ours], runs[line.other]
        ratio = statistics.median(b.seconds / a.seconds for a, b in zip(ours, other, strict=True))
        grown = max(run.grown for run in ours)
        cpu = [statistics.median(run.cpu for run in runs) for runs in (ours, other)]
        reached &= grown <= MEMORY_GOAL and (not line.is_equal_work or cpu[0] <= 1.2 * cpu[1])
        table.add_row(
            f"{line.ours} / {line.other.partition(': ')[2]}",
            f"{statistics.median(size / 1e9 / run.seconds for run in ours):.2f}",
            f"{statistics.median(size / 1e9 / run.seconds for run in other):.2f}",
            f"{ratio:.2f}",
            f">= {line.goal}",
            *(f"{each / size * 1e9:.2f}" for each in cpu),
            f"+{grown:.0f} of {max(run.peak for run in ours):.0f}",
        )
    Console(width=120).print(table, f"load {os.getloadavg()[0]:.1f}")
    return reached


def cut(clip: Path, folder: Path, size: int) -> list[Path]:
    """For curl, which sends whole files only."""
    parts = []
    with clip.open("rb") as whole:
        for number in range(-(-size // PART)):
            parts.append(folder / f"part{number}")
            parts[-1].write_bytes(whole.read(PART))
    return parts


def certificate(folder: Path) -> Path:
    """For localhost, and its key."""
    file = folder / "localhost.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost"]
    alternative = ["-addext", "subjectAltName=DNS:localhost"]
    output = ["-keyout", str(file), "-out", str(folder / "certificate")]
    subprocess.run([*command, *alternative, *output], check=True, stderr=subprocess.DEVNULL)
    with file.open("ab") as both:
        both.write((folder / "certificate").read_bytes())
    return file


def contest(
    scheme: str, url: str, clip: Path, parts: list[Path], sdk: str | None
) -> tuple[dict[str, Sender], list[Line]]:
    """All parts are equal, so that one address tells the MD5 of each."""
    trusted = clip.parent / "certificate"
    told = f"{url}&etag={hashlib.md5(parts[0].read_bytes(), usedforsecurity=False).hexdigest()}"
    plain, hashed = f"{scheme}: ours", f"{scheme}: ours, hashed"
    senders = {
        plain: python(OURS, sys.executable, clip, url, trusted),
        f"{scheme}: curl": curl(parts, url, trusted, hashed=False),
        hashed: python(OURS, sys.executable, clip, told, trusted),
        f"{scheme}: curl, md5sum": curl(parts, url, trusted, hashed=True),
    }
    lines = [
        Line(plain, f"{scheme}: curl", 0.95),
        Line(hashed, f"{scheme}: curl, md5sum", 0.95, is_equal_work=True),
    ]
    if sdk:
        name, goal = f"{scheme}: official SDK", 3.0 if scheme == "HTTP" else 1.0
        senders[name] = python(SDK, sdk, clip, url, trusted)
        lines += [Line(ours, name, goal) for ours in (plain, hashed)]
    return senders, lines


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", type=int, default=25, help="of 20 MiB")
    parser.add_argument("--sdk", default=str(ROOT / ".venv-conformance" / "bin" / "python"))
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    size = options.parts * PART
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clip, part = folder / "SQ07_UNDLM_00152_v003.mov", random.Random(0).randbytes(PART)
        with clip.open("wb") as file:
            file.writelines(part for _ in range(options.parts))
        parts, pem = cut(clip, folder, size), certificate(folder)
        sdk = shutil.which(options.sdk)
        with sink(None) as plain, sink(pem) as tls:
            contests = [
                contest(scheme, url, clip, parts, sdk)
                for scheme, url in (("HTTP", plain), ("TLS", tls))
            ]
            runs = measured(
                {k: v for senders, _ in contests for k, v in senders.items()}, options.rounds
            )
        reached = report([line for _, lines in contests for line in lines], runs, size)
    return 1 if options.check and not reached else 0


if __name__ == "__main__":
    sys.exit(main())
