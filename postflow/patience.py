"""How long and how often we try."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Patience(BaseModel):
    """Limits of one clip's transfer. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: int = Field(default=3, ge=1, description="Uploads asked of Frame.io for one clip.")
    poll: float = Field(default=1.0, gt=0, description="Pause between two looks at the status.")
    stall: float = Field(
        default=600.0, gt=0, description="Longest time without a new byte or a new status."
    )
    total: float = Field(default=86_400.0, gt=0, description="Longest time for all attempts.")
