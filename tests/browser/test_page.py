"""The page of clips, as people see it and as a foreign page would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from postflow.ledger import Clip, Ledger, Phase, queries, transitions
from tests.browser.conftest import REBOUND
from tests.browser.looking import Page
from tests.ledger.ground import MISNAMED, claim_one
from tests.page.ground import BOARD, NAME, PASSWORD, Served, lively, served_beside
from tests.support.serving import serving

pytestmark = pytest.mark.browser

FAILED, SKIPPED, WAITS = (NAME.format(f"00{number}") for number in (1, 2, 4))
SIZES = {"wide": (1280, 900), "narrow": (390, 844)}

FOREIGN = """<!doctype html><pre id=o>waiting</pre><iframe id=f src="%s"></iframe><script>
(async () => {
  const form = {method: "POST", credentials: "include", body: new URLSearchParams(
    {token: "0", action: "retry", root: "1", path: "exports/%s", clip: "2"})};
  const told = [];
  for (const how of [{credentials: "include"}, form, {...form, mode: "no-cors"}]) {
    const path = how.method ? "act" : "";
    try { told.push(`${(await fetch("%s" + path, how)).type} answer`); }
    catch (error) { told.push("blocked"); }
  }
  o.textContent = told.join("\\n") + "\\nover";
})()
</script>"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        lively(opened)
        yield opened


@pytest.fixture
def clips(ledger: Ledger, page: Page) -> Iterator[Served]:
    """The page, at which somebody has signed in by the keyboard."""
    with served_beside(Path(ledger.place)) as served:
        page.show_at(*SIZES["wide"])
        page.forget()
        page.open(served.url)
        page.find("#password")
        page.press(PASSWORD)
        page.press(Keys.ENTER)
        page.wait_for("Needs you", FAILED)
        yield served


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_everybody_can_use_it_and_nothing_comes_from_elsewhere(
    clips: Served, page: Page, ledger: Ledger, size: str, dark: bool
) -> None:
    page.asked_for(), page.complaints()
    page.show_at(*SIZES[size], dark=dark)
    for path in (
        "/sign-in",
        BOARD,
        f"{BOARD}?q=nothing",
        f"{BOARD}clip/{_clip(ledger, SKIPPED).id}",
    ):
        page.open(clips.url + path)
        page.wait_for_script("document.readyState == 'complete'")
        page.wait_for_script("document.documentElement.scrollWidth <= innerWidth")
        assert page.flaws() == [], path
    assert {re.sub(r"(?<=\d)/.*", "", each) for each in page.asked_for()} == {clips.url}
    assert page.complaints() == []


def test_a_clip_is_tried_again_by_keyboard_and_the_page_follows(
    clips: Served, page: Page, ledger: Ledger
) -> None:
    page.tab_to(f"Try again: {FAILED}")
    page.press(Keys.ENTER)
    page.wait_for(f"{FAILED} will be tried again.")
    page.wait_for_script(f"document.querySelector('section.waits').innerText.includes('{FAILED}')")
    line = page.focused().find_element("xpath", "ancestor::li")
    assert line.get_attribute("data-key") == f"clip-{_clip(ledger, FAILED).id}", (
        "the focus went along"
    )

    transitions.fail(ledger, claim_one(ledger), MISNAMED)
    page.wait_for_script("document.querySelectorAll('section.attention .line').length == 2")


def test_what_somebody_types_outlasts_news(clips: Served, page: Page, ledger: Ledger) -> None:
    page.open(f"{clips.url}{BOARD}clip/{_clip(ledger, SKIPPED).id}")
    shot = page.find("#shot")
    shot.clear()
    shot.send_keys("00999")
    page.wait_for("2_FROM_ANIM/SQ07/UNDLM_00999")
    transitions.fail(ledger, claim_one(ledger), MISNAMED)
    assert page.find("#shot").get_attribute("value") == "00999"
    page.press(Keys.ENTER)
    page.wait_for("is handed over")
    assert [(sequence, number) for _, sequence, number in clips.asked] == [("SQ07", "00999")]


def test_a_foreign_page_sees_nothing_and_does_nothing(
    clips: Served, page: Page, ledger: Ledger, tmp_path: Path
) -> None:
    """Also one on another port of this machine, to which the browser sends the cookie."""
    board = clips.url + BOARD
    (tmp_path / "index.html").write_text(FOREIGN % (board, FAILED, board))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        for host in ("127.0.0.1", "localhost"):
            page.open(f"http://{host}:{server.server_port}/")
            page.wait_for("over")
            assert page.find("#o").text.splitlines() == [*3 * ["blocked"], "over"]
            page.wait_for_script("!document.getElementById('f').contentDocument")
    assert _clip(ledger, FAILED).phase is Phase.FAILED
    page.open(clips.url.replace("127.0.0.1", REBOUND))
    page.wait_for("Invalid host header")


def _clip(ledger: Ledger, name: str) -> Clip:
    (clip,) = queries.rows(ledger, name=name)
    return clip
