"""`make pictures`: the documentation's pictures, taken of a studio in the sandbox.

Somebody sets it up in a terminal; what that `postflow` then serves is looked at in Chromium.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import Any

import pyte
from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.text import Text
from selenium.webdriver import Chrome

from postflow.outlet.tunnel import free_port
from postflow.sandbox import Sandbox
from postflow.sandbox.clips import clip_path, exported_again_path, other_clip_path
from postflow.servers import PAGE
from postflow.service.studio_file import as_toml
from tests.browser.conftest import driven
from tests.browser.looking import Page
from tests.support.terminal import Terminal

IMAGES = Path(__file__).parents[2] / "docs" / "images"
HOME = Path(tempfile.gettempdir()) / "studio"
EXPORTS = HOME / "exports"
STATE = HOME / "state"
COLUMNS = 100
ENTER = "\r"
LIMIT = 180.0
CLIP, AGAIN = "SQ07_UNDLM_00152_v003.mov", "SQ07_UNDLM_00152_v004.mov"
OTHER, REFUSED = "SQ07_UNDLM_00153_v001.mov", "SQ09_UNDLM_00010_v002.mov"
SLOW, WAITING = (
    "SQ08_UNDLM_00040_v001.mov",
    ("SQ08_UNDLM_00041_v001.mov", "SQ09_UNDLM_00011_v001.mov"),
)


def main() -> None:
    EXPORTS.mkdir(parents=True)
    STATE.mkdir(mode=0o700)
    try:
        with Sandbox() as world, _studio(world) as (terminal, port):
            _take_of_terminal(terminal.told)
            _write_clips(world, terminal)
            with driven(HOME / "profile") as chromium:
                _take_of_page(chromium)
                _take_of_prefect(chromium, f"http://127.0.0.1:{port}")
                _take_of_sandbox(chromium, world)
    finally:
        shutil.rmtree(HOME)


@contextmanager
def _studio(world: Sandbox) -> Iterator[tuple[Terminal, int]]:
    """Set up by a person, and at work until the end of the block; and its Prefect's port."""
    shutil.copyfile(clip_path(), EXPORTS / CLIP)
    shutil.copyfile(clip_path(), EXPORTS / "final.mov")
    (EXPORTS / "notes.txt").write_text("no clip")
    port = free_port()
    command = ("setup", "--from", str(_addresses(world)), "--port", str(port))
    with Terminal(*command, environment=_environment(), folder=HOME, columns=COLUMNS) as terminal:
        for question, keys in (
            ("Which kind of credential?", ENTER),
            ("Client ID:", world.client_id + ENTER),
            ("Client secret:", world.client_secret + ENTER),
            ("How do clips travel?", ENTER),
            ("Webhook URL", world.discord_webhook_url + ENTER),
            ("Which folder is watched?", f"{EXPORTS}{ENTER}"),
            ("Which naming rules?", ENTER),
            ("Deliver them?", "2" + ENTER),
            ("documents leave open?", ENTER),
            ("Start PostFlow?", ENTER),
            (f"{CLIP} http", ""),
        ):
            terminal.see(question)
            terminal.press(keys)
        yield terminal, port


def _addresses(world: Sandbox) -> Path:
    """Of the sandbox: the true ones are known."""
    redirect = f"https://localhost:{free_port()}/callback"
    tables: dict[str, dict[str, Any]] = {
        "frameio": {"base_url": world.url},
        "adobe": {"ims_url": world.url, "redirect_uri": redirect},
        "studio.watching": {"quiet": 1.0, "interval": 1.0, "at_once": 1},
    }
    path = HOME / "addresses.toml"
    path.touch(mode=0o600)
    path.write_text(as_toml(tables))
    return path


