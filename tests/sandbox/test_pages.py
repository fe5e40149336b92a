"""The pages show the tree and the clip, and no name can break out of them."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import httpx
import pytest

from postflow.sandbox import Sandbox
from postflow.sandbox.pages import shown
from tests.sandbox.caller import Caller, Source, wait_for_status

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{7*7}}.mov"


class Elements(HTMLParser):
    """Tags and the texts of elements that have an id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.by_id: dict[str, dict[str, str | None]] = {}
        self.texts: dict[str, str] = {}
        self.text = ""
        self._current = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self._current = given.get("id") or (tag if tag == "title" else "")
        if given.get("id"):
            self.by_id[given["id"] or ""] = given

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._current:
            self.texts[self._current] = self.texts.get(self._current, "") + data

    def handle_endtag(self, _tag: str) -> None:
        self._current = ""


def arrived(caller: Caller, source: Source, name: str, folder: str | None = None) -> str:
    folder = folder or caller.world.root_folder_id
    file = caller.upload(folder, name, source.url)
    wait_for_status(caller.world, file, "transcoded")
    return file


def test_view_url_opens_a_page_with_the_clip(
    world: Sandbox, caller: Caller, source: Source
) -> None:
    folder = caller.folder("UNDLM_00152", caller.folder("SQ07"))
    file = arrived(caller, source, "SQ07_UNDLM_00152_v003.mov", folder)

    answer = httpx.get(caller.file(file)["view_url"])
    page = Elements(answer.text)

    assert page.texts["title"] == "SQ07_UNDLM_00152_v003.mov · UNDLM"
    assert page.texts["clip-name"] == "SQ07_UNDLM_00152_v003.mov"
    assert page.texts["clip-folder"] == "SQ07 / UNDLM_00152"
    assert page.texts["clip-status"] == "transcoded"
    assert page.by_id["clip"]["src"] == f"/media/{file}"
    assert "video" in page.tags


def test_hostile_names_stay_text_everywhere(world: Sandbox, caller: Caller, source: Source) -> None:
    file = arrived(caller, source, HOSTILE, caller.folder(HOSTILE))
    httpx.post(world.discord_webhook_url, json={"content": HOSTILE})
    paths = ["/", f"/project/{world.project_id}/", f"/project/{world.project_id}/view/{file}"]

    for path in paths:
        answer = caller.http.get(path)
        page = Elements(answer.text)
        assert not {"script", "img"} & set(page.tags), path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert HOSTILE in page.text


def test_project_page_shows_the_tree(world: Sandbox, caller: Caller, source: Source) -> None:
    caller.stack(caller.folder("SQ07"), "v1.mov", "v2.mov")

    answer = caller.http.get(f"/project/{world.project_id}/")

    assert Elements(answer.text).texts["title"] == "UNDLM · Sandbox"
    assert "SQ07" in answer.text
    assert "2 versions" in answer.text


def test_view_of_a_folder_leads_to_its_project(world: Sandbox, caller: Caller) -> None:
    view_url = caller.get(f"/folders/{caller.folder('SQ07')}").json()["data"]["view_url"]

    assert httpx.get(view_url).headers["location"] == f"/project/{world.project_id}/"


def test_view_of_a_stack_shows_its_head_and_all_versions(world: Sandbox, caller: Caller) -> None:
    stack, files = caller.stack(world.root_folder_id, "v1.mov", "v2.mov")

    page = Elements(caller.http.get(f"/project/{world.project_id}/view/{stack}").text)

    assert page.texts["clip-name"] == "v2.mov"
    assert "versions" in page.by_id
    assert files


def test_page_of_a_clip_that_has_not_arrived_says_so(world: Sandbox, caller: Caller) -> None:
    file = caller.placeholder(world.root_folder_id, "clip.mov")

    page = Elements(caller.http.get(f"/project/{world.project_id}/view/{file}").text)

    assert page.texts["placeholder"].strip() == "Waiting for the bytes."
    assert "video" not in page.tags


