"""From a name's fields to its folder and its stack."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

from .filename import safe_part
from .rules import NameRule
from .template import fields_of


def folder_of(rule: NameRule, values: Mapping[str, str]) -> tuple[str, ...]:
    """The folder's path below the project's root. Raises Skip `name.folder`."""
    titled = dict(values)
    if title := rule.titles.get(values.get("sequence", "")):
        titled["sequence"] = title
    return tuple(safe_part(part.format_map(titled), "folder") for part in rule.folder.split("/"))


def stack_of(rule: NameRule, values: Mapping[str, str]) -> str:
    """What all versions of the clip have in common. Raises Skip `name.folder`."""
    return safe_part(rule.stack.format_map(values), "stack")


def fixed_root(rule: NameRule) -> tuple[str, ...]:
    """The folders that are the same for every name, from the root down to the first field."""
    parts = rule.folder.split("/")
    return tuple(takewhile(lambda part: not fields_of(part, rule.name), parts))
