"""Templates: literal text and `{field}`s."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter

from .rules import FIELD_NAME, broken


@dataclass(frozen=True)
class Piece:
    """Literal text, or a field."""

    text: str
    is_field: bool


def pieces_of(template: str, rule: str) -> tuple[Piece, ...]:
    """The template in order. Raises Fatal `naming.rules` for anything but text and `{field}`."""
    pieces: list[Piece] = []
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise _unreadable(template, rule) from error
    for literal, field, spec, conversion in parsed:
        if literal:
            pieces.append(Piece(literal, is_field=False))
        if field is None:
            continue
        if spec or conversion or not re.match(FIELD_NAME, field):
            raise _unreadable(template, rule)
        pieces.append(Piece(field, is_field=True))
    return tuple(pieces)


def fields_of(template: str, rule: str) -> frozenset[str]:
    return frozenset(piece.text for piece in pieces_of(template, rule) if piece.is_field)


def _unreadable(template: str, rule: str) -> Exception:
    return broken(
        rule,
        f"the template “{template}” is not made of text and {{field}}s",
        "Write fields as {sequence}: lower-case letters, digits and _ in braces, nothing else.",
    )
