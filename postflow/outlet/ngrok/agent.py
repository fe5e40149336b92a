"""One ngrok agent with one endpoint, driven through pyngrok. Everything here blocks."""

from __future__ import annotations

import atexit
import http.client
import math
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pyngrok import ngrok, process
from pyngrok.conf import PyngrokConfig
from pyngrok.exception import PyngrokError, PyngrokNgrokURLError

from postflow.errors import PostFlowError
from postflow.outlet.tunnel import free_port

from . import quirks
from .binary import is_from_snap
from .errors import DEAD, LOST, MOVED, UNANSWERED
from .folder import AgentFolder, end_child
from .stderr import StderrTail

ENDPOINT = "postflow"
CHECK_SECONDS = 10.0
DELETE_SECONDS = 5.0
# HTTPException and ValueError: what pyngrok lets through when an agent dies while it answers.
CALL_FAILED = (PyngrokError, OSError, http.client.HTTPException, ValueError)


class Agent:
    """`start`, `connect` and `check` belong to one thread; `stop` may come from any, and twice."""

    def __init__(
        self,
        executable: Path,
        authtoken: SecretStr,
        folder: AgentFolder,
        *,
        startup_timeout: float,
        request_timeout: float,
    ) -> None:
        # With port 0 the agent logs `:0`, and pyngrok asks there.
        folder.write_config(authtoken, free_port())
        folder.write_launcher(executable)
        self._folder = folder
        self._tail = StderrTail(
            authtoken, folder.complaints, folder.path, from_snap=is_from_snap(executable)
        )
        self._process: process.NgrokProcess | None = None
        self._tunnel: ngrok.NgrokTunnel | None = None
        self._lost_since: float | None = None
        self._stopping = threading.RLock()
        self._stopped = False
        self._config = PyngrokConfig(
            ngrok_path=str(folder.launcher),
            config_path=str(folder.config),
            monitor_thread=True,
            log_event_callback=self._tail.note,
            startup_timeout=math.ceil(startup_timeout),
            request_timeout=request_timeout,
            start_new_session=True,
        )
        # pyngrok fills it from NGROK_AUTHTOKEN, and would show it in the process list.
        self._config.auth_token = None
        atexit.register(self._stop_at_exit, os.getpid())

    def start(self) -> None:
        """Start the agent and wait for its session. Raises Retry or Fatal by the agent's reason."""
        quirks.mute()
        quirks.bypass_proxies()
        with self._refusals():
            self._process = ngrok.get_ngrok_process(self._config)

    def connect(self, local_url: str, domain: str | None) -> SecretStr:
        """Open the endpoint and return its public URL. Raises Retry or Fatal by ngrok's reason."""
        with self._refusals():
            self._tunnel = self._connected(local_url, domain)
        return SecretStr(str(self._tunnel.public_url).rstrip("/"))

    def check(self, drop_grace: float) -> None:
        """Return while the endpoint is up under its first URL, or has been lost for less than
        `drop_grace` seconds; else raise Retry, or Fatal by ngrok's code."""
        if self._process is None or not process.is_process_running(self._config.ngrok_path):
            raise self._tail.reason(DEAD())
        try:
            endpoint, status = self._listed(), self._api("/api/status").get("status")
        except CALL_FAILED:
            raise self._tail.reason(self._unanswered(self._process)) from None
        if not quirks.is_heard(self._process):
            raise self._tail.reason(self._unanswered(self._process))
        if endpoint is None:
            raise self._tail.reason(DEAD())
        if self._tunnel is None or endpoint.public_url != self._tunnel.public_url:
            raise MOVED()
        self._check_session(str(status), drop_grace)

    def notice(self) -> None:
        """Keep hold of the process that pyngrok is starting, before it may drop it again."""
        self._process = quirks.process_of(self._config.ngrok_path) or self._process

    def abandon(self, call: Future[Any]) -> None:
        """Make a `start` or `connect` under way come to its end."""
        while not call.done():
            self.notice()
            if self._process is not None:
                end_child(self._process.proc)
            wait([call], timeout=0.05)

    def silence(self, seconds: float) -> PostFlowError:
        """Why `start` or `connect` was not done after `seconds`."""
        return self._tail.silence(seconds)

    def stop(self) -> None:
        """Close the endpoint, end the process, remove the traces of both."""
        with self._stopping:
            if self._stopped:
                return
            self._stopped = True
            self.notice()
            if self._process is not None:
                self._disconnect()
                end_child(self._process.proc)
                quirks.close_output(self._process)
            url = self._tunnel.public_url if self._tunnel is not None else None
            quirks.forget(self._config.ngrok_path, str(self._config.config_path), url)
            self._folder.remove()
            atexit.unregister(self._stop_at_exit)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except CALL_FAILED as error:
            # Not chained: pyngrok's texts hold addresses and, when it is refused, the authtoken.
            raise self._tail.refusal(error) from None

    def _connected(self, local_url: str, domain: str | None) -> ngrok.NgrokTunnel:
        options: dict[str, Any] = {"url": f"https://{domain}"} if domain else {}
        upstream = {"url": local_url}
        try:
            return ngrok.connect(
                name=ENDPOINT,
                pyngrok_config=self._config,
                upstream=upstream,
                inspect=False,
                **options,
            )
        except PyngrokNgrokURLError:
            # The answer is lost, but the endpoint may be there.
            if (adopted := self._listed()) is None:
                raise
            return adopted

    @staticmethod
    def _unanswered(agent: process.NgrokProcess) -> PostFlowError:
        """A process that has just been killed may need a moment to be dead."""
        try:
            agent.proc.wait(1)
        except subprocess.TimeoutExpired:
            return UNANSWERED()
        return DEAD()

    def _check_session(self, status: str, drop_grace: float) -> None:
        if status == "online":
            self._lost_since = None
            self._tail.forget()
            return
        self._lost_since = self._lost_since or time.monotonic()
        seconds = time.monotonic() - self._lost_since
        if seconds >= drop_grace:
            raise self._tail.reason(LOST(seconds=seconds))

    def _listed(self) -> ngrok.NgrokTunnel | None:
        # Not ngrok.get_tunnels: in the place of a dead agent it would start a new one.
        for endpoint in self._api("/api/endpoints").get("endpoints") or []:
            if endpoint.get("name") == ENDPOINT:
                return ngrok.NgrokTunnel(endpoint, self._config, self._api_url)
        return None

    def _disconnect(self) -> None:
        if self._tunnel is not None:
            # It fails where the endpoint or the agent is gone: then nothing is left to do.
            with suppress(*CALL_FAILED):
                url = f"{self._api_url}{self._tunnel.uri}"
                ngrok.api_request(url, method="DELETE", timeout=DELETE_SECONDS)

    def _api(self, path: str) -> dict[str, Any]:
        return ngrok.api_request(f"{self._api_url}{path}", timeout=CHECK_SECONDS)

    @property
    def _api_url(self) -> str | None:
        return self._process.api_url if self._process is not None else None

    def _stop_at_exit(self, owner: int) -> None:
        if os.getpid() == owner:
            self.stop()