def test_clip_is_served_with_ranges(world: Sandbox, caller: Caller, source: Source) -> None:
    file = arrived(caller, source, "clip.mov")

    part = caller.http.get(f"/media/{file}", headers={"Range": "bytes=1000-1999"})

    assert (part.status_code, part.content) == (206, source.body[1000:2000])
    assert part.headers["content-type"] == "video/mp4", "what browsers play"
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(source.body)}"


@pytest.mark.parametrize("name", ["page.html", "drawing.svg", "code.js"])
def test_media_that_could_run_is_only_downloaded(
    world: Sandbox, caller: Caller, source: Source, name: str
) -> None:
    file = arrived(caller, source, name)

    answer = caller.http.get(f"/media/{file}")

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_front_page_lists_addresses_but_no_secret(
    world: Sandbox, caller: Caller, source: Source
) -> None:
    arrived(caller, source, "clip.mov")
    text = caller.http.get("/").text

    assert "clip.mov" in text
    assert world.account_id in text
    for secret in (world.client_secret, world.ngrok_authtoken, world.discord_webhook_url):
        assert secret not in text


def test_switch_gives_view_urls_another_start() -> None:
    with Sandbox(view_base="https://next.frame.io") as world, Caller(world) as caller:
        file = caller.placeholder(world.root_folder_id, "a.mov")
        assert caller.file(file)["view_url"].startswith("https://next.frame.io/project/")


@pytest.mark.parametrize("path", ["/project/x/", "/media/x", "/thumbnails/x.png", "/s/x"])
def test_unknown_pages_are_404(caller: Caller, path: str) -> None:
    assert caller.http.get(path).status_code == 404


def test_style_is_served_locally(caller: Caller) -> None:
    assert caller.http.get("/style.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    ("said", "html"),
    [
        (r"SQ07 UNDLM\_00153 v001", "SQ07 UNDLM_00153 v001"),
        ("[Open in Frame.io](http://a/b)", '<a href="http://a/b">Open in Frame.io</a>'),
        (r"✅ [a\_\].mov](https://a/b): so", '✅ <a href="https://a/b">a_].mov</a>: so'),
        (r"\[no\]\(https://a/b\) <i>", "[no](https://a/b) &lt;i&gt;"),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        (
            '["><b>](https://a/"><b>)',
            '<a href="https://a/&#34;&gt;&lt;b&gt;">&#34;&gt;&lt;b&gt;</a>',
        ),
        (None, ""),
    ],
)
def test_a_message_is_shown_as_discord_shows_it(said: str | None, html: str) -> None:
    assert str(shown(said)) == html


def test_a_messages_title_leads_to_the_clip(world: Sandbox) -> None:
    embed = {"title": r"UNDLM\_1 is ready", "url": "http://127.0.0.1/view/1"}
    httpx.post(world.discord_webhook_url, json={"embeds": [embed]})
    page = httpx.get(world.url).text
    assert '<a href="http://127.0.0.1/view/1">UNDLM_1 is ready</a>' in page


def test_pictures_buttons_threads_and_mentions_are_shown() -> None:
    """Names of threads and files are hostile too."""
    with Sandbox(discord_channel="forum") as forum:
        embed = {"title": "ready", "image": {"url": "attachment://a.jpg"}}
        button = {"type": 2, "style": 5, "label": "Open", "url": "https://next.frame.io/x"}
        message = {
            "thread_name": HOSTILE,
            "content": "<@&77>",
            "embeds": [embed],
            "components": [{"type": 1, "components": [button]}],
        }
        answer = httpx.post(
            f"{forum.discord_webhook_url}?wait=true&with_components=true",
            data={"payload_json": json.dumps(message)},
            files={"files[0]": ("a.jpg", b"jpeg", "image/jpeg")},
        ).raise_for_status()
        text = httpx.get(f"{forum.url}/").text
        page = Elements(text)
    shown = answer.json()["embeds"][0]["image"]["url"]
    assert text.count(f'src="{shown}"') == 1
    assert 'href="https://next.frame.io/x"' in text
    assert "@77" in page.text
    assert HOSTILE in page.text
    assert "script" not in page.tags
