"""One run of the agent: from its first line to its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from sandbox.ngrok_agent import control, logfmt
from sandbox.ngrok_agent.api import Api
from sandbox.ngrok_agent.configuration import Configuration, listen
from sandbox.ngrok_agent.endpoints import Endpoints
from sandbox.ngrok_agent.refusals import AT_CONNECT, AT_EDGE, TEXTS, verdict, wording
from sandbox.ngrok_agent.session import UNREACHABLE, Session
from sandbox.ngrok_agent.settings import Settings

AT_START = frozenset(TEXTS) - AT_CONNECT - AT_EDGE


class Agent:
    def __init__(self, settings: Settings, configuration: Configuration) -> None:
        self._settings = settings
        self._configuration = configuration
        self._session = Session(settings)
        self._endpoints = Endpoints(self._session)
        self._stop = asyncio.Event()
        self._chores: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Start, serve until told to stop, and return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        await self._arm_from_control()
        if self._session.faults.take("agent", "agent_hang"):
            await self._stop.wait()
            return 0
        if self._session.faults.take("agent", "agent_silent_exit"):
            return 1
        try:
            listener = listen(self._configuration.web_addr)
        except OSError as problem:
            return _command_failed(f"listen tcp {self._configuration.web_addr}: {problem.strerror}")
        async with self._serving(listener):
            return await self._in_session()

    async def _arm_from_control(self) -> None:
        if self._settings.control_url:
            for fault in await control.pending(self._settings.control_url, running=False):
                self._session.arm(fault)

    @contextlib.asynccontextmanager
    async def _serving(self, listener: socket.socket) -> AsyncIterator[None]:
        api = Api(self._session, self._endpoints, self.strike)
        runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        host, port = listener.getsockname()
        logfmt.info("starting web service", obj="web", addr=f"{host}:{port}")
        try:
            yield
        finally:
            await self._endpoints.remove_all()
            await runner.cleanup()

    async def _in_session(self) -> int:
        faults = self._session.faults
        if slow := faults.take("agent", "agent_slow"):
            await self._pause(float(slow.options.get("seconds", 5)))
        code = self._session.refusal(AT_START)
        if code is None:
            code = verdict(self._configuration.authtoken, self._settings.authtoken)
        if code is not None:
            return _refused(wording(code, token=self._configuration.authtoken or ""))
        if faults.take("agent", "agent_offline"):
            await self._reconnect_in_vain()
        elif not faults.take("agent", "agent_web_only"):
            self._session.established()
            self._follow_control()
        await self._stop.wait()
        logfmt.info("received stop request", obj="app", stopReq="{err:<nil> restart:false}")
        logfmt.info("session closing", obj="tunnels.session", err="nil")
        return 0

    def _follow_control(self) -> None:
        if self._settings.control_url:
            self._chore(control.follow(self._settings.control_url, self.strike))

    async def strike(self, fault: Mapping[str, Any]) -> None:
        """Let a fault happen now, or arm it for the next request it concerns."""
        what, seconds = fault["what"], float(fault.get("seconds", 2))
        if what == "agent_crash":
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == "new_address":
            await self._new_address()
        elif what == "drop":
            self._chore(self._drop(seconds))
        elif what == "noise":
            self._chore(_chatter(int(fault.get("lines", 1000))))
        elif what == "recover":
            self._session.faults.clear()
        else:
            self._session.arm(fault)

    async def _drop(self, seconds: float) -> None:
        self._session.lost()
        for endpoint in self._endpoints.all():
            endpoint.edge.cut()
        await asyncio.sleep(seconds)
        self._session.established()

    async def _new_address(self) -> None:
        self._session.lost()
        for endpoint in self._endpoints.all():
            await endpoint.edge.move()
            logfmt.info("started tunnel", obj="tunnels", name=endpoint.name, url=endpoint.url)
        self._session.established()

    async def _reconnect_in_vain(self) -> None:
        pause = 0.5
        while not self._stop.is_set():
            logfmt.error("failed to reconnect session", obj="tunnels.session", err=UNREACHABLE)
            await self._pause(pause)
            pause = min(pause * 2, 30)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def _chore(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)


async def _chatter(lines: int) -> None:
    for number in range(lines):
        logfmt.info("update available", obj="updater", number=number)
        await asyncio.sleep(0)


def _refused(text: str) -> int:
    logfmt.error("failed to auth", obj="tunnels.session", err=f"authentication failed: {text}")
    logfmt.error("session closing", obj="tunnels.session", err=f"authentication failed: {text}")
    logfmt.error("terminating with error", obj="app", err=f"authentication failed: {text}")
    return _complaint(f"authentication failed: {text}")


def _command_failed(text: str) -> int:
    logfmt.log("crit", "command failed", err=text)
    return _complaint(text)


def _complaint(text: str) -> int:
    for line in text.strip().splitlines():
        sys.stderr.write(f"ERROR:  {line}\n")
    return 1
