"""Version stacks keep to Frame.io's rules."""

from __future__ import annotations

import pytest

from postflow.sandbox import Sandbox
from tests.sandbox.caller import Caller, asset


def test_last_file_given_is_the_head(world: Sandbox, caller: Caller) -> None:
    stack, files = caller.stack(world.root_folder_id, "v1.mov", "v2.mov", "v3.mov")

    shown = caller.get(f"/version_stacks/{stack}").json()["data"]

    assert (shown["name"], shown["head_version"]["id"]) == ("v3.mov", files[2])
    assert [asset(world, file)["position"] for file in files] == [1, 2, 3]
    assert {asset(world, file)["stack"] for file in files} == {stack}
    assert {asset(world, file)["created"] for file in files} == {1}, "a stack is no second file"


def test_version_added_by_move_becomes_the_head(world: Sandbox, caller: Caller) -> None:
    stack, files = caller.stack(world.root_folder_id, "v1.mov", "v2.mov")
    newest = caller.placeholder(world.root_folder_id, "v3.mov")

    moved = caller.patch(f"/files/{newest}/move", parent_id=stack)

    assert moved.json()["data"]["parent_id"] == stack
    assert caller.names(f"/version_stacks/{stack}/children") == ["v1.mov", "v2.mov", "v3.mov"]
    assert caller.get(f"/version_stacks/{stack}").json()["data"]["name"] == "v3.mov"
    assert asset(world, newest)["path"] == "v3.mov", "a stack is no step of a path"
    assert files[0] != newest


@pytest.mark.parametrize("count", [0, 1, 11])
def test_stack_is_made_of_two_to_ten(world: Sandbox, caller: Caller, count: int) -> None:
    files = [caller.placeholder(world.root_folder_id, f"{n}.mov") for n in range(count)]

    answer = caller.post(f"/folders/{world.root_folder_id}/version_stacks", file_ids=files)

    assert answer.status_code == 422


def test_files_must_lie_in_the_folder(world: Sandbox, caller: Caller) -> None:
    elsewhere = caller.folder("elsewhere")
    files = [caller.placeholder(folder, "a") for folder in (elsewhere, world.root_folder_id)]

    answer = caller.post(f"/folders/{elsewhere}/version_stacks", file_ids=files)

    assert answer.status_code == 422


def test_file_cannot_be_given_twice(world: Sandbox, caller: Caller) -> None:
    file = caller.placeholder(world.root_folder_id, "a")

    answer = caller.post(f"/folders/{world.root_folder_id}/version_stacks", file_ids=[file, file])

    assert answer.json()["errors"][0]["detail"] == "Array items must be unique"


def test_file_on_a_stack_cannot_go_on_another(world: Sandbox, caller: Caller) -> None:
    _, files = caller.stack(world.root_folder_id, "a", "b")
    free = caller.placeholder(world.root_folder_id, "c")
    path = f"/folders/{world.root_folder_id}/version_stacks"

    assert caller.post(path, file_ids=[files[0], free]).status_code == 422


def test_stack_with_one_version_left_dissolves(world: Sandbox, caller: Caller) -> None:
    stack, files = caller.stack(world.root_folder_id, "v1.mov", "v2.mov")

    caller.delete(f"/files/{files[1]}")

    assert caller.get(f"/version_stacks/{stack}").status_code == 404
    assert asset(world, files[0])["stack"] is None
    assert caller.names(f"/folders/{world.root_folder_id}/children") == ["v1.mov"]


def test_switch_keeps_a_stack_of_one() -> None:
    with Sandbox(stack_of_one="keep") as world, Caller(world) as caller:
        stack, files = caller.stack(world.root_folder_id, "v1.mov", "v2.mov")
        caller.delete(f"/files/{files[1]}")
        assert caller.names(f"/version_stacks/{stack}/children") == ["v1.mov"]
        assert caller.get(f"/version_stacks/{stack}").json()["data"]["name"] == "v1.mov"


def test_version_moved_out_lies_in_the_folder_again(world: Sandbox, caller: Caller) -> None:
    _, files = caller.stack(world.root_folder_id, "v1.mov", "v2.mov", "v3.mov")

    caller.patch(f"/files/{files[2]}/move", parent_id=world.root_folder_id)

    assert caller.names(f"/folders/{world.root_folder_id}/children") == ["v2.mov", "v3.mov"]


def test_stack_moves_to_another_folder(world: Sandbox, caller: Caller) -> None:
    there = caller.folder("there")
    stack, files = caller.stack(world.root_folder_id, "v1.mov", "v2.mov")

    assert caller.patch(f"/version_stacks/{stack}/move", parent_id=there).status_code == 200
    assert asset(world, files[0])["path"] == "there/v1.mov"
    assert asset(world, files[0])["folder_id"] == there
