"""What is listed, on which shelf, and what a name can do to the page."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, update

from postflow.errors import Retry
from postflow.ledger import Ledger, Phase, Root, observations, progress, queries, transitions
from postflow.ledger import schema as tables
from postflow.media.picture import path_of
from postflow.page import chart
from postflow.state import write_private
from tests.ledger.ground import (
    MISNAMED,
    add,
    bring_to_arrived,
    bring_to_requested,
    claim_one,
    sighting,
)
from tests.page.ground import BOARD, NAME, Person, a_page, line_of, shelves

SHARE = "https://f.io/canary-link"
HOSTILE = (
    "<img src=x onerror=alert(1)>.mov",
    '" autofocus onfocus="alert(1).mov',
    "{{ 7*7 }}</script><script>alert(1)</script>.mov",
    "\u202evom.exe",
    "two\nlines\tand\x07bell.mov",
    f"{'long_' * 48}.mov",
)


def named(*numbers: int) -> list[str]:
    return [NAME.format(f"{number:03}") for number in numbers]


async def test_each_clip_stands_on_its_shelf(person: Person) -> None:
    html = await person.sees()
    assert shelves(html) == {
        "attention": named(2, 1),
        "travels": named(3),
        "waits": named(5, 4),
        "delivered": named(6),
    }
    failed, skipped = (line_of(html, name) for name in named(1, 2))
    assert "The folder was deleted." in failed
    assert "Make it again." in failed
    assert "No rule knows this name." in skipped
    assert 'href="https://next.frame.io/file-6"' in line_of(html, named(6)[0])
    assert html.count("<h3><bdi>2_FROM_ANIM/SQ07</bdi></h3>") == 4


async def test_what_settles_says_what_it_waits_for(
    person: Person, ledger: Ledger, root: Root
) -> None:
    observations.observe(ledger, root, [sighting(root, "a/grows.mov"), sighting(root, "b.mov")])
    observations.set_notes(ledger, root, {"a/grows.mov": "it grows"})
    html = await person.sees()
    assert shelves(html)["waits"][:2] == ["grows.mov", "b.mov"]
    assert "it grows" in line_of(html, "grows.mov")


async def test_what_travels_says_how_far_it_is(person: Person, ledger: Ledger, root: Root) -> None:
    add(ledger, root, "far.mov", content="far", size=4_000_000)
    for _ in named(4, 5):
        claim_one(ledger)
    claim = bring_to_requested(ledger, claim_one(ledger, lease_seconds=600), "far")
    progress.note(ledger, claim, 1_000_000, 500_000.0)
    line = line_of(await person.sees(), "far.mov")
    assert 'max="4000000" value="1000000"' in line
    assert "1.0 MB of 4.0 MB · 500 KB/s, 6 s left" in " ".join(line.split())


@pytest.mark.parametrize("name", HOSTILE)
async def test_no_name_is_more_than_a_name(
    person: Person, ledger: Ledger, root: Root, name: str
) -> None:
    clip = add(ledger, root, f"in/{name}", content=name)
    for _ in named(4, 5):
        claim_one(ledger)
    transitions.skip(ledger, claim_one(ledger), MISNAMED)
    tricks = ("<img src=x", "alert(1)</s", 'onfocus="', "\u202e", "\x07")
    for path in (BOARD, f"{BOARD}clip/{clip}"):
        html = await person.sees(path)
        assert [trick for trick in tricks if trick in html] == []


async def test_a_name_with_line_breaks_can_be_tried_again(
    person: Person, ledger: Ledger, root: Root
) -> None:
    clip = add(ledger, root, "in/two\nlines\r.mov", content="two")
    for _ in named(4, 5):
        claim_one(ledger)
    transitions.skip(ledger, claim_one(ledger), MISNAMED)
    answer = await person.presses("retry", f"clip/{clip}")
    assert answer.json()["done"]
    assert queries.rows(ledger, ids=[clip])[0].phase is Phase.WAITING


async def test_a_link_that_is_a_script_is_no_link(person: Person, ledger: Ledger) -> None:
    with ledger.writing() as tx:
        tx.execute(update(tables.clips).values(view_url="javascript:alert(1)"))
    assert "javascript:" not in await person.sees()


async def test_searching_finds_names_and_folders(person: Person) -> None:
    assert shelves(await person.sees(f"{BOARD}?q=00003")) == {"travels": named(3)}
    assert shelves(await person.sees(f"{BOARD}?q=EXPORTS&show=waits")) == {"waits": named(5, 4)}
    assert shelves(await person.sees(f"{BOARD}?q=%25")) == {}
    assert "Nothing of that name." in await person.sees(f"{BOARD}?q=%3Cb%3E")


async def test_a_long_shelf_has_pages_that_miss_nothing(
    person: Person, ledger: Ledger, root: Root
) -> None:
    now = ledger.now()
    row = {"root_id": root.id, "studio": "main", "mtime_ns": 1, "fingerprint": "x", "size": 1}
    row |= {"state": "done", "found_at": now, "since": now, "finished_at": now}
    rows: list[dict[str, Any]] = [
        row | {"relpath": n, "disk_path": n, "name": n, "revision": n}
        for n in (f"c{number:03}.mov" for number in range(230))
    ]
    with ledger.writing() as tx:
        tx.execute(insert(tables.clips), rows)
    seen, path = [], f"{BOARD}?show=delivered"
    while path:
        html = await person.sees(path)
        seen += shelves(html)["delivered"]
        older = html.partition('<p class="more">')[2].partition('href="')[2].partition('"')[0]
        path = f"{BOARD}{older.replace('&amp;', '&')}" if older else ""
    assert sorted(seen) == sorted([*named(6), *(each["name"] for each in rows)])


@pytest.mark.parametrize(
    "query", ["before=9999999999999999-1", "before=x", "show=x", "q=%00", "before=0-0", "q=%FF"]
)
async def test_no_address_makes_a_fault(person: Person, query: str) -> None:
    await person.sees(f"{BOARD}?show=delivered&{query}")


async def test_a_picture_is_shown_where_there_is_one(person: Person, ledger: Ledger) -> None:
    (clip,) = queries.rows(ledger, phase=Phase.DELIVERED)
    assert (await person.get(f"{BOARD}clip/{clip.id}/picture")).status_code == 404
    write_private(path_of(clip.revision), b"\xff\xd8\xffpicture")
    assert f"clip/{clip.id}/picture" in line_of(await person.sees(), clip.name)
    picture = await person.get(f"{BOARD}clip/{clip.id}/picture")
    assert (picture.content[-7:], picture.headers["Content-Type"]) == (b"picture", "image/jpeg")


async def test_share_links_are_shown_to_people_and_in_no_log(
    person: Person, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (clip,) = queries.rows(ledger, phase=Phase.DELIVERED)
    now = ledger.now()
    with ledger.writing() as tx:
        about = {"studio": "main", "subject": "s", "name": "S"}
        share = {"account_id": "a", "project_id": "p", "access": "public", "state": "open"}
        made = insert(tables.shares).values(asset_ids=[], url=SHARE, intended_at=now)
        tx.execute(made.values(**about, **share))
        placed = about | {"clip_id": clip.id, "since": now, "share": 1}
        tx.execute(insert(tables.shared_clips).values(placed))
    assert f'href="{SHARE}"' in await person.sees()
    assert f'href="{SHARE}"' in await person.sees(f"{BOARD}clip/{clip.id}")
    ours = [each for each in caplog.records if not each.name.startswith(("httpx", "httpcore"))]
    assert [each for each in ours if each.name.startswith("aiohttp")] == []
    assert [each for each in ours if SHARE in each.getMessage()] == []


async def test_what_is_in_the_way_of_all_is_said_first(ledger: Ledger, root: Root) -> None:
    async with a_page(Path(ledger.place)) as page, Person(page.url) as person:
        page.in_the_way.append(Retry("The folder <b> is away.", hint="Mount it.", code="x"))
        html = await person.sees()
        assert html.index("The folder &lt;b&gt; is away.") < html.index("Mount it.")
        assert html.index("Mount it.") < html.index("Needs you</h2>")


async def test_another_studio_of_the_ledger_is_seen_apart(person: Person) -> None:
    assert shelves(await person.sees("/studio/second/"))["delivered"] == []
    assert (await person.get("/studio/second/clip/1")).status_code == 404
    assert (await person.get("/studio/third/")).status_code == 404


async def test_it_is_live(person: Person, ledger: Ledger) -> None:
    async with person.stream("GET", f"{BOARD}live") as answer:
        told = _events(answer)
        assert shelves(await anext(told))["travels"] == named(3)
        claim = claim_one(ledger)
        transitions.fail(ledger, claim, MISNAMED)
        while named(4)[0] not in shelves(await anext(told))["attention"]:
            pass


async def _events(answer: httpx.Response) -> AsyncIterator[str]:
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


async def test_a_page_that_is_open_does_not_hold_up_the_end(ledger: Ledger, root: Root) -> None:
    async with asyncio.timeout(20), AsyncExitStack() as stack:
        page = a_page(Path(ledger.place))
        person = await stack.enter_async_context(Person((await page.__aenter__()).url))
        answer = await person.send(person.build_request("GET", f"{BOARD}live"), stream=True)
        await anext(_events(answer))
        await page.__aexit__(None, None, None)


async def test_a_ledger_that_is_away_is_told_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with a_page(tmp_path / "file" / "ledger.db") as page, Person(page.url) as person:
        answer = await person.get(BOARD)
        assert answer.status_code == 503
        assert "ledger" in answer.text


def test_the_chart_counts_clips_and_bytes_by_the_day(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "more.mov", content="more", size=5_000)
    for _ in named(4, 5):
        claim_one(ledger)
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger), "more"))
    days = chart.read(ledger, "main").days
    assert (len(days), days[-1].clips, days[-1].bytes) == (28, 2, 6_000)
    assert {(day.clips, day.bytes) for day in days[:-1]} == {(0, 0)}
