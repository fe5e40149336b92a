"""Watches what the official SDK receives, and holds each answer against the SDK's own models.

The SDK never validates by itself. Here every answer must pass in strict mode, and may have no
key that the models do not know.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

RATE_HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-window")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

Answer = TypeVar("Answer")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


class Witness:
    """Watches the raw answers behind the SDK, and holds each against a model."""

    def __init__(self) -> None:
        self._answers: list[httpx.Response] = []
        self.steps = 0
        self.misses: list[str] = []
        self.models: set[str] = set()
        self.http = httpx.Client(event_hooks={"response": [self._note]}, timeout=60)

    def _note(self, answer: httpx.Response) -> None:
        answer.read()
        self._answers.append(answer)

    def see(self, step: str, model: type[BaseModel] | None, call: Callable[[], Answer]) -> Answer:
        """Make a call; report the step, and every fault of the answers it took."""
        self._answers.clear()
        self.steps += 1
        began = time.monotonic()
        value = call()
        faults = [fault for answer in self._answers for fault in judge(answer, model)]
        count, seconds = len(self._answers), time.monotonic() - began
        self._report(step, faults, f"{count} answers, {seconds:.2f} s")
        self.models.add(model.__name__ if model else "no body")
        return value

    def check(self, step: str, holds: bool, told: object = "") -> None:
        """A fact that must hold."""
        self.steps += 1
        self._report(step, [] if holds else [f"does not hold: {told}"], str(told))

    def _report(self, step: str, faults: list[str], note: str) -> None:
        say(f"{'MISS' if faults else ' ok '}  {step:<58} {note}")
        for fault in faults:
            say(f"      {fault}")
        self.misses += [f"{step}: {fault}" for fault in faults]


def judge(answer: httpx.Response, model: type[BaseModel] | None) -> Iterator[str]:
    """What is wrong with one answer."""
    if answer.request.url.path.startswith("/v4"):
        yield from (f"no header {name}" for name in RATE_HEADERS if name not in answer.headers)
    if model is None:
        if answer.status_code == 204 and answer.content:
            yield "a 204 with a body"
        return
    try:
        read = model.model_validate(with_moments(answer.json()), strict=True)
        yield from strangers(read, model.__name__)
    except ValidationError as error:
        yield f"{answer.status_code} is no {model.__name__}: {error}"


def with_moments(value: Any) -> Any:
    """JSON has no dates; strict models want some. So ISO stamps become moments first."""
    if isinstance(value, dict):
        return {key: with_moments(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [with_moments(entry) for entry in value]
    is_moment = isinstance(value, str) and MOMENT.fullmatch(value)
    return datetime.fromisoformat(value) if is_moment else value


def strangers(value: object, place: str) -> Iterator[str]:
    """Keys of an answer that the SDK's models do not know."""
    if isinstance(value, BaseModel):
        yield from (f"{place} has an unknown key {key}" for key in value.model_extra or {})
        for key in type(value).model_fields:
            yield from strangers(getattr(value, key), f"{place}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from strangers(item, f"{place}[]")
