"""One run of the agent: from its first line to its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any

import aiohttp
from aiohttp import web

from . import logfmt
from .api import Api
from .configuration import Configuration, listen
from .endpoints import Endpoints
from .session import AT_CONNECT, AT_EDGE, TEXTS, UNREACHABLE, Session, verdict, wording
from .settings import Settings

Fault = Mapping[str, Any]

AT_START = frozenset(TEXTS) - AT_CONNECT - AT_EDGE
POLL_SECONDS = 0.2


class Agent:
    def __init__(self, settings: Settings, configuration: Configuration) -> None:
        self._settings = settings
        self._configuration = configuration
        self._session = Session(settings)
        self._endpoints = Endpoints(self._session)
        self._stop = asyncio.Event()
        self._farewell = 0
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
            address, why = self._configuration.web_addr, str(problem.strerror).lower()
            return _command_failed(f"listen tcp {address}: bind: {why}")
        async with self._serving(listener):
            return await self._in_session()

    async def _arm_from_control(self) -> None:
        if self._settings.control_url:
            for fault in await pending(self._settings.control_url, running=False):
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
            await self._obey_control()
            self._session.established()
        await self._stop.wait()
        logfmt.info("received stop request", obj="app", stopReq="{err:<nil> restart:false}")
        logfmt.info("session closing", obj="tunnels.session", err="nil")
        return self._farewell

    async def _obey_control(self) -> None:
        """What is armed already holds from the first request on."""
        if self._settings.control_url:
            for fault in await pending(self._settings.control_url, running=True):
                await self.strike(fault)
            self._chore(follow(self._settings.control_url, self.strike))

    async def strike(self, fault: Fault) -> None:
        """Let a fault happen now, or arm it for the next request it concerns."""
        now = {
            "agent_crash": self._crash,
            "thrown_out": self._thrown_out,
            "new_address": self._new_address,
            "endpoint_gone": self._endpoint_gone,
            "drop": self._drop,
            "noise": self._noise,
            "grumble": self._grumble,
            "recover": self._recover,
        }
        if (happen := now.get(str(fault["what"]))) is not None:
            await happen(fault)
        else:
            self._session.arm(fault)

    async def _crash(self, _: Fault) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def _thrown_out(self, fault: Fault) -> None:
        """The service ends the session, for a reason like a suspended account."""
        self._farewell = _refused(wording(int(fault["code"])))
        self._stop.set()

    async def _endpoint_gone(self, _: Fault) -> None:
        await self._endpoints.remove_all()

    async def _new_address(self, _: Fault) -> None:
        self._session.lost()
        for endpoint in self._endpoints.all():
            await endpoint.edge.move()
            logfmt.info("started tunnel", obj="tunnels", name=endpoint.name, url=endpoint.url)
        self._session.established()

    async def _drop(self, fault: Fault) -> None:
        """Lose the session at once, and find it again after some seconds."""
        self._session.lost()
        for endpoint in self._endpoints.all():
            endpoint.edge.cut()

        async def reconnect() -> None:
            await asyncio.sleep(float(fault.get("seconds", 2)))
            self._session.established()

        self._chore(reconnect())

    async def _noise(self, fault: Fault) -> None:
        for number in range(int(fault.get("lines", 1000))):
            logfmt.info("update available", obj="updater", number=number)

    async def _grumble(self, fault: Fault) -> None:
        """Log an error that passes."""
        logfmt.error("failed to reconnect session", err=wording(int(fault.get("code", 334))))

    async def _recover(self, _: Fault) -> None:
        self._session.faults.clear()

    async def _reconnect_in_vain(self) -> None:
        pause = 0.5
        while not self._stop.is_set():
            logfmt.error("failed to reconnect session", obj="tunnels.session", err=UNREACHABLE)
            await self._pause(pause)
            pause = min(pause * 2, 30)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def _chore(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)


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


async def pending(control_url: str, *, running: bool) -> list[Fault]:
    """Take what is armed for the start, or for a running agent; nothing if the sandbox is gone."""
    query = {"running": "1"} if running else {}
    limit = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as client,
            client.get(f"{control_url}/sandbox/agent/faults", params=query) as answer,
        ):
            return list(await answer.json()) if answer.status == 200 else []
    except (aiohttp.ClientError, TimeoutError):
        return []


async def follow(control_url: str, strike: Callable[[Fault], Awaitable[None]]) -> None:
    """Strike with each fault as it is armed, for ever."""
    while True:
        await asyncio.sleep(POLL_SECONDS)
        for fault in await pending(control_url, running=True):
            await strike(fault)
