"""Folders behave as documented, and as the switches say where nothing is documented."""

from __future__ import annotations

import pytest

from postflow.sandbox import Sandbox
from tests.sandbox.caller import Caller


def test_folder_can_be_made_found_and_shown(world: Sandbox, caller: Caller) -> None:
    folder = caller.folder("2_FROM_ANIM")

    shown = caller.get(f"/folders/{folder}", include="creator,project").json()["data"]

    assert shown["name"] == "2_FROM_ANIM"
    assert shown["parent_id"] == world.root_folder_id
    assert shown["creator"]["name"] == "Studio Operator"
    assert shown["project"]["id"] == world.project_id
    assert caller.names(f"/folders/{world.root_folder_id}/folders") == ["2_FROM_ANIM"]


def test_new_folder_has_every_key_the_official_models_require(caller: Caller) -> None:
    folder = caller.get(f"/folders/{caller.folder('SQ07')}").json()["data"]

    assert set(folder) == {
        "id",
        "name",
        "type",
        "parent_id",
        "project_id",
        "view_url",
        "created_at",
        "updated_at",
        "adobe_id",
        "cover_file_id",
        "restricted",
    }


def test_two_folders_may_have_one_name_by_default(world: Sandbox, caller: Caller) -> None:
    first, second = caller.folder("SQ07"), caller.folder("SQ07")

    assert first != second
    assert [row["created"] for row in world.folders()] == [2, 2]


def test_switch_refuses_a_second_folder_of_one_name() -> None:
    with Sandbox(duplicate_folders="refuse") as world, Caller(world) as caller:
        caller.folder("SQ07")
        again = caller.post(f"/folders/{world.root_folder_id}/folders", name="SQ07")

    assert again.status_code == 409
    assert again.json() == {"errors": [{"detail": "Conflict"}]}


def test_switch_renames_a_second_folder_of_one_name() -> None:
    with Sandbox(duplicate_folders="rename", rate_scale=100) as world, Caller(world) as caller:
        for _ in range(3):
            caller.folder("SQ07.a")
        names = caller.names(f"/folders/{world.root_folder_id}/folders")

    assert names == ["SQ07.a", "SQ07 (1).a", "SQ07 (2).a"]


def test_children_of_all_kinds_are_listed_and_can_be_chosen(caller: Caller) -> None:
    parent = caller.folder("SQ07")
    caller.folder("plates", parent)
    caller.placeholder(parent, "alone.mov")
    caller.stack(parent, "v1.mov", "v2.mov")
    children = f"/folders/{parent}/children"

    assert caller.names(children) == ["plates", "alone.mov", "v2.mov"]
    assert caller.names(children, type="file,folder") == ["plates", "alone.mov"]
    assert caller.names(children, type="version_stack") == ["v2.mov"]
    assert caller.names(f"/folders/{parent}/files") == ["alone.mov"]
    assert caller.names(f"/folders/{parent}/version_stacks") == ["v2.mov"]


def test_children_are_sorted_as_asked(caller: Caller) -> None:
    parent = caller.folder("SQ07")
    for name in ("b", "c", "a"):
        caller.placeholder(parent, name)

    assert caller.names(f"/folders/{parent}/children", sort="name_asc") == ["a", "b", "c"]
    assert caller.names(f"/folders/{parent}/children", sort="name_desc") == ["c", "b", "a"]


def test_folder_moves_with_all_below_it(world: Sandbox, caller: Caller) -> None:
    here, there = caller.folder("here"), caller.folder("there")
    caller.placeholder(here, "clip.mov")

    assert caller.patch(f"/folders/{here}/move", parent_id=there).status_code == 200
    assert world.assets()[0]["path"] == "there/here/clip.mov"


def test_folder_cannot_move_into_itself(caller: Caller) -> None:
    outer = caller.folder("outer")
    inner = caller.folder("inner", outer)

    assert caller.patch(f"/folders/{outer}/move", parent_id=inner).status_code == 422


def test_folder_goes_with_all_below_it(world: Sandbox, caller: Caller) -> None:
    folder = caller.folder("SQ07")
    caller.stack(folder, "v1.mov", "v2.mov")

    answer = caller.delete(f"/folders/{folder}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert world.assets() == world.folders() == []
    assert caller.get(f"/folders/{folder}").status_code == 404


@pytest.mark.parametrize("change", ["delete", "move"])
def test_root_folder_stays_where_it_is(world: Sandbox, caller: Caller, change: str) -> None:
    root = f"/folders/{world.root_folder_id}"
    target = caller.folder("SQ07")
    moved = caller.patch(f"{root}/move", parent_id=target) if change == "move" else None

    assert (moved or caller.delete(root)).status_code == 403
