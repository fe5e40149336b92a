"""What Babel finds in the program: what is marked, and the words of errors, which need no mark."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from string import Formatter
from typing import IO, Any

from babel.messages.extract import extract_python
from babel.messages.pofile import read_po

from postflow.language import CATALOGUES

# The places of the words among the arguments; these are also given by name.
PLACES = {
    **dict.fromkeys(("Skip", "Retry", "Fatal", "BrokenError", "NoMediaError"), (0,)),
    **dict.fromkeys(("NoElementError", "NoKeyError"), (0,)),
    "NoBoxError": (1,),
    "NotWhole": (),
    "Unknown": (),
    "Meaning": (0, 1),
    "Refusal": (2, 3),
}
NAMED = {"hint", "reason"}
_FILLED_IN = re.compile(r"\{\w+[^}]*\}|%\(\w+\)s|\n")


def extract(
    file: IO[bytes], keywords: Mapping[str, Any], tags: Collection[str], options: Mapping[str, Any]
) -> Iterator[tuple[int, str, Any, list[str]]]:
    """A method of Babel's."""
    yield from extract_python(file, keywords, tags, options)  # type: ignore[arg-type,misc]
    file.seek(0)
    for node in words(ast.parse(file.read())):
        if isinstance(node, ast.Constant) and has_words(str(node.value)):
            yield node.lineno, "N_", node.value, []


def words(tree: ast.AST) -> Iterator[ast.expr]:
    """What errors and verdicts say, wherever one is made."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and (name := getattr(call.func, "id", "")) in PLACES:
            given = [call.args[place] for place in PLACES[name] if place < len(call.args)]
            given += [each.value for each in call.keywords if each.arg in NAMED]
            for each in given:
                yield from (each.body, each.orelse) if isinstance(each, ast.IfExp) else (each,)


def has_words(template: str) -> bool:
    """Is there more than what is filled in?"""
    return any(part[0].strip(" .") for part in Formatter().parse(template))


def english_in(text: str) -> list[str]:
    """What a French reader is told in English: longer parts of what the catalogue translates."""
    with (CATALOGUES / "fr" / "LC_MESSAGES" / "postflow.po").open("rb") as file:
        pairs = {
            (str(english), str(french))
            for message in read_po(file)
            for english, french in zip(_all(message.id), _all(message.string), strict=False)
        }
    shown = text.replace("\\", "")
    parts = [(part, french) for english, french in pairs for part in _FILLED_IN.split(english)]
    return [
        part for part, french in parts if len(part) > 9 and part in shown and part not in french
    ]


def _all(texts: object) -> tuple[object, ...]:
    return texts if isinstance(texts, tuple) else (texts,)
