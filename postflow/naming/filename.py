"""File names as hostile input, and what every name has whatever the rules."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import reduce
from pathlib import PurePosixPath

from postflow.errors import Skip, shown
from postflow.language import N_
from postflow.models import nfc

MAX_BYTES = 255

_FIELDS = {
    "ext": N_("extension"),
    "project": N_("project"),
    "scene": N_("scene"),
    "sequence": N_("sequence"),
    "shot": N_("shot"),
    "stack": N_("stack"),
    "title": N_("title"),
    "version": N_("version"),
}
_PLAIN_VERSION = re.compile(r"[ ._-]([vV](?:[0-9]{1,8}(?:\.[0-9]{1,4}|[a-z])?|DEF))\Z")


def clean_name(name: str) -> str:
    """The name in NFC. Raises Skip `name.unsafe` when no name should look like that."""
    clean = nfc(name)
    if problem := _problem(clean):
        raise Skip(
            "The file name {name} {problem}.",
            hint="Rename the file with letters, digits, “_”, “-” and “.” only.",
            code="name.unsafe",
            name=shown(name),
            problem=problem,
        )
    return clean


def safe_part(text: str, what: str) -> str:
    """`text` as one folder's name, in NFC. Raises Skip `name.folder`."""
    clean = nfc(text).strip()
    problem = _problem(clean)
    if problem:
        raise Skip(
            "The {what} {text} cannot name a folder: it {problem}.",
            hint="Give the {what} as one plain word such as SQ07, without “/”.",
            code="name.folder",
            what=field_word(what),
            text=shown(text),
            problem=problem,
        )
    return clean


def split_version(file_name: str) -> tuple[str, str | None]:
    """The stem without its version, and the version, where it ends in a plain one."""
    stem = PurePosixPath(file_name).stem
    found = _PLAIN_VERSION.search(stem, 1)
    return (stem[: found.start()], found[1]) if found else (stem, None)


def field_word(field: str) -> str:
    """What people call a field; a rule's own fields are called as it names them."""
    return _FIELDS.get(field, field)


def listed(words: Iterable[str]) -> str:
    return reduce(lambda one, other: N_("{one} and {other}", one=one, other=other), words)


def _problem(name: str) -> str | None:
    size = len(name.encode("utf-8", "surrogatepass"))
    if not name.strip():
        return N_("is empty")
    if size > MAX_BYTES:
        return N_("is longer than {most} bytes", most=MAX_BYTES)
    if "/" in name or "\\" in name:
        return N_("holds a path separator")
    if any(not char.isprintable() and unicodedata.category(char) != "Zs" for char in name):
        return N_("holds characters that cannot be seen")
    return N_("begins with a dot") if name.startswith(".") else None
