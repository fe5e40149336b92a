"""The documents say what the source says, and what they point at is there."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typer.core import TyperGroup
from typer.main import get_command

from postflow.cli import app
from postflow.outlet.ngrok.errors import REFUSALS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FRONT = [ROOT / "README.md", ROOT / "README.fr.md", ROOT / "CONTRIBUTING.md"]
PAGES = [*FRONT, *sorted(DOCS.glob("*.md"))]
ROOMS = ("postflow", "blocks", "tasks", "flows")
EVERYWHERE = (*ROOMS, "sandbox", "tests", "benchmarks", "conformance", "docs", ".ci")
TEXT = {".py", ".md", ".toml", ".sh", ".yaml", ".yml", ".txt", ".html", ".css", ".js", ""}

CLASSES = {
    "Skip": "skip",
    "Retry": "retry",
    "Fatal": "fatal",
    "IllegalMove": "fatal",
    "StaleClaim": "ceded",
}
CODE = re.compile(r"[a-z]+(?:\.[a-z0-9_]+)+")
ROW = re.compile(r"^\| (`[^|]+`) \| ([a-z, ]+) \|[^|]+\|[^|]+\|$", re.MULTILINE)
# No path of the machine on which this was written; only whole folders of that name.
MACHINE = re.compile(r"(?<![\w.~}/-])/(?:work|tmp)(?![\w-])")


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def trees() -> list[ast.Module]:
    return [ast.parse(text(path)) for room in ROOMS for path in (ROOT / room).rglob("*.py")]


def raised() -> Iterator[tuple[str, ast.expr]]:
    """The name of an error's class, and its `code` argument, of each call that has one."""
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id == "Refusal" and isinstance(node.args[0], ast.Name):
                    yield node.args[0].id, node.args[1]
                for keyword in node.keywords:
                    if keyword.arg == "code":
                        yield node.func.id, keyword.value


@cache
def classes_of_codes() -> dict[str, set[str]]:
    """The classes under which each code is raised, of codes written where they are raised."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for kind, code in raised():
        if isinstance(code, ast.Constant):
            found[str(code.value)].add(CLASSES[kind])
    for number, refusal in REFUSALS.items():
        found[f"tunnel.ngrok.{number}"].add("retry" if refusal.passing else "fatal")
    return found


@cache
def codes_in_tables() -> set[str]:
    """Codes that stand first in a tuple with their message, hint, or both."""
    return {
        node.elts[0].value
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Tuple) and len(node.elts) in {2, 3}
        if isinstance(node.elts[0], ast.Constant) and isinstance(node.elts[0].value, str)
        if CODE.fullmatch(node.elts[0].value) and not names_modules(node)
    }


def names_modules(node: ast.Tuple) -> bool:
    values = [each.value for each in node.elts if isinstance(each, ast.Constant)]
    return len(values) == len(node.elts) and all(CODE.fullmatch(str(each)) for each in values)


@cache
def families() -> list[re.Pattern[str]]:
    """Codes that are put together, such as `frameio.{kind}_unknown`."""
    return [
        re.compile("".join(_pattern(part) for part in code.values))
        for _, code in raised()
        if isinstance(code, ast.JoinedStr)
    ]


def _pattern(part: ast.expr) -> str:
    return re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z]+"


@cache
def documented() -> dict[str, set[str]]:
    rows = ROW.findall(text(DOCS / "errors.md"))
    return {code: set(kinds.split(", ")) for codes, kinds in rows for code in quoted(codes)}


def quoted(markdown: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", markdown)


def exists(code: str) -> bool:
    known = code in classes_of_codes() or code in codes_in_tables()
    return known or any(family.fullmatch(code) for family in families())


def test_every_code_is_documented() -> None:
    assert classes_of_codes().keys() | codes_in_tables() <= documented().keys()
    for family in families():
        assert any(map(family.fullmatch, documented())), family.pattern


def test_every_documented_code_exists() -> None:
    assert [code for code in documented() if not exists(code)] == []


def test_codes_are_documented_once() -> None:
    codes = [code for codes, _ in ROW.findall(text(DOCS / "errors.md")) for code in quoted(codes)]
    assert len(codes) == len(set(codes))


def test_codes_are_documented_with_their_class() -> None:
    assert {code: documented()[code] for code in classes_of_codes()} == classes_of_codes()
    assert set().union(*documented().values()) == set(CLASSES.values())


@cache
def commands() -> dict[str, set[str]]:
    """The options of each command."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return {
        name: {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        for name, command in group.commands.items()
    }


