"""Imports go down only, from the command line to the ground; the sandbox knows nothing of ours."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOP = ("flows", "tasks", "blocks")  # folders of the checkout that are imported as postflow.<name>
LAYERS = (
    {"cli"},
    {"service"},
    {"page"},
    {"flows"},
    {"tasks"},
    {"engine"},
    {"delivery"},
    {"blocks", "folder"},
    {"settings"},
    {"discord", "feeds"},
    {"outlet", "ledger"},
    {"frameio", "naming", "media"},
    {"locks"},
    {"servers"},
    {"state"},
    {"models"},
    {"errors", "http", "bandwidth", "stop", "problems"},
    {"language", "importing"},
)
RANK = {room: rank for rank, rooms in enumerate(reversed(LAYERS)) for room in rooms}
WITHOUT_PREFECT = set(RANK) - {"cli", "service", "flows", "tasks", "engine", "blocks"}
# What a checkout has at its top is nobody's to import under that name.
GENERIC = {*TOP, "sandbox"}


def modules(room: str) -> list[Path]:
    if room in TOP or room == "sandbox":
        return sorted((ROOT / room).rglob("*.py"))
    single = ROOT / "postflow" / f"{room}.py"
    return [single] if single.exists() else sorted((ROOT / "postflow" / room).rglob("*.py"))


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def package_of(path: Path) -> list[str]:
    parts = list(path.relative_to(ROOT).parent.parts)
    return parts if parts[:1] == ["postflow"] else ["postflow", *parts]


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, anywhere in it."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = package_of(path)
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    """Rooms of ours that a file imports."""
    names = (name.split(".") for name in imported(path))
    return {name[1] for name in names if name[0] == "postflow" and len(name) > 1}


def test_every_file_is_in_a_room_that_the_layers_name() -> None:
    inside = {path.stem for path in (ROOT / "postflow").iterdir() if path.suffix in ("", ".py")}
    assert inside - {"__init__", "__main__", "__pycache__", "locale", "sandbox"} == set(RANK)


@pytest.mark.parametrize("room", RANK)
def test_a_room_imports_only_rooms_below_it(room: str) -> None:
    for path in modules(room):
        above = {
            other for other in rooms_imported(path) - {room} if RANK.get(other, -1) >= RANK[room]
        }
        assert not above, f"{path} imports {above}"


def test_the_sandbox_imports_nothing_of_ours() -> None:
    for path in modules("sandbox"):
        assert rooms_imported(path) <= {"sandbox"}, path


@pytest.mark.parametrize("room", sorted({*RANK, "sandbox"}))
def test_nothing_is_imported_under_a_generic_name(room: str) -> None:
    for path in modules(room):
        assert not {name.split(".")[0] for name in imported(path)} & GENERIC, path


@pytest.mark.parametrize("room", sorted({*WITHOUT_PREFECT, "sandbox"}))
def test_what_does_the_work_is_plain_python(room: str) -> None:
    for path in modules(room):
        assert "prefect" not in {name.split(".")[0] for name in imported(path)}, path


def from_prefect(path: Path) -> Iterator[tuple[str, str]]:
    """What a file imports of Prefect: whence, and its name in the file."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found = [(alias.name, alias.asname or alias.name.split(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found = [
                (f"{node.module}.{each.name}", each.asname or each.name) for each in node.names
            ]
        else:
            continue
        yield from ((whence, name) for whence, name in found if whence.split(".")[0] == "prefect")


def exchanged(path: Path) -> Iterator[str]:
    """Names to whose attributes or items a file assigns."""
    for node in nodes(path):
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            base: ast.expr = target
            while isinstance(base, ast.Attribute | ast.Subscript):
                base = base.value
            if base is not target and isinstance(base, ast.Name):
                yield base.id


@pytest.mark.parametrize("room", sorted(set(RANK) - WITHOUT_PREFECT))
def test_prefect_is_used_as_it_is(room: str) -> None:
    """Nothing private is imported, and nothing of it is exchanged for something of ours."""
    for path in modules(room):
        imports = dict(from_prefect(path))
        assert not [whence for whence in imports if "._" in whence], path
        assert not set(imports.values()) & set(exchanged(path)), path


def test_flows_define_no_types() -> None:
    for path in (ROOT / "flows" / f"{name}.py" for name in ("deliver", "ingest", "watch")):
        assert not [node.name for node in nodes(path) if isinstance(node, ast.ClassDef)], path
