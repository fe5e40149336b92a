"""A stand-in agent as a plain process, and something behind it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from postflow.sandbox.ngrok_agent.settings import write_wrapper

TOKEN = "2standInToken_0123456789abcdef"


@dataclass
class RunningAgent:
    """`lines`: what it wrote until it was ready."""

    process: subprocess.Popen[str]
    lines: list[str]
    api: str

    def rest(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.read()


@dataclass
class Starter:
    folder: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def executable(self, *faults: dict[str, Any], **settings: Any) -> Path:
        return write_wrapper(self.folder / "ngrok", authtoken=TOKEN, faults=faults, **settings)

    def launch(
        self, *faults: dict[str, Any], token: str = TOKEN, web_addr: str | None = None, **rest: Any
    ) -> subprocess.Popen[str]:
        """Start one as pyngrok does."""
        config = self.folder / "ngrok.yml"
        agent = {"authtoken": token, **({"web_addr": web_addr} if web_addr else {})}
        config.write_text(json.dumps({"version": "3", "agent": agent}))
        words = ["start", "--none", "--log", "stdout", "--config", str(config)]
        process = subprocess.Popen(
            [self.executable(*faults, **rest), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        return process

    def ready(self, *faults: dict[str, Any], **rest: Any) -> RunningAgent:
        """Start one and wait for its session."""
        process = self.launch(*faults, **rest)
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "tunnel session started" not in lines[-1]:
            line = process.stdout.readline()
            assert line, "The agent ended."
            lines.append(line)
        (service,) = [line for line in lines if "starting web service" in line]
        return RunningAgent(process, lines, f"http://{service.split('addr=')[1].strip()}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    for process in starter.running:
        process.kill()
        process.communicate()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as client:
        yield client


@dataclass
class Upstream:
    """Answers what a test wants, and remembers who asked."""

    url: str = ""
    seen: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    endless: bool = False
    sent: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        self.bodies.append(await request.read())
        if not self.endless:
            return web.Response(status=self.status, body=b"0123456789", headers=self.headers)
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(64 * 1024))
            self.sent += 64 * 1024


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", upstream.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield upstream
    await runner.cleanup()
    await asyncio.sleep(0)
