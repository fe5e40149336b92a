"""From a name's fields to its folder and its stack."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

from .filename import safe_part
from .rules import NameRule
from .template import fields_of


def folder_of(rule: NameRule, values: Mapping[str, str]) -> tuple[str, ...]:
    """The folder's path below the project's root, down to the first field that no value is for.

    Raises Skip `name.folder`.
    """
    titled = dict(values)
    if title := rule.titles.get(values.get("sequence", "")):
        titled["sequence"] = title
    parts = takewhile(
        lambda part: fields_of(part, rule.name) <= titled.keys(), rule.folder.split("/")
    )
    return tuple(safe_part(part.format_map(titled), "folder") for part in parts)


def stack_of(rule: NameRule, values: Mapping[str, str]) -> str:
    """What all versions of the clip have in common. Raises Skip `name.folder`."""
    return safe_part(rule.stack.format_map(values), "stack")
