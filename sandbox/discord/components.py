"""Buttons below a message. A plain webhook may send those that lead to an address, and no others.

https://discord.com/developers/docs/components/reference#button
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


def _link(url: str) -> str:
    if not url.startswith(("http://", "https://", "discord://")):
        raise PydanticCustomError("url", "Not a well formed URL.")
    return url


class Button(BaseModel):
    """A link button; it has a label, and sends nothing to an application."""

    model_config = ConfigDict(extra="ignore", strict=True)

    type: Literal[2]
    style: Literal[5]
    label: str = Field(min_length=1, max_length=80)
    url: Annotated[str, Field(max_length=512), AfterValidator(_link)]
    disabled: bool = False
    custom_id: str | None = None

    @model_validator(mode="after")
    def _is_no_interaction(self) -> Button:
        if self.custom_id is not None:
            raise PydanticCustomError("link", "A custom id and url cannot both be specified")
        return self


class Row(BaseModel):
    """An action row."""

    model_config = ConfigDict(extra="ignore", strict=True)

    type: Literal[1]
    components: list[Button] = Field(min_length=1, max_length=5)
