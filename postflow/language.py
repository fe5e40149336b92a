"""What people read, in a studio's language: gettext with the domain `postflow`; English is the
text. Errors and logs are in English.
"""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

import jinja2

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")
DOMAIN = "postflow"
CATALOGUES = Path(__file__).with_name("locale")

# https://cldr.unicode.org: abbreviated months; a narrow no-break space between thousands.
_MONTHS: Mapping[Language, str] = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
}
_MARKS = {"en": {}, "fr": str.maketrans(",.", "\u202f,")}

_spoken: ContextVar[Language] = ContextVar("spoken", default="en")


@contextmanager
def spoken(language: Language) -> Iterator[None]:
    """In this block, and in tasks and ledger calls that begin in it."""
    before = _spoken.get()
    _spoken.set(language)
    try:
        yield
    finally:
        _spoken.set(before)


def current() -> Language:
    return _spoken.get()


def of_system() -> Language:
    """As POSIX has it: https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html"""
    said = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "fr" if next(filter(None, said), "").startswith("fr") else "en"


@cache
def _catalogue(language: Language) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, CATALOGUES, [language], fallback=language == "en")


def _(text: str) -> str:
    return _catalogue(current()).gettext(text)


def ngettext(one: str, many: str, number: int) -> str:
    return _catalogue(current()).ngettext(one, many, number)


def N_(text: str) -> str:
    """Marks a constant for the catalogue; `_` translates it where it is used."""
    return text


_COMMAND = re.compile(r"\bpostflow [a-z]")


def where_to_type(*texts: str) -> str:
    """For readers who may have no terminal: where the commands that the texts name are typed."""
    if not any(map(_COMMAND.search, texts)):
        return ""
    return _("Commands are typed on the machine that runs PostFlow.")


def everywhere(text: str) -> set[str]:
    """In each language: what was written before a studio changed its own is found, too."""
    return {_catalogue(language).gettext(text) for language in LANGUAGES}


def dated(at: date, form: str) -> str:
    """As strftime, which takes months from the process's locale; in French, the 1er and the 2."""
    if current() == "fr":
        form = form.replace("%d", "1er" if at.day == 1 else str(at.day))
    return at.strftime(form.replace("%b", _MONTHS[current()].split()[at.month - 1]))


def number(value: float, decimals: int = 0) -> str:
    """1,234.5; 1 234,5."""
    return f"{value:,.{decimals}f}".translate(_MARKS[current()])


def teach(templates: jinja2.Environment) -> None:
    """`{{ _("%(n)s clips", n=…) }}` in templates; what is filled in is escaped there."""
    templates.add_extension("jinja2.ext.i18n")
    templates.install_gettext_callables(_, ngettext, newstyle=True)  # type: ignore[attr-defined]
    templates.globals["language"] = current
    templates.filters["where_to_type"] = where_to_type
    templates.filters["number"] = number