def _environment() -> dict[str, str]:
    browser = HOME / "browser"
    browser.write_text(
        '#!/bin/sh\ncase "$1" in */ims/authorize*) exec curl -skL -o /dev/null "$1";; esac\n'
    )
    browser.chmod(0o755)
    ours = {
        "BROWSER": str(browser),
        "POSTFLOW_STATE_DIR": str(STATE),
        "PREFECT_HOME": str(HOME / "prefect"),
        "TERM": "xterm-256color",
    }
    return {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"} | ours


def _take_of_terminal(told: bytes) -> None:
    """A picture of each step, from its headline on, and of what follows them."""
    screen = pyte.Screen(COLUMNS, 500)
    pyte.ByteStream(screen).feed(told.replace(str(HOME).encode(), b"/mnt/studio"))
    lines = [_line(screen.buffer[row]) for row in range(screen.cursor.y + 1)]
    heads = [at for at, line in enumerate(lines) if re.match(r"\d of 8 ", line.plain)]
    last = next(at for at, line in enumerate(lines) if "is saved" in line.plain)
    ends = [*heads[1:], last, len(lines)]
    for number, (begin, end) in enumerate(zip([*heads, last], ends, strict=True), 1):
        name = f"setup-{number}" if number < len(ends) else "setup-start"
        _save_svg(name, Text("\n").join(lines[begin:end]))


def _line(cells: dict[int, Char]) -> Text:
    line = Text()
    for style, run in groupby((cells[column] for column in range(COLUMNS)), _style):
        line.append("".join(cell.data for cell in run), style)
    line.rstrip()
    return line


def _style(cell: Char) -> Style:
    color = {"default": None, "brown": "yellow"}.get(cell.fg, cell.fg)
    if color and re.fullmatch("[0-9a-f]{6}", color):
        color = f"#{color}"
    elif color:
        color = color.replace("bright", "bright_")
    return Style(color=color, bold=cell.bold, reverse=cell.reverse, underline=cell.underscore)


def _save_svg(name: str, text: Text) -> None:
    """Without the font that rich would have fetched from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print(text)
    svg = re.sub(
        r"@font-face \{.*?\}", "", console.export_svg(title="postflow setup"), flags=re.DOTALL
    )
    (IMAGES / f"{name}.svg").write_text(svg, encoding="utf-8")


def _write_clips(world: Sandbox, terminal: Terminal) -> None:
    """Some that arrive, one that is refused, one that is slow, and those that wait for it."""
    _write(OTHER, other_clip_path())
    terminal.see(f"{OTHER} http")
    _write(AGAIN, exported_again_path())
    terminal.see(f"{AGAIN} http")
    world.fault("status", "files.local_upload", code=422, times=None)
    _write(REFUSED, other_clip_path(), extra=8)
    terminal.see(f"{REFUSED}: Frame.io refused")
    world.mend()
    world.fault("rate", "parts.put", bytes_per_second=400_000, times=None)
    _write(SLOW, clip_path(), extra=90_000_000)
    _until(lambda: SLOW in str(world.assets()))
    for name in WAITING:
        _write(name, other_clip_path(), extra=16)


def _write(name: str, like: Path, *, extra: int = 0) -> None:
    """`extra` bytes lie in a box that players pass over."""
    free = (extra + 8).to_bytes(4, "big") + b"free" + bytes(extra) if extra else b""
    (hidden := EXPORTS / f".{name}").write_bytes(like.read_bytes() + free)
    hidden.rename(EXPORTS / name)


def _until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _take_of_page(chromium: Chrome) -> None:
    page, address = Page(chromium), (STATE / PAGE).read_text(encoding="utf-8")
    page.open(address)
    page.find("#password").send_keys(_password() + "\n")
    page.wait_for("Needs you", REFUSED, *WAITING, "left")
    _shot(page, chromium, "page", 1280, 900)
    _shot(page, chromium, "page-narrow", 390, 844)


def _take_of_prefect(chromium: Chrome, ui: str) -> None:
    page = Page(chromium)
    page.show_at(1280, 900)
    page.sign_in(ui, _password())
    page.follow("ingest main")
    page.turn_to("subflow-runs")
    page.link(REFUSED)
    _shot(page, chromium, "prefect-batch", 1280, 1000)
    for clip, run, log, slip, told in (
        (OTHER, "prefect-run", "is delivered, after", "prefect-slip", "Open in Frame.io"),
        (REFUSED, "prefect-failure", "Frame.io refused", "prefect-refusal", "What to do"),
    ):
        page.open(f"{ui}/runs")
        page.follow(clip)
        page.wait_for(clip, log)
        _shot(page, chromium, run, 1280, 1250)
        page.turn_to("artifacts")
        page.follow("clip-")
        page.wait_for(told)
        _shot(page, chromium, slip, 1280, 800)


def _take_of_sandbox(chromium: Chrome, world: Sandbox) -> None:
    page = Page(chromium)
    page.show_at(1280, 900)
    page.open(world.url)
    page.wait_for("is ready for review")
    chromium.execute_script(
        "document.evaluate(\"//*[contains(text(),'is ready for review')]\", document, null, 9)"
        ".singleNodeValue.scrollIntoView()"
    )
    _shot(page, chromium, "sandbox-discord", 1280, 900)
    page.open(next(each for each in world.assets() if each["name"] == OTHER)["view_url"])
    page.wait_for_script("clip.readyState >= 2")
    _shot(page, chromium, "sandbox-page", 1280, 800)


def _password() -> str:
    return (STATE / "prefect-password").read_text(encoding="utf-8").strip()


def _shot(page: Page, chromium: Chrome, name: str, width: int, height: int) -> None:
    """As WebP, which Chromium writes small enough."""
    page.show_at(width, height)
    time.sleep(2)  # what moves has come to rest
    how = {"format": "webp", "quality": 80}
    data = chromium.execute_cdp_cmd("Page.captureScreenshot", how)["data"]
    (IMAGES / f"{name}.webp").write_bytes(base64.b64decode(data))


if __name__ == "__main__":
    main()
