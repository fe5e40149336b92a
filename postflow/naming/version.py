"""Which of two versions is the later one."""

from __future__ import annotations

import re
from datetime import datetime
from typing import cast

from natsort import natsort_keygen, ns

from postflow.errors import Skip

FINAL_VERSION = 1_000_000_000
"""A version that says it is final (`vDEF`): later than any number."""
LONGEST = 32
MOST_DIGITS = 14

Order = tuple[int, tuple[int | str, ...]]

EARLY = frozenset({"WIP", "DRAFT", "ROUGH", "TEST", "TEMP", "PREVIEW"})
FINAL = frozenset({"DEF", "FINAL", "FIN", "FNL", "MASTER", "APPROVED", "LOCKED", "LOCK"})

_PREFIX = re.compile(r"\A(?:VERSION|VER|V|REVISION|REV|R|TAKE|TK|T)?[ ._-]?(?=[A-Z0-9])")
_LETTERS = re.compile(r"[A-Z]|A[A-Z]|([A-Z])\1")
_LETTER_BEHIND = re.compile(r"(?<=[0-9])([A-Z]|A[A-Z]|([A-Z])\2)(?![A-Z0-9])")
_DATE_PART = re.compile("YYYY|YY|MMM|MM|DD")
_DIRECTIVES = {"YYYY": "%Y", "YY": "%y", "MMM": "%b", "MM": "%m", "DD": "%d"}
_key = natsort_keygen(alg=ns.IGNORECASE)


def version_order(version: str | None, date: str | None = None) -> Order:
    """What versions are sorted by: none, work in progress, numbers and letters, final ones.

    Numbers in a version count as numbers, so 1.10 is later than 1.9; letters as they are counted,
    so v003b is later than v003, and revAA than revZ. `date`: how the rule says a date is written.
    """
    if version is None:
        return 0, ()
    if day := date and date_of(version, date):
        return 2, _natural(day)
    text = version.upper()
    # "V2" is a number behind a prefix, "VDEF" a word behind one, "REVA" a letter.
    bare = _PREFIX.sub("", text, count=1)
    words = {*re.findall("[A-Z]+", text)[:1], *re.findall("^[A-Z]+", bare)}
    if words & EARLY:
        return 1, _natural(bare)
    if words & FINAL:
        return 3, _natural(bare)
    if _LETTERS.fullmatch(bare):
        return 2, _natural(str(_counted(bare)))
    if not re.search("[0-9]", bare):
        return 3, _natural(bare)
    return 2, _natural(_LETTER_BEHIND.sub(lambda found: f".{_counted(found[1])}", bare))


def version_number(version: str | None) -> int | None:
    """`v003` is 3, `revB` is 2, `vDEF` is FINAL_VERSION, no version is None."""
    if version is None:
        return None
    rank, order = version_order(version)
    if rank == 3:
        return FINAL_VERSION
    number = next((part for part in order if isinstance(part, int)), 0)
    return min(number, FINAL_VERSION - 1)


def version_key(version: str | None) -> str | None:
    """One text for versions that mean the same, as v3 and V003; another for v003a and v003b."""
    if version is None:
        return None
    rank, order = version_order(version)
    return "/".join(map(str, (rank, *order)))


def date_of(version: str, written: str) -> str | None:
    """The day as YYYY-MM-DD; None for a version without a digit, such as `vDEF`.

    Raises Skip `name.version` for one that is no day.
    """
    if not re.search("[0-9]", version):
        return None
    directives = _DATE_PART.sub(lambda part: _DIRECTIVES[part[0]], written)
    try:
        return f"{datetime.strptime(version, directives):%Y-%m-%d}"  # noqa: DTZ007
    except ValueError:
        raise Skip(
            "“{version}” is no date written {written}.",
            hint="Correct the date in the name.",
            code="name.version",
            version=version,
            written=written,
        ) from None


def is_date_format(written: str) -> bool:
    """Has it a year, a month and a day, once each?"""
    parts = sorted(part[0] for part in _DATE_PART.findall(written))
    return parts == ["D", "M", "Y"] and not re.search("[A-Za-z%]", _DATE_PART.sub("", written))


def _natural(text: str) -> tuple[int | str, ...]:
    return cast("tuple[int | str, ...]", _key(text))


def _counted(letters: str) -> int:
    """A is 1, Z is 26, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
