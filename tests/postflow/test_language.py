"""The words of each language are all there, and none is left over."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from postflow.language import CATALOGUES, LANGUAGES, Language, dated, number, of_system, spoken

ROOT = Path(__file__).parents[2]
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None}
TRANSLATED = [each for each in LANGUAGES if each != "en"]
FILLED_IN = re.compile(r"%\(\w+\)s")


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
