"""Imports go one way: postflow <- blocks <- tasks <- flows, and the sandbox knows none of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("postflow", "blocks", "tasks", "flows", "sandbox")
MAY_IMPORT = {
    "sandbox": set[str](),
    "postflow": set[str](),
    "blocks": {"postflow"},
    "tasks": {"postflow", "blocks"},
    "flows": {"postflow", "blocks", "tasks"},
}
PLAIN = {"postflow": {"prefect"}, "sandbox": {"prefect", "httpx"}}


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [node.module.split(".")[0]]
    return []


def top_level_imports(tree: ast.Module) -> set[str]:
    return {name for node in tree.body for name in imported(node)}


def all_imports(tree: ast.Module) -> set[str]:
    return {name for node in ast.walk(tree) for name in imported(node)}


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_below_it(room: str) -> None:
    forbidden = (set(ROOMS) - MAY_IMPORT[room] - {room}) | PLAIN.get(room, set())
    for path in modules(room):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        in_cli = path.is_relative_to(ROOT / "postflow" / "cli")
        found = top_level_imports(tree) if in_cli else all_imports(tree)
        assert not found & forbidden, f"{path} imports {found & forbidden}"


def test_flows_define_no_types() -> None:
    for path in modules("flows"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)], path


def test_no_flow_file_is_called_like_a_package_of_ours() -> None:
    assert not {path.stem for path in modules("flows")} & set(ROOMS)
