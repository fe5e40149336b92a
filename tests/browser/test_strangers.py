"""A page of somebody else's, in the browser of a person who is signed in to Prefect's UI."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.browser.conftest import REBOUND
from tests.browser.looking import Page
from tests.support.serving import serving

pytestmark = [pytest.mark.browser, pytest.mark.prefect]

PAGE = """<!doctype html><pre id=o>waiting</pre><script>
(async () => {
  const json = {"content-type": "application/json"};
  const tries = [
    ["read", "block_documents/filter", {method: "POST", headers: json,
      body: JSON.stringify({include_secrets: true})}],
    ["simple", "block_documents/filter", {method: "POST", body: "{}"}],
    ["write", "deployments/1", {method: "PATCH", headers: json, body: "{}"}],
    ["token", "csrf-token?client=evil", {}],
    ["cookies", "admin/settings", {credentials: "include"}],
  ];
  const told = [];
  for (const [name, path, how] of tries) {
    try { told.push(name + " " + await (await fetch("%s/" + path, how)).text()); }
    catch (error) { told.push(name + " blocked"); }
  }
  o.textContent = told.join("\\n") + "\\nover";
})()
</script>"""


@pytest.fixture
def foreign(prefect_api: str, tmp_path: Path) -> Iterator[str]:
    """The address of that page."""
    (tmp_path / "index.html").write_text(PAGE.replace("%s", prefect_api))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield f"http://localhost:{server.server_port}/"


def test_a_foreign_page_reads_and_changes_nothing(
    prefect_ui: str, page: Page, foreign: str
) -> None:
    page.open(foreign)
    page.wait_for("over")
    tries = ("read", "simple", "write", "token", "cookies")
    assert page.find("#o").text.splitlines() == [*(f"{each} blocked" for each in tries), "over"]


def test_a_name_that_is_made_to_lead_here_is_no_way_in(prefect_ui: str, page: Page) -> None:
    page.open(prefect_ui.replace("127.0.0.1", REBOUND))
    page.wait_for("Invalid host header")
