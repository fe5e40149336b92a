"""A headless Chromium, and the Prefect server's UI; the rest is the journeys'."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from postflow.cli.sandbox import sandbox_studio
from postflow.sandbox import Sandbox
from postflow.servers import password
from postflow.service.save_studio import save_studio
from postflow.service.studio_file import StudioFile
from tests.browser.looking import Page
from tests.journeys.conftest import (
    make_clip,
    nothing_cached,
    nothing_left,
    results,
    shared_world,
    short_pauses,
    world,
)
from tests.journeys.studios import QUICK
from tests.support.enrolled import enrolled

__all__ = [
    "make_clip",
    "nothing_cached",
    "nothing_left",
    "results",
    "shared_world",
    "short_pauses",
    "world",
]

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
# Its owner lets it lead to this machine, once the browser has his page.
REBOUND = "evil.example"
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
)

WINDOW = 1280, 1200  # Prefect's lists have no rows outside of the window
QUICK_WATCH = {"quiet": 0.2, "idle_timeout": 0.2, "interval": 0.2}


@pytest.fixture
def prefect_ui(prefect_api: str, page: Page, signed_in: set[str]) -> str:
    """The address of the UI, at which somebody has signed in."""
    ui = prefect_api.removesuffix("/api")
    if ui not in signed_in:
        page.sign_in(ui, password())
        signed_in.add(ui)
    return ui


@pytest.fixture(scope="session")
def signed_in(chromium: Chrome) -> set[str]:
    """What the browser remembers the password of."""
    return set()


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """The studio's watch folder, where `make_clip` puts its clips."""
    folder = tmp_path / "watch"
    folder.mkdir()
    enrolled(folder)
    return folder


@pytest.fixture
async def studio(nothing_cached: None, world: Sandbox, watched: Path) -> str:
    """A studio in the sandbox that watches a folder, without an agent."""
    tables = sandbox_studio(world.describe())
    tables["studio"] |= {
        "watching": QUICK_WATCH | {"folders": [watched]},
        "retry_policy": QUICK,
    }
    tables["tunnel"] = {"provider": "loopback"}
    await save_studio(StudioFile.model_validate(tables))
    return "main"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    if not (CHROMIUM.exists() and DRIVER.exists()):
        absent = "Debian's chromium and chromium-driver are not installed: `make apt`."
        (pytest.fail if os.environ.get("CI") else pytest.skip)(absent)
    with driven(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@contextmanager
def driven(profile: Path) -> Iterator[Chrome]:
    """Debian's own Chromium; nothing is downloaded."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SE_OFFLINE", "true")
        driver = Chrome(options=options, service=ChromeService(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def page(chromium: Chrome) -> Page:
    chromium.set_window_size(*WINDOW)
    return Page(chromium)
