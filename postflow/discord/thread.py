"""Where in a channel messages go: one thread for all, or in a forum a post for each of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from postflow.models import Moment

FIELDS = ("sequence", "shot", "version", "file", "project")
LONGEST_NAME = 100
OTHERS = "PostFlow"

_FIELD = re.compile(r"\{([^{}]*)\}")


class Thread(Moment):
    """At most one of the two. `name` may hold fields of the clip, such as `{sequence} {shot}`."""

    id: str | None = None
    name: str | None = Field(default=None, min_length=1, max_length=LONGEST_NAME)

    @field_validator("id")
    @classmethod
    def _is_a_number(cls, thread_id: str | None) -> str | None:
        if thread_id and not re.fullmatch(r"[0-9]{1,20}", thread_id):
            raise ValueError("a thread's id is a number, as Discord's “Copy Thread ID” gives it")
        return thread_id

    @field_validator("name")
    @classmethod
    def _has_known_fields(cls, name: str | None) -> str | None:
        unknown = [field for field in _FIELD.findall(name or "") if field not in FIELDS]
        if unknown:
            raise ValueError(f"there is no field {{{unknown[0]}}}; there are {', '.join(FIELDS)}")
        return name

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if self.id and self.name:
            raise ValueError("thread_id or thread_name, not both")
        return self

    def named(self, about: Mapping[str, str]) -> str | None:
        """The name of a message's post; another message than a clip's has the fields not."""
        if self.name is None:
            return None
        if not set(_FIELD.findall(self.name)) <= about.keys():
            return OTHERS
        named = _FIELD.sub(lambda field: about[field[1]], self.name)
        seen = "".join(char if char.isprintable() else " " for char in named)
        return " ".join(seen.split())[:LONGEST_NAME] or OTHERS

    def query(self) -> dict[str, Any]:
        return {"thread_id": self.id} if self.id else {}
