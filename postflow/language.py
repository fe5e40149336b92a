"""What people read, in their language: gettext with the domain `postflow`; English is the text."""

from __future__ import annotations

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import jinja2

DOMAIN = "postflow"
CATALOGUES = Path(__file__).with_name("locale")

_ENGLISH = gettext.NullTranslations()
_spoken: ContextVar[gettext.NullTranslations] = ContextVar("spoken", default=_ENGLISH)


@contextmanager
def spoken(language: str) -> Iterator[None]:
    """In this block, and in tasks that begin in it. English where there is no such catalogue."""
    found = gettext.translation(DOMAIN, CATALOGUES, languages=[language], fallback=True)
    token = _spoken.set(found)
    try:
        yield
    finally:
        _spoken.reset(token)


def _(text: str) -> str:
    return _spoken.get().gettext(text)


def ngettext(one: str, many: str, number: int) -> str:
    return _spoken.get().ngettext(one, many, number)


def teach(templates: jinja2.Environment) -> None:
    """`{{ _("%(n)s clips", n=…) }}` in templates; what is filled in is escaped there."""
    templates.add_extension("jinja2.ext.i18n")
    templates.install_gettext_callables(_, ngettext, newstyle=True)  # type: ignore[attr-defined]
