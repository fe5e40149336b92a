"""A studio in the sandbox, clips to deliver, short pauses, and nothing left behind."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from functools import partial, partialmethod
from pathlib import Path

import psutil
import pytest
from prefect.settings import (
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from postflow.discord import DiscordClient
from postflow.frameio import FrameioClient
from postflow.frameio.calls import CallRetries
from postflow.frameio.client import shared_for
from postflow.frameio.parts import PartRetries, PartStore
from postflow.media import picture
from postflow.outlet.ngrok.provider import NgrokProvider
from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path
from tests.crash.agents import agents
from tests.journeys.studios import save

MakeClip = Callable[..., Path]

QUICK_PARTS = PartRetries(attempts=3, backoff=0.01, longest_backoff=0.05, silence=15.0)
SHORT_PAUSES = CallRetries(backoff=0.05, longest_backoff=0.2, looks=(0.05, 0.2))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many attempts as in earnest, less time between them, and nothing known from before."""
    from postflow.blocks import tunnel

    frameio = partialmethod(FrameioClient.__init__, retries=SHORT_PAUSES)
    discord = partialmethod(DiscordClient.__init__, timeout=2.0)
    parts = partialmethod(PartStore.__init__, retries=QUICK_PARTS)
    monkeypatch.setattr(PartStore, "__init__", parts)
    monkeypatch.setattr(FrameioClient, "__init__", frameio)
    monkeypatch.setattr(DiscordClient, "__init__", discord)
    ngrok = partial(NgrokProvider, startup_timeout=10, longest_pause=0.1, drop_grace=10)
    monkeypatch.setattr(tunnel, "NgrokProvider", ngrok)
    shared_for.cache_clear()


@pytest.fixture(scope="session")
def results(prefect_api: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where results are kept: a link, since other settings for each test take 0.03 s of CPU."""
    link = tmp_path_factory.mktemp("kept") / "results"
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: link}):
        yield


@pytest.fixture(scope="session")
def unlogged() -> Iterator[None]:
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield


@pytest.fixture(autouse=True)
def shown_too(
    request: pytest.FixtureRequest, unlogged: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Pictures, and logs on the server, take a quarter of a journey's CPU time: they are made for
    tests that are about them, marked `shows`.
    """
    if request.node.get_closest_marker("shows") is None:
        monkeypatch.setattr(picture, "can_be_made", lambda: False)
        yield
    else:
        with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: True}):
            yield


@pytest.fixture(scope="session")
def shared_world() -> Iterator[Sandbox]:
    """Rate limits ten times as wide, so that obeying them takes no time."""
    with Sandbox(rate_scale=10) as running:
        yield running


@pytest.fixture
def world(shared_world: Sandbox) -> Sandbox:
    """A world in which nothing has happened. Override it for other switches."""
    shared_world.reset()
    return shared_world


@pytest.fixture
def nothing_cached(results: None, tmp_path: Path) -> None:
    """No stage remembers what an earlier test did."""
    (tmp_path / "results").mkdir()
    link = PREFECT_LOCAL_STORAGE_PATH.value()
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "results")


@pytest.fixture(scope="session")
def saved() -> dict[str, str]:
    """Which world each studio on the test's server leads to: saving takes a second."""
    return {}


@pytest.fixture
async def studio(nothing_cached: None, world: Sandbox, saved: dict[str, str]) -> str:
    """The name of a studio whose world is the sandbox."""
    if saved.get("main") != world.url:
        await save(world, name="main")
        saved["main"] = world.url
    return "main"


@pytest.fixture
async def loopback_studio(nothing_cached: None, world: Sandbox, saved: dict[str, str]) -> str:
    """The same without an agent, whose start takes most of a journey's time."""
    if saved.get("loopback") != world.url:
        await save(world, name="loopback", provider="loopback")
        saved["loopback"] = world.url
    return "loopback"


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """Put a real clip on disk under any name, `extra` bytes longer than the shipped one."""

    def make(name: str = "SQ07_UNDLM_00152_v003.mov", *, extra: int = 0) -> Path:
        path = tmp_path / "watch" / name
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(clip_path(), path)
        if extra:
            with path.open("ab") as file:
                file.write(extra.to_bytes(4) + b"mdat" + b"x" * (extra - 8))
        return path

    return make


@pytest.fixture(autouse=True)
def nothing_left(private_state: Path, world: Sandbox) -> Iterator[None]:
    """After each test no agent runs, and nothing listens that did not before."""
    before = _listening()
    yield
    assert agents(private_state / "ngrok") == []
    assert _listening() <= before
    assert list((private_state / "ngrok").glob("*/*")) == []


def _listening() -> set[int]:
    connections = psutil.Process().net_connections("tcp")
    return {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[str], int]]:
    """How often the log says something. Once Prefect is set up, pytest is not told by itself."""
    logger = logging.getLogger("postflow")
    logger.addHandler(caplog.handler)
    yield lambda words: sum(words in each.getMessage() for each in set(caplog.records))
    logger.removeHandler(caplog.handler)
