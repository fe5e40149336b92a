"""A public address by ngrok: settings, and the tunnel they open."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, SecretStr
from pyngrok.installer import get_default_ngrok_dir
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_before_delay

from postflow.errors import PostFlowError, Retry
from postflow.media.volume import DaemonThread
from postflow.models import FrozenModel
from postflow.outlet.loop_thread import finish

from . import binary
from .agent import Agent
from .errors import DEAD, refused
from .folder import AgentFolder, reap

logger = logging.getLogger(__name__)


class NgrokTunnel:
    """An agent that runs and leads `public_url` to us."""

    def __init__(
        self, agent: Agent, thread: DaemonThread, public_url: SecretStr, grace: float
    ) -> None:
        self.public_url = public_url
        self._agent = agent
        self._thread = thread
        self._grace = grace
        self._closed = False

    async def check(self) -> None:
        """Raises Retry `tunnel.ngrok.dead`, `.moved`, `.lost` or `.unanswered`; by ngrok's code
        also Fatal."""
        if self._closed:
            raise DEAD()
        await asyncio.wrap_future(self._thread.submit(partial(self._agent.check, self._grace)))

    async def close(self) -> None:
        """Takes up to some ten seconds with an agent that does not obey; not to be interrupted."""
        self._closed = True
        self._thread.close()
        await finish(asyncio.to_thread(self._agent.stop))


class NgrokProvider(FrozenModel):
    """The settings of an ngrok tunnel. `domain`: a reserved one, else ngrok chooses. In seconds:

    `startup_timeout`: for an agent to be ready. `open_timeout`: for all attempts together, where
    ngrok's reason may pass (codes 108, 334, no network). `drop_grace`: how long a lost session
    may take to come back.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    ngrok_path: Path | None = None
    authtoken: SecretStr | None = None
    domain: str | None = None
    state_dir: Path
    startup_timeout: float = 30
    request_timeout: float = 30
    open_timeout: float = 90
    longest_pause: float = 60
    drop_grace: float = 60

    @asynccontextmanager
    async def open(self, local_url: str) -> AsyncIterator[NgrokTunnel]:
        """Start an agent of our own. Raises Retry or Fatal `tunnel.ngrok.…`."""
        await binary.version(self.ngrok_path)
        await asyncio.to_thread(reap, self.state_dir)
        tunnel = await self._opened(local_url)
        logger.info("The ngrok tunnel is open.")
        try:
            yield tunnel
        finally:
            await tunnel.close()
            logger.info("The ngrok tunnel is closed.")

    async def _opened(self, local_url: str) -> NgrokTunnel:
        retrying = AsyncRetrying(
            retry=retry_if_exception(_passes),
            wait=self._pause,
            stop=stop_before_delay(self.open_timeout),
            before_sleep=_log_retry,
            reraise=True,
        )
        return await retrying(self._attempt, local_url)

    async def _attempt(self, local_url: str) -> NgrokTunnel:
        agent = self._agent()
        # An agent started with a parent-death signal dies with the thread that started it.
        thread = DaemonThread("ngrok")
        try:
            await _bounded(agent, thread, agent.start, self.startup_timeout)
            connect = partial(agent.connect, local_url, self.domain)
            # pyngrok keeps its own limit for this call; ours is for when it does not.
            url = await _bounded(agent, thread, connect, self.request_timeout * 2)
        except BaseException:
            thread.close()
            await finish(asyncio.to_thread(agent.stop))
            raise
        return NgrokTunnel(agent, thread, url, self.drop_grace)

    def _agent(self) -> Agent:
        return Agent(
            binary.find(self.ngrok_path),
            find_authtoken(self.authtoken),
            AgentFolder.create(self.state_dir),
            startup_timeout=self.startup_timeout,
            request_timeout=self.request_timeout,
        )

    def _pause(self, state: RetryCallState) -> float:
        first = getattr(_error(state), "retry_after", None) or 0.0
        return float(min(first * 2 ** (state.attempt_number - 1), self.longest_pause))


async def _bounded(
    agent: Agent, thread: DaemonThread, call: Callable[[], Any], seconds: float
) -> Any:
    """Run `call` in the thread; when it takes too long, end the agent under it."""
    job = thread.submit(call)
    try:
        async with asyncio.timeout(seconds):
            while not job.done():
                agent.notice()
                await asyncio.sleep(0.02)
    except (TimeoutError, asyncio.CancelledError) as error:
        await finish(asyncio.to_thread(agent.abandon, job))
        if isinstance(error, TimeoutError):
            raise agent.silence(seconds) from None
        raise
    return job.result()


def _passes(error: BaseException) -> bool:
    return isinstance(error, Retry) and error.retry_after is not None


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _log_retry(state: RetryCallState) -> None:
    error = _error(state)
    reason = error.message if isinstance(error, PostFlowError) else error
    pause = state.next_action.sleep if state.next_action is not None else 0.0
    logger.warning("%s Trying again in %.0f seconds.", reason, pause)


def find_authtoken(given: SecretStr | None) -> SecretStr:
    """The given one, that of NGROK_AUTHTOKEN, or the one `ngrok config add-authtoken` has kept.

    Raises Fatal `tunnel.ngrok.4018`.
    """
    if given is not None and given.get_secret_value():
        return given
    token = os.environ.get("NGROK_AUTHTOKEN") or _kept()
    if not token:
        raise refused(4018)
    return SecretStr(token)


def _kept() -> str | None:
    try:
        config = (Path(get_default_ngrok_dir()) / "ngrok.yml").read_text(encoding="utf-8")
    except OSError:
        return None
    match = re.search(r"""^\s*authtoken:\s*["']?([^\s"'#]+)""", config, re.MULTILINE)
    return match[1] if match else None
