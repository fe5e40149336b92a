"""What has to be done around pyngrok 9.1 because pyngrok does not."""

# ruff: noqa: SLF001 - these are the places for which pyngrok has no public way

from __future__ import annotations

import os
import threading

from pyngrok import installer, ngrok, process

LOOPBACK = ("127.0.0.1", "localhost")


def mute() -> None:
    """pyngrok logs public addresses and every line of the agent, refused authtokens included.

    By filters: a handler's owner or a later logging configuration may undo levels and propagation.
    """
    for logger in (ngrok.logger, process.logger, process.ngrok_logger, installer.logger):
        logger.addFilter(lambda _: False)


def bypass_proxies() -> None:
    """pyngrok would ask a configured proxy for the agent's API on loopback, and wait for ever."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host for host in known.split(",") if host]
    complete = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = complete


def process_of(ngrok_path: str) -> process.NgrokProcess | None:
    """The handle of an agent, also of one that is still starting or hangs in it."""
    return process._current_processes.get(ngrok_path)


def is_heard(agent: process.NgrokProcess) -> bool:
    """Whether somebody reads the agent's output: else it stops when the pipe is full."""
    reader = _reader(agent)
    return reader is not None and reader.is_alive()


def close_output(ended: process.NgrokProcess) -> None:
    """pyngrok leaves the pipe of an ended agent open."""
    if (reader := _reader(ended)) is not None:
        reader.join(1)
    if ended.proc.stdout is not None and not is_heard(ended):
        ended.proc.stdout.close()


def forget(ngrok_path: str, config_path: str, public_url: str | None) -> None:
    """pyngrok keeps processes, tunnels and configurations, with the authtoken, for ever."""
    process.is_process_running(ngrok_path)
    installer._config_cache.pop(config_path, None)
    ngrok._current_tunnels.pop(public_url or "", None)


def _reader(agent: process.NgrokProcess) -> threading.Thread | None:
    return agent._monitor_thread
