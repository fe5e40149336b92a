"""Are a person's regular expressions safe to run on hostile names?

A backtracking matcher tries every way to read a name, so the ways are counted before a rule is
accepted. A repeat that cannot swallow the literal behind it ends in one place and counts once.
"""

from __future__ import annotations

import re

# The standard library's reading of a pattern has no public door, and no kept package offers one.
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from postflow.errors import Fatal

from .rules import broken

MAX_REPEAT = 64
MAX_READINGS = 1000

_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}
_SINGLE = {"LITERAL", "NOT_LITERAL", "IN", "ANY"}
_CATEGORIES = {"CATEGORY_DIGIT": r"[0-9]", "CATEGORY_WORD": r"[0-9A-Za-z_]"}

Node = tuple[Any, Any]


class UnsafePatternError(ValueError):
    """Says what is wrong with a pattern, in words that follow its name."""


def check_field(field: str, pattern: str, rule: str) -> None:
    """Raises Fatal `naming.rules` unless it is ASCII, bounded, without groups and anchors."""
    try:
        _bounded_readings(pattern)
        problem = _problem_of_field(_read(pattern))
    except UnsafePatternError as error:
        raise _unsafe(rule, f"the pattern of “{field}” ({pattern}) {error}") from error
    if problem:
        raise _unsafe(rule, f"the pattern of “{field}” ({pattern}) {problem}")


def check_regex(regex: str, rule: str) -> None:
    """Raises Fatal `naming.rules` unless the expression is ASCII and has only named groups."""
    try:
        state = _read(regex).state
    except UnsafePatternError as error:
        raise _unsafe(rule, f"the regex {error}") from error
    if state.groups - 1 > len(state.groupdict):
        raise _unsafe(rule, "the regex holds a group without a name; write (?P<name>…) or (?:…)")


def count_readings(expression: str, rule: str) -> int:
    """The ways a name can be read, at most. Raises Fatal `naming.rules` beyond MAX_READINGS."""
    try:
        return _bounded_readings(expression)
    except UnsafePatternError as error:
        raise _unsafe(rule, f"the whole of it {error}") from error


def _bounded_readings(pattern: str) -> int:
    readings = _ways(list(_read(pattern)), None)
    if readings > MAX_READINGS:
        raise UnsafePatternError(
            f"can be read in {readings} ways, at most {MAX_READINGS} are allowed; "
            "keep the separator out of the fields beside it"
        )
    return readings


def _unsafe(rule: str, problem: str) -> Fatal:
    return broken(
        rule,
        problem,
        r"Write bounded ASCII patterns such as SQ\d{2} or [A-Z]{2,8}; never +, *, or a repeat "
        "inside a repeat.",
    )


def _problem_of_field(tree: Any) -> str | None:
    low, high = tree.getwidth()
    if tree.state.groups > 1:
        return "holds a capturing group; write (?:…)"
    if any(str(op) == "AT" for op, _ in _flat(list(tree))):
        return "holds an anchor; fields are anchored already"
    if low < 1 or high > MAX_REPEAT:
        return f"may be empty or longer than {MAX_REPEAT} characters"
    return None


def _read(pattern: str) -> Any:
    if not pattern.isascii():
        raise UnsafePatternError("holds characters outside ASCII")
    try:
        re.compile(pattern, re.ASCII)
        return _parser.parse(pattern, re.ASCII)
    except (re.error, RecursionError, OverflowError) as error:
        raise UnsafePatternError(f"is not a regular expression: {error}") from error


def _ways(items: list[Node], after: str | None) -> int:
    """Ways to read the items when `after` is the literal character that must follow them."""
    ways = 1
    for place, (op, arg) in enumerate(items):
        ways *= _ways_of(str(op), arg, _next_literal(items[place + 1 :], after))
    return ways


def _ways_of(op: str, arg: Any, after: str | None) -> int:
    if op in _SINGLE or op == "AT":
        return 1
    if op == "SUBPATTERN":
        return _ways(list(arg[3]), after)
    if op == "BRANCH":
        return sum(_ways(list(branch), after) for branch in arg[1])
    if op in {"ASSERT", "ASSERT_NOT"}:
        return _ways(list(arg[1]), None)
    if op in _REPEATS:
        low, high, repeated = arg
        return _ways_of_repeat(int(low), int(high), list(repeated), after)
    raise UnsafePatternError(f"uses {op.lower().replace('_', ' ')}, which is not supported")


def _ways_of_repeat(low: int, high: int, repeated: list[Node], after: str | None) -> int:
    if high > MAX_REPEAT:
        raise UnsafePatternError(f"repeats something more than {MAX_REPEAT} times or without end")
    inner = _ways(repeated, None)
    if high == 1:
        return inner + (1 - low)
    if inner > 1:
        raise UnsafePatternError("repeats something that can itself be read in several ways")
    ends_in_one_place = after is not None and not _admits(repeated, after)
    return 1 if ends_in_one_place else high - low + 1


def _next_literal(items: list[Node], after: str | None) -> str | None:
    """The first character of what follows, where that is one certain character."""
    if not items:
        return after
    op, arg = items[0]
    if str(op) == "LITERAL":
        return chr(arg)
    if str(op) == "SUBPATTERN":
        return _next_literal(list(arg[3]) + items[1:], after)
    return None


def _admits(items: list[Node], char: str) -> bool:
    """Can the repeated thing hold the character, in either case? True when in doubt."""
    if len(items) != 1 or str(items[0][0]) not in _SINGLE:
        return True
    op, arg = items[0]
    members: list[Node] = list(arg) if str(op) == "IN" else [(op, arg)]
    return any(_holds(members, either) for either in {char.lower(), char.upper()})


def _holds(members: list[Node], char: str) -> bool:
    for op, arg in members:
        name = str(op)
        if name == "LITERAL" and arg == ord(char):
            return True
        if name == "RANGE" and arg[0] <= ord(char) <= arg[1]:
            return True
        if name == "CATEGORY" and re.match(_CATEGORIES.get(str(arg), "(?s:.)"), char):
            return True
        if name in {"NEGATE", "NOT_LITERAL", "ANY"}:
            return True
    return False


def _flat(items: list[Node]) -> list[Node]:
    found: list[Node] = []
    for op, arg in items:
        found.append((op, arg))
        for inner in _inside(str(op), arg):
            found += _flat(list(inner))
    return found


def _inside(op: str, arg: Any) -> list[Any]:
    if op == "SUBPATTERN":
        return [arg[3]]
    if op == "BRANCH":
        return list(arg[1])
    if op in _REPEATS:
        return [arg[2]]
    return [arg[1]] if op in {"ASSERT", "ASSERT_NOT"} else []
