"""What all of our blocks have in common."""

from __future__ import annotations

import os
from copy import deepcopy
from functools import cache
from typing import Any, Self

from pydantic import HttpUrl, SecretStr, ValidationError

from .server import find_prefect

ICONS = "https://cdn.jsdelivr.net/npm/simple-icons@9.21.0/icons"


class StudioPart:
    """A block that is loaded from the server of `postflow up` while that runs.

    Its schema is built once a process: Prefect asks for it some twenty times a save.
    """

    @classmethod
    async def aload(cls, *args: Any, **options: Any) -> Self:
        find_prefect()
        return await super().aload(*args, **options)  # type: ignore[misc, no-any-return]

    @classmethod
    def load(cls, *args: Any, **options: Any) -> Self:
        find_prefect()
        return super().load(*args, **options)  # type: ignore[misc, no-any-return]

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        return deepcopy(cls._built_schema(*args, **options))

    @classmethod
    @cache
    def _built_schema(cls, *args: Any, **options: Any) -> Any:
        return super().model_json_schema(*args, **options)  # type: ignore[misc]


def icon(name: str) -> HttpUrl:
    """A logo for Prefect's UI, which fetches it by itself."""
    return HttpUrl(f"{ICONS}/{name}.svg")


def part_name(studio: str, part: str) -> str:
    """What a studio's block is called: its type alone would not say which is which."""
    return f"{studio}-{part}"


def secret_from_environment(variable: str) -> SecretStr | None:
    """The variable's value, which wins over the block's; None when unset or empty."""
    value = os.environ.get(variable)
    return SecretStr(value) if value else None


def problems(error: ValidationError) -> str:
    """One line: each field and what is wrong with it."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'the table'}: "
        + problem["msg"].removeprefix("Value error, ")
        for problem in error.errors(include_input=False, include_url=False)
    )
