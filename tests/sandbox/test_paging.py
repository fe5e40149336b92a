"""Lists come in pages, and the way on carries nothing but `after`."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postflow.sandbox import Sandbox
from postflow.sandbox.frameio.assets import Folder
from postflow.sandbox.frameio.queries import Asked, page
from tests.sandbox.caller import Caller


def folders(count: int) -> list[Folder]:
    return [
        Folder(name=f"{number:04}", project_id="p", parent_id="r", creator_id="u")
        for number in range(count)
    ]


def after(body: dict[str, dict[str, str]]) -> str:
    query = parse_qs(urlsplit(body["links"]["next"]).query)
    assert list(query) == ["after"]
    return query["after"][0]


def test_seven_children_come_in_three_pages_of_three(world: Sandbox, caller: Caller) -> None:
    for number in range(7):
        caller.placeholder(world.root_folder_id, f"{number}.mov")
    path = f"/folders/{world.root_folder_id}/children"

    first = caller.get(path, page_size=3, include_total_count="true").json()
    second = caller.get(path, page_size=3, after=after(first)).json()
    third = caller.get(path, page_size=3, after=after(second)).json()

    names = [item["name"] for body in (first, second, third) for item in body["data"]]
    assert names == [f"{number}.mov" for number in range(7)]
    assert third["links"] == {"next": None}
    assert (first["total_count"], second["total_count"]) == (7, None)


def test_next_is_a_relative_path_of_the_same_list(world: Sandbox, caller: Caller) -> None:
    for number in range(2):
        caller.placeholder(world.root_folder_id, f"{number}.mov")
    path = f"/folders/{world.root_folder_id}/files"

    follows = caller.get(path, page_size=1).json()["links"]["next"]

    assert follows.startswith(f"{caller.account}{path}?after=")
    assert caller.http.get(follows).json()["data"][0]["name"] == "1.mov"


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 40), size=st.integers(1, 12))
def test_pages_hold_everything_once_and_in_order(count: int, size: int) -> None:
    items, cursor, seen = folders(count), None, []
    while True:
        body = page(items, Asked(page_size=size, after=cursor), "/x", lambda it: {"id": it.id})
        seen += [shape["id"] for shape in body["data"]]
        if body["links"]["next"] is None:
            break
        cursor = after(body)

    assert seen == [item.id for item in items]


@pytest.mark.parametrize("gone", ["0000", "0001"])
def test_nothing_is_skipped_when_an_item_of_the_last_page_vanishes(gone: str) -> None:
    """A cursor points at an item, not at a number."""
    items = folders(4)
    first = page(items, Asked(page_size=2), "/x", lambda it: {"name": it.name})
    left = [item for item in items if item.name != gone]

    rest = page(left, Asked(page_size=5, after=after(first)), "/x", lambda it: {"name": it.name})

    assert [shape["name"] for shape in rest["data"]] == ["0002", "0003"]
