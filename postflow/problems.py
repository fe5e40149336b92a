"""What is wrong with a table of settings, in the words of the person who wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Place = tuple[int | str, ...]

_NUMBER = "has to be a whole number, without quotes"
# Every number with a fraction among the settings is a time.
_SECONDS = "has to be a number of seconds, without quotes and unit"
_LIST = 'has to be a list, as in {name} = ["…"]'
_TABLE = "has to be a table of its own, as in [{table}]"
_ADDRESS = "has to be an address such as https://example.com"
_MOMENT = "has to be a date and time such as 2026-01-31T08:00:00Z"
OWN_WORDS = "value_error"
# By pydantic's types of errors.
WORDS = {
    "missing": "is missing",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "string_type": "has to be text, in quotes",
    "path_type": "has to be a path, in quotes",
    "bool_type": "has to be true or false, without quotes",
    "bool_parsing": "has to be true or false, without quotes",
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "int_parsing_size": _NUMBER,
    "int_from_float": _NUMBER,
    "float_type": _SECONDS,
    "float_parsing": _SECONDS,
    "finite_number": _SECONDS,
    "literal_error": "has to be {expected}",
    "enum": "has to be {expected}",
    "greater_than": "has to be more than {gt}",
    "greater_than_equal": "has to be {ge} or more",
    "less_than": "has to be less than {lt}",
    "less_than_equal": "has to be {le} or less",
    "string_pattern_mismatch": "may hold small letters, digits and hyphens only, as in north-2",
    "string_too_short": "may not be empty",
    "string_too_long": "is longer than {max_length} characters",
    "too_short": "needs {min_length} or more of them",
    "too_long": "holds more than {max_length}",
    "url_type": _ADDRESS,
    "url_parsing": _ADDRESS,
    "url_scheme": _ADDRESS,
    "url_syntax_violation": _ADDRESS,
    "url_too_long": _ADDRESS,
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "datetime_object_invalid": _MOMENT,
    "timezone_naive": _MOMENT,
    "timezone_aware": _MOMENT,
}
_UNKNOWN = "cannot be understood"


def problems(error: ValidationError, kind: type[BaseModel], within: Place = ()) -> str:
    """One line: each table or key, what is wrong with it, and which one was meant. No values."""
    found = error.errors(include_url=False)
    unknown = [each for each in found if each["type"] == "extra_forbidden"]
    told = [_of_unknown(each["loc"], each["input"], kind, within) for each in unknown]
    # What was meant by an unknown key is not missing besides.
    meant = {(*each["loc"][:-1], near) for each in unknown if (near := _near(each, kind))}
    others = [each for each in found if each not in unknown and each["loc"] not in meant]
    return "; ".join((*told, *(_told(each, kind, within) for each in others)))


def unknown_keys(keys: Iterable[str], known: Iterable[str], within: Place) -> str:
    """What is wrong with keys that a table may not hold."""
    known = list(known)
    return "; ".join(_unknown((*within, key), nearest(key, known)) for key in sorted(keys))


def nearest(said: str, known: Iterable[str]) -> str | None:
    """What was probably meant."""
    return next(iter(get_close_matches(said.casefold(), [*known], n=1, cutoff=0.6)), None)


def _of_unknown(loc: Place, given: Any, kind: type[BaseModel], within: Place) -> str:
    name = _as_written(loc, given)
    place, near = (*within, *loc[:-1], name), nearest(name, _keys_at(loc[:-1], kind))
    if isinstance(given, dict):
        table = _table((*place[:-1], near)) if near else ""
        return f"there is no table [{_table(place)}]" + _meant(f"[{table}]" if near else None)
    return _unknown(place, near)


def _unknown(place: Place, near: str | None) -> str:
    return f"{_where(place)} is unknown" + _meant(near)


def _meant(near: str | None) -> str:
    return f"; did you mean {near}?" if near else ""


def _near(each: ErrorDetails, kind: type[BaseModel]) -> str | None:
    loc = each["loc"]
    return nearest(_as_written(loc, each["input"]), _keys_at(loc[:-1], kind))


def _as_written(loc: Place, given: Any) -> str:
    """`[frame.io]` is read as a table `frame` that holds a table `io`."""
    inner = next(iter(given), "") if isinstance(given, dict) and len(given) == 1 else ""
    return f"{loc[-1]}.{inner}" if inner and isinstance(given[inner], dict) else str(loc[-1])


def _told(each: ErrorDetails, kind: type[BaseModel], within: Place) -> str:
    loc, context = each["loc"], each.get("ctx", {})
    place = (*within, *loc)
    is_table = bool(_models_at(loc, kind)) and not (loc and isinstance(loc[-1], int))
    said = _where_table(place) if is_table else _where(place)
    if each["type"] == OWN_WORDS:
        words = each["msg"].removeprefix("Value error, ")
        return f"{said}: {words}" if place else words
    words = WORDS.get(each["type"], _UNKNOWN)
    if words == _LIST and is_table:
        words = "has to be a list of tables, as in [[{table}]]"
    if each["type"] == "too_short" and context["field_type"] == "Value":  # a secret's text
        words = "needs {min_length} or more characters"
    table = _table(place)
    return f"{said} {words.format(name=table.rpartition('.')[2], table=table, **context)}"


def _where_table(place: Place) -> str:
    return f"[{_table(place)}]" if place else ""


def _where(place: Place) -> str:
    """`[studio.watching] folders, no. 2`, or `[[studio.alarms]] no. 2, url`; counted from 1."""
    *tables, key = _names(place)
    number = next((f"no. {part + 1}" for part in place if isinstance(part, int)), "")
    if number and isinstance(place[-1], str):
        return f"[[{'.'.join(tables)}]] {number}, {key}"
    return (f"[{'.'.join(tables)}] " if tables else "") + ", ".join(filter(None, (key, number)))


def _names(place: Place) -> list[str]:
    return [part for part in place if isinstance(part, str)]


def _table(place: Place) -> str:
    return ".".join(_names(place))


def _keys_at(loc: Place, kind: type[BaseModel]) -> list[str]:
    return [key for model in _models_at(loc, kind) for key in _keys(model)]


def _keys(model: type[BaseModel]) -> Iterator[str]:
    return (field.alias or name for name, field in model.model_fields.items())


def _models_at(loc: Sequence[int | str], kind: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that may stand at a place within `kind`; none where a plain value does."""
    models = [kind]
    for part in _names(tuple(loc)):
        models = [inner for model in models for inner in _models_of(model, part)]
    return models


def _models_of(model: type[BaseModel], key: str) -> Iterator[type[BaseModel]]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if key in fields:
        yield from _models_in(fields[key].annotation)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """A table of free keys counts as a model without any."""
    if get_origin(annotation) is dict:
        yield BaseModel
        return
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
