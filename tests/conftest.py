"""The world, the server and the studio that the tests share."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import socket
import tempfile
import warnings
from asyncio import selector_events
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.tls import one_certificate

os.environ.update(
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS="0.1",
    DO_NOT_TRACK="1",
    LC_ALL="C.UTF-8",  # the language of a studio that names none
    SSL_CERT_FILE=one_certificate(),
    # Not that of a developer whose `postflow up` runs.
    POSTFLOW_STATE_DIR=tempfile.mkdtemp(prefix="state-"),
)
if "PREFECT_HOME" not in os.environ:
    os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-")
    atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)

from postflow.outlet.tunnel import free_port
from postflow.sandbox import Sandbox
from postflow.servers import password
from postflow.service.server import starting_prefect, ui_address, wait_until_healthy
from tests.support.prefect_home import migrated

atexit.register(shutil.rmtree, os.environ["POSTFLOW_STATE_DIR"], ignore_errors=True)
gc.disable()  # until all tests are imported, in a seventh less time

SERVICES = "PREFECT_SERVER_SERVICES"
# They look every few seconds for what no test leaves: pauses, workers, and what cancelled runs have
# below them, which ours cancel themselves.
UNUSED = ("PAUSE_EXPIRATIONS", "FOREMAN", "CLEANUP_RECONCILER", "CANCELLATION_CLEANUP")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: runs for many minutes; only when asked by -m soak")
    _close_what_came_too_late()
    if config.pluginmanager.hasplugin("hypothesispytest"):
        _let_examples_take_their_time()


def _let_examples_take_their_time() -> None:
    """By default one that lasts for 0.2 s fails, as on a busy machine."""
    from hypothesis import HealthCheck, settings

    slow = [HealthCheck.too_slow]
    usual = settings.default
    settings.register_profile("busy", usual, deadline=None, suppress_health_check=slow)
    settings.load_profile("busy")


def _close_what_came_too_late() -> None:
    """CPython 3.11 forgets a connection that it takes while its server closes (gh-109564): the
    garbage collector would find it open, and fail whichever test runs then.
    """
    kind: Any = vars(selector_events)["_SelectorTransport"]
    real = kind.__init__

    def make(self: Any, loop: Any, connection: socket.socket, *about: Any, **more: Any) -> None:
        try:
            real(self, loop, connection, *about, **more)
        except AssertionError:
            connection.close()
            self._sock = None
            raise

    kind.__init__ = make


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.pluginmanager.hasplugin("hypothesispytest"):
        # Its report imports it; trio's hook in it warns after a freeze.
        import hypothesis  # noqa: F401

    gc.freeze()  # Prefect above all is looked through no more
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long versions are left out unless they are named."""
    if "soak" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def private_state(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """No test sees another's locks, pid files or ledger."""
    state = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("POSTFLOW_STATE_DIR", str(state))
    for variable in ("NGROK_AUTHTOKEN", "POSTFLOW_DISCORD_WEBHOOK_URL", "POSTFLOW_STUDIO"):
        monkeypatch.delenv(variable, raising=False)
    return state


@pytest.fixture
def world() -> Iterator[Sandbox]:
    """A fresh outside world."""
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def prefect_api(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The API of one real Prefect server for the whole session, run as `postflow up` does."""
    from prefect.logging.handlers import APILogHandler
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    log = tmp_path_factory.mktemp("prefect") / "server.log"
    migrated(Path(os.environ["PREFECT_HOME"]))
    port = free_port()  # somebody else's in a while
    api = f"{ui_address(port)}/api"
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as its_own:
            for service in UNUSED:
                its_own.setenv(f"{SERVICES}_{service}_ENABLED", "false")
            if any(item.get_closest_marker("events") for item in request.session.items):
                its_own.setenv(f"{SERVICES}_EVENT_PERSISTER_ENABLED", "true")
            server = stack.enter_context(starting_prefect(port, log))
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        wait_until_healthy(server.process, ui_address(port), log)
        environment.delenv("PREFECT_API_URL")
        _let_prefect_leak(request.config, port)
        with temporary_settings({PREFECT_API_URL: api, PREFECT_API_AUTH_STRING: password()}):
            yield api
            # Else the interpreter's end waits a minute for a server that is gone.
            APILogHandler().flush()
            gc.collect()  # what Prefect leaks, while a test's filters hold


def _let_prefect_leak(config: pytest.Config, port: int) -> None:
    """Prefect 3.8 forgets to close its own client when it looks for the default result storage."""
    message = rf"unclosed <socket\.socket .*, {port}\)>"
    config.addinivalue_line("filterwarnings", f"ignore:{message}:ResourceWarning")
    warnings.filterwarnings("ignore", message, ResourceWarning)  # the running test's filters
