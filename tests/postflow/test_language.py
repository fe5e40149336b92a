"""The words of each language are all there, and none is left over."""

from __future__ import annotations

import ast
import io
import pickle
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from postflow.errors import Skip
from postflow.folder.root import STRANGER, TAKEN_OVER
from postflow.language import (
    CATALOGUES,
    LANGUAGES,
    N_,
    Language,
    dated,
    number,
    of_system,
    spoken,
    told,
)
from tests.support.words import extract, words

ROOT = Path(__file__).parents[2]
SHELL_ONLY = [f"{room}/**.py" for room in ("cli", "service", "feeds")]  # as pyproject.toml has it
METHODS: list[tuple[str, Any]] = [
    *((pattern, "python") for pattern in SHELL_ONLY),
    ("**.py", extract),
    ("**/templates/**.html", "jinja2"),
]
KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None}
TRANSLATED = [each for each in LANGUAGES if each != "en"]
FILLED_IN = re.compile(r"%\(\w+\)s|\{\w+")


def marked() -> set[object]:
    """The texts of the program; of those with a plural, both."""
    return {
        message
        for folder in ("postflow", "flows", "tasks")
        for _, _, message, _, _ in extract_from_dir(ROOT / folder, METHODS, keywords=KEYWORDS)
    }


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_every_text_and_no_other(language: Language) -> None:
    """If not: `make words`."""
    place = CATALOGUES / language / "LC_MESSAGES" / "postflow"
    with place.with_suffix(".po").open("rb") as file:
        catalogue = read_po(file)
    messages = {message.id: message for message in catalogue if message.id}

    assert set(messages) == marked()
    assert not catalogue.obsolete
    for text, message in messages.items():
        pairs = zip(_all(text), _all(message.string), strict=True)
        for english, translated in pairs:
            assert translated, english
            assert sorted(FILLED_IN.findall(translated)) == sorted(FILLED_IN.findall(english))
        assert not message.fuzzy, text

    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    assert place.with_suffix(".mo").read_bytes() == compiled.getvalue(), "compile it again"


def _all(texts: object) -> tuple[str, ...]:
    return texts if isinstance(texts, tuple) else (str(texts),)


def test_no_error_is_a_finished_text_but_of_the_rules_of_a_studio_file() -> None:
    """A finished English text cannot be told in another language."""
    finished = {
        path.name
        for path in (ROOT / "postflow").rglob("*.py")
        if not {"cli", "service", "feeds"} & {*path.parts}
        for each in words(ast.parse(path.read_text()))
        if isinstance(each, ast.JoinedStr)
    }
    assert finished == {"rules.py"}


def test_each_error_is_given_the_facts_that_its_words_name() -> None:
    for path in (ROOT / "postflow").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if getattr(getattr(call, "func", None), "id", "") in {"Skip", "Retry", "Fatal"}:
                given = {each.arg for each in call.keywords}  # type: ignore[attr-defined]
                said = "".join(str(getattr(each, "value", "")) for each in words(call))
                assert {*re.findall(r"\{(\w+)", said)} <= given, f"{path}: {said}"


def test_why_a_folder_is_not_the_one_that_was_watched_is_told_too() -> None:
    with spoken("fr"):
        for why in (STRANGER, TAKEN_OVER):
            assert why not in told(N_("The watched folder {folder}: {why}.", folder="x", why=why))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_template_is_filled(language: Language) -> None:
    templates = [text for text in marked() if isinstance(text, str) and "{" in text]
    with spoken(language):
        for text in templates:
            facts: dict[str, Any] = dict.fromkeys(re.findall(r"\{(\w+)", text), 7)
            assert "{" not in told(N_(text, **facts | {"since": datetime.now(UTC)}))


def test_an_error_is_told_in_the_language_spoken_and_logged_in_english() -> None:
    odd = N_("is longer than {most:,} bytes", most=2550)
    error = Skip("The file name {name} {odd}.", hint="Try again.", code="x", name="{0}", odd=odd)
    carried = pickle.loads(pickle.dumps(error))  # as Prefect does
    with spoken("fr"):
        assert str(carried) == "The file name {0} is longer than 2,550 bytes. Try again."
        assert carried.told.hint == "Réessayez."
        assert told("Try again.") == "Try again.", "what is nobody's words stays"


@pytest.mark.parametrize(
    ("language", "form", "shown"),
    [
        ("en", "%Y-%m-%d at %H:%M", "2026-08-01 at 09:15"),
        ("en", "%d %b", "01 Aug"),
        ("fr", "le %d %b %Y à %H:%M", "le 1er août 2026 à 09:15"),
    ],
)
def test_a_date_is_written_as_people_write_it(language: Language, form: str, shown: str) -> None:
    with spoken(language):
        assert dated(datetime(2026, 8, 1, 9, 15, tzinfo=UTC), form) == shown


def test_a_number_is_written_as_people_write_it() -> None:
    assert number(1234.5, 1) == "1,234.5"
    with spoken("fr"):
        assert number(1234.5, 1) == "1\u202f234,5"


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr_CA.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "fr_FR"}, "fr"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_a_studio_speaks_as_its_system_does(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], language: Language
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert of_system() == language