def sections() -> dict[str, str]:
    parts = re.split(r"^## `(\w+)`$", text(DOCS / "commands.md"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_its_section() -> None:
    assert sections().keys() == commands().keys()


@pytest.mark.parametrize("name", sections())
def test_a_section_names_exactly_the_options_of_its_command(name: str) -> None:
    rows = [line for line in sections()[name].splitlines() if line.startswith("|")]
    named = {word for row in rows for word in quoted(row.split("|")[1])}
    assert named == {option for option in commands()[name] if option.startswith("-")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_command_lines_in_documents_are_possible(page: Path) -> None:
    lines = re.findall(r"(?:^\$ |`|&& )postflow ([a-z]+)([^#`\n]*)", text(page), re.MULTILINE)
    for name, rest in lines:
        assert name in commands()
        assert set(re.findall(r"\s(--[a-z-]+)", rest)) <= commands()[name] | {"--help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_images_in_links_are_there(page: Path) -> None:
    """`make docs` checks links to pages and headings, and no others."""
    links = re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", without_code(text(page)))
    assert [each for each in links if "://" not in each and not (page.parent / each).exists()] == []


def without_code(markdown: str) -> str:
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", markdown, flags=re.MULTILINE | re.DOTALL)


def test_the_pictures_are_light_and_each_is_shown_and_described() -> None:
    shown = dict(
        re.findall(r"!\[([^\]]*)\]\((?:docs/)?images/([^)]+)\)", "\n".join(map(text, PAGES)))
    )
    assert all(len(described) > 10 for described in shown)
    pictures = [*(DOCS / "images").iterdir()]
    assert {each.name for each in pictures} == set(shown.values())
    assert [each.name for each in pictures if each.stat().st_size > 150_000] == []


def test_every_document_stands_in_the_site_and_loads_nothing_from_elsewhere() -> None:
    site = text(ROOT / "zensical.toml")
    for page in DOCS.glob("*.md"):
        assert f'"docs/{page.name}"' in site
        assert "```mermaid" not in text(page), "the theme would fetch mermaid from a foreign server"


def test_the_french_front_page_has_the_links_and_the_shape_of_the_english_one() -> None:
    def shape(page: str) -> tuple[set[str], list[str]]:
        links = {link for link in re.findall(r"\]\(([^)\s]+)\)", page) if "README" not in link}
        return links, re.findall(r"^#+|^```\w*$|^\||^-", page, re.MULTILINE)

    assert shape(text(ROOT / "README.fr.md")) == shape(text(ROOT / "README.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text(ROOT / "Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:^\$ |`)make ([a-z]+)", text(page), re.MULTILINE)) <= targets


def written() -> Iterator[Path]:
    tops = (path for path in ROOT.iterdir() if path.name != ".git")  # a file in a worktree
    yield from (path for path in tops if path.is_file() and path.suffix in TEXT)
    for folder in EVERYWHERE:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts:
                yield path


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    assert [path for path in written() if MACHINE.search(text(path))] == []


def test_no_text_of_the_program_names_a_page_of_these_docs() -> None:
    """Who installed a wheel has none of them. Docstrings are for those who have a checkout."""
    nodes = (node for tree in trees() for node in ast.walk(tree))
    texts = [str(node.value) for node in nodes if isinstance(node, ast.Constant)]
    assert [each for each in texts if re.search(r"(?<!measured: )docs/\w+\.md", each)] == []
    assert "docs/" not in text(ROOT / "postflow/service/setup/example.toml")


@pytest.mark.parametrize("everything", [False, True], ids=["as it stands", "comments in"])
def test_the_example_of_a_studio_file_loads(everything: bool, tmp_path: Path) -> None:
    from postflow.blocks.adobe import AdobeTokens
    from postflow.blocks.discord import DiscordWebhook
    from postflow.blocks.frameio import FrameioAccount
    from postflow.blocks.tunnel import Tunnel
    from postflow.cli.setup import example_file
    from postflow.service.studio_file import read_studio_file

    _, example, *_ = re.split(
        r"^```(?:toml)?$", text(DOCS / "configuration.md"), flags=re.MULTILINE
    )
    assert example.lstrip("\n") == example_file(), "service/setup/example.toml has to be the same"
    if everything:
        example = re.sub(r"^# (?=[a-z_]+ = |\[)", "", example, flags=re.MULTILINE)
    path = tmp_path / "studio.toml"
    path.write_text(example, encoding="utf-8")
    file = read_studio_file(path)
    assert (file.studio.ledger is not None) is everything
    assert bool(file.studio.bandwidth) is everything
    tables: tuple[tuple[type[BaseModel], dict[str, Any]], ...] = (
        (AdobeTokens, file.adobe),
        (FrameioAccount, file.frameio),
        (Tunnel, file.tunnel or {}),
        (DiscordWebhook, file.discord or {}),
    )
    for block, table in tables:
        assert table.keys() <= block.model_fields.keys() - {"adobe"}
        sign_in = {"adobe": AdobeTokens(**file.adobe)} if block is FrameioAccount else {}
        block(**table, **sign_in)


def test_the_integrators_checklist_names_tests_that_are_there_and_a_reason_for_the_rest() -> None:
    """What is met has a test, or a sentence that says where else it is seen."""
    defined = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
    there = {
        name for it in (ROOT / "tests").rglob("test_*.py") for name in defined.findall(text(it))
    }
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text(DOCS / "integrator-checklist.md").splitlines()
        if line.startswith("| ") and "| here |" not in line
    ]
    assert len(rows) > 30
    for line, here, why in rows:
        assert here in {"met", "partly", "not met", "measured", "does not apply"}, line
        named = set(re.findall(r"`(test_\w+)`", why))
        assert named <= there, line
        assert named if here == "met" else why, line
