"""What people read, in a studio's language: gettext with the domain `postflow`; English is the
text. Logs and results are in English; an error is `told` in the language of who reads of it.
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
from string import Formatter
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
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


class Words(str):
    """English, with the template and the facts that it is made of: `told` in other languages."""

    template: str
    facts: dict[str, Any]

    def __new__(cls, template: str, /, **facts: Any) -> Words:
        with spoken("en"):
            english = template.format(**facts).rstrip() if facts else template
        words = super().__new__(cls, english)
        words.template, words.facts = str(template), facts
        return words

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.template,), self.facts


def N_(text: str, /, **facts: Any) -> Words:
    """Marks a text for the catalogue; `_` translates a constant where it is used, and `told` what
    has `{facts}`, words among these too.
    """
    return Words(text, **facts)


def told(text: str) -> str:
    """Words in the language spoken; any other text is somebody's own, and stays."""
    if not isinstance(text, Words):
        return text
    template = _(text.template) if text else ""
    return _TELLER.vformat(template, (), text.facts).rstrip() if text.facts else template


_QUOTED = re.compile("“[^“”]*”")


class _Teller(Formatter):
    def format_field(self, value: object, format_spec: str) -> str:
        text = format(told(value) if isinstance(value, str) else value, format_spec)
        if type(value) in {int, float}:
            return text.translate(_MARKS[current()])
        if current() == "fr" and _QUOTED.fullmatch(text):
            return f"«\u00a0{text[1:-1]}\u00a0»"
        return text


_TELLER = _Teller()


_COMMAND = re.compile(r"\bpostflow [a-z]")


def where_to_type(*texts: str) -> str:
    """For readers who may have no terminal: where the commands that the texts name are typed."""
    if not any(map(_COMMAND.search, texts)):
        return ""
    return _("Commands are typed on the machine that runs PostFlow.")


def in_all_languages(text: str) -> set[str]:
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


def counted(number: int, thing: str) -> str:
    """1 clip, 2 clips: in English."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def shortened(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, an ellipsis in the place of what is gone."""
    if len(text) <= limit:
        return text
    return text[: limit - 1].rstrip("\\ ") + "…"


def human_size(size: int) -> str:
    """Bytes in decimal units, as disks and Frame.io count them: 831 MB."""
    if size < 1000:
        return ngettext("%(num)s byte", "%(num)s bytes", size) % {"num": size}
    amount, units = float(size), _("KB MB GB TB").split()
    for unit in units:
        amount /= 1000
        if amount < 999.5 or unit == units[-1]:
            break
    return f"{number(amount, 1) if amount < 10 else f'{amount:.0f}'} {unit}"


class Bytes(int):
    """Among the facts of Words: `human_size` in the language spoken."""

    def __format__(self, format_spec: str) -> str:
        return human_size(self)


def teach(templates: jinja2.Environment) -> None:
    """`{{ _("%(n)s clips", n=…) }}` in templates; what is filled in is escaped there."""
    templates.add_extension("jinja2.ext.i18n")
    templates.install_gettext_callables(_, ngettext, newstyle=True)  # type: ignore[attr-defined]
    templates.globals["language"] = current
    templates.filters["where_to_type"] = where_to_type
    templates.filters["number"] = number
