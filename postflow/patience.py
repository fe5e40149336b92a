"""How long and how often we try."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Patience(BaseModel):
    """Limits of one clip's transfer. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: int = Field(default=3, ge=1, description="Uploads asked of Frame.io for one clip.")
    poll: float = Field(
        default=1.0,
        gt=0,
        description="Pause between two looks at the status once every byte has left; ten times as "
        "long until then, and when it takes long.",
    )
    stall: float = Field(
        default=600.0, gt=0, description="Longest time without a new byte, until all have left."
    )
    total: float = Field(
        default=86_400.0,
        gt=0,
        description="Longest time for all attempts, and for Frame.io to finish what it fetched.",
    )
