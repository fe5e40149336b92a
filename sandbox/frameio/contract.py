"""Frame.io's own contract: what it says of each operation, and of what is sent and answered.

`openapi.json` is the published document (OpenAPI 3.1) without its prose, as
`conformance/strip_openapi.py` makes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, reduce
from operator import getitem
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from postflow.sandbox.rates import Rate
from postflow.sandbox.refusals import Json

DOCUMENT = Path(__file__).with_name("openapi.json")
FORMATS = Draft202012Validator.FORMAT_CHECKER


class ContractBroken(Exception):
    """An answer of the sandbox that Frame.io would not give."""


@dataclass(frozen=True)
class Correction:
    """Where the service is known to differ from its document: at `place` stands `value`."""

    place: tuple[str, ...]
    value: Json
    why: str


_SCHEMAS = ("components", "schemas")
_CHILDREN = ("paths", "/v4/accounts/{account_id}/folders/{folder_id}/children", "get", "parameters")
# All that the sandbox knows better than the document; `docs/sandbox.md` tells it.
CORRECTIONS = (
    Correction(
        (*_SCHEMAS, "Errors", "properties", "errors", "items", "properties", "title"),
        {"type": "string"},
        "Live answers carry a title, and the guide on errors shows it.",
    ),
    Correction(
        (*_CHILDREN, "type", "schema"),
        {"enum": ["file", "folder", "version_stack"], "type": "string"},
        "The guide names these three, joined by commas; the document says any text.",
    ),
)
# The guides join several values by commas; the document, made of types, allows one of them.
LISTS = frozenset({"include", "type"})
# Unknown keys of a request are answered 422, and the sandbox invents none in an answer; the
# document leaves both open.
CLOSED = {"additionalProperties": False}
# Ids are plain text in the document. They are UUIDs, or of Adobe's storage; the guide to the
# status of an upload, alone, says that it takes UUIDs only.
UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
ID = rf"^({UUID}|adobe:.+)$"
UUID_ONLY = frozenset({"files.status"})


@dataclass(frozen=True)
class Operation:
    """One method of one path. `query` holds a plain schema for each parameter."""

    method: str
    path: str

    @cached_property
    def entry(self) -> Json:
        return document()["paths"][self.path][self.method]  # type: ignore[no-any-return]

    @cached_property
    def status(self) -> int:
        """That of success."""
        return min(int(code) for code in self.entry["responses"] if code.startswith("2"))

    @cached_property
    def rate(self) -> Rate:
        limit = self.entry["x-rate-limit"]
        return Rate(limit["limit"], limit["window_ms"] / 1000)

    @cached_property
    def query(self) -> Mapping[str, Json]:
        given = [p for p in self.entry["parameters"] if p["in"] == "query"]
        return {parameter["name"]: _not_null(parameter["schema"]) for parameter in given}

    @property
    def needs_body(self) -> bool:
        return bool(self.entry["requestBody"]["required"])

    def wrong_in_body(self, body: Any) -> list[ValidationError]:
        """What the contract does not allow of a request's body."""
        return _faults(self._of_request, body)

    def wrong_in_answer(self, status: int, body: Any) -> list[ValidationError]:
        """What it does not allow of an answer; a status that it does not know is a fault too."""
        answer = self.entry["responses"].get(str(status))
        if answer is None:
            return [ValidationError(f"{status} is no answer of it")]
        if "content" not in answer:
            return [] if body is None else [ValidationError("it has no body")]
        return _faults(self._of_answer(status), body)

    @cached_property
    def _of_request(self) -> Draft202012Validator:
        return _validator(self.entry["requestBody"])

    @cache  # noqa: B019 - there are as many operations as the document has
    def _of_answer(self, status: int) -> Draft202012Validator:
        return _validator(self.entry["responses"][str(status)])


@cache
def document() -> Json:
    """The contract as it holds: corrected and closed, with what it refers to in each place."""
    read: Json = json.loads(DOCUMENT.read_bytes())
    for correction in CORRECTIONS:
        _correct(read, correction)
    for schema in _objects(read):
        schema.update({**CLOSED, **schema})
    for holder, key in list(_references(read)):
        holder[key] = _referred(read, holder[key])
    return read


@cache
def operation(method: str, path: str) -> Operation:
    """Raises KeyError where the contract has no such operation."""
    found = Operation(method.lower(), path)
    _ = found.entry
    return found


def _correct(read: Json, correction: Correction) -> None:
    place: Any = read
    *way, last = correction.place
    for step in way:
        place = place[step] if isinstance(place, dict) else _parameter(place, step)
    place[last] = correction.value


def _parameter(parameters: list[Json], name: str) -> Json:
    return next(parameter for parameter in parameters if parameter["name"] == name)


def _objects(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        if isinstance(value.get("properties"), dict) and value.get("type") == "object":
            yield value
        for item in value.values():
            yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)


def _references(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where a reference stands."""
    if isinstance(value, dict | list):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            if _is_reference(item):
                yield value, key
            else:
                yield from _references(item)


def _referred(read: Json, item: Any) -> Any:
    while _is_reference(item):
        item = reduce(getitem, item["$ref"].removeprefix("#/").split("/"), read)
    return item


def _is_reference(item: Any) -> bool:
    return isinstance(item, dict) and item.keys() == {"$ref"}


def _not_null(schema: Json) -> Json:
    """A parameter of a query cannot be null: it is there or not."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else schema


def _validator(body: Json) -> Draft202012Validator:
    schema = body["content"]["application/json"]["schema"]
    return Draft202012Validator(schema, format_checker=FORMATS)


def _faults(validator: Draft202012Validator, body: Any) -> list[ValidationError]:
    """Each fault at its deepest: of several kinds of a thing, what the likeliest lacks."""
    return [best_match([fault]) for fault in validator.iter_errors(body)]
