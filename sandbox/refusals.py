"""How Frame.io says no: `{"errors": [...]}` in the wording of OpenApiSpex, its Elixir library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

Json = dict[str, Any]

PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(frozen=True)
class Complaint:
    """One error of an answer; `pointer` names the field, as `/data/name`."""

    detail: str
    title: str | None = None
    pointer: str | None = None

    def body(self) -> Json:
        body: Json = {"detail": self.detail}
        if self.title is not None:
            body["title"] = self.title
        if self.pointer is not None:
            body["source"] = {"pointer": self.pointer}
        return body


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, *complaints: Complaint) -> None:
        super().__init__(status)
        self.status = status
        self.complaints = complaints or (Complaint(PHRASES.get(status, "Error")),)

    def body(self) -> Json:
        return {"errors": [complaint.body() for complaint in self.complaints]}


def not_found() -> Refusal:
    return Refusal(404)


def invalid(pointer: str, detail: str) -> Refusal:
    return Refusal(422, Complaint(detail, title="Invalid value", pointer=pointer))


def from_validation(error: ValidationError) -> Refusal:
    """What OpenApiSpex would say of a body that pydantic did not accept."""
    return Refusal(422, *(_complaint(dict(problem)) for problem in error.errors()))


def _complaint(problem: Json) -> Complaint:
    location = [str(step) for step in problem["loc"]]
    detail = _TEXTS.get(problem["type"], "Invalid value").format(
        field=location[-1] if location else "",
        got=_erlang_type(problem["input"]),
        **problem.get("ctx", {}),
    )
    return Complaint(detail, title="Invalid value", pointer="/" + "/".join(location))


_TEXTS = {
    "missing": "Missing field: {field}",
    "extra_forbidden": "Unexpected field: {field}",
    "string_type": "Invalid string. Got: {got}",
    "string_too_short": "String length is smaller than minLength: {min_length}",
    "string_too_long": "String length is larger than maxLength: {max_length}",
    "string_pattern_mismatch": "Invalid format. Expected {pattern}",
    "int_type": "Invalid integer. Got: {got}",
    "bool_type": "Invalid boolean. Got: {got}",
    "list_type": "Invalid array. Got: {got}",
    "greater_than_equal": "{got} is smaller than inclusive minimum {ge}",
    "less_than_equal": "{got} is larger than inclusive maximum {le}",
    "too_short": "Array length {actual_length} is smaller than minItems: {min_length}",
    "too_long": "Array length {actual_length} is larger than maxItems: {max_length}",
    "literal_error": "Invalid value for enum",
    "enum": "Invalid value for enum",
    "model_type": "Invalid object. Got: {got}",
    "model_attributes_type": "Invalid object. Got: {got}",
    "dict_type": "Invalid object. Got: {got}",
    "value_error": "{error}",
}


def _erlang_type(value: object) -> str:
    names = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
