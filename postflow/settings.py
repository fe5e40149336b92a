"""Settings of the watched folders and of the retries of a transfer."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    field_validator,
    model_validator,
)

from postflow.media.ignore import SHIPPED_ONLY, Ignoring


class Watching(BaseModel):
    """A studio's watch folders. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folders: tuple[Path, ...] = Field(
        default=(), description="Folders whose finished clips are delivered, with all below them."
    )

    allow: tuple[Path, ...] = Field(
        default=(),
        description="Other folders from which the deployment `deliver` may send clips, with all "
        "below them. The command line and Python may send any.",
    )

    @field_validator("folders", "allow")
    @classmethod
    def _each_is_one_place(cls, folders: tuple[Path, ...]) -> tuple[Path, ...]:
        """Whatever the directory that a command is started in."""
        for folder in folders:
            if not folder.is_absolute():
                raise ValueError(f"{folder} has to be an absolute path")
        if len(set(folders)) < len(folders):
            raise ValueError("a folder is named twice")
        return folders

    ignore: tuple[str, ...] = Field(
        default=(), description="Names passed over in all folders, in gitignore's syntax."
    )
    ignore_in: dict[Path, tuple[str, ...]] = Field(
        default_factory=dict, description="Such names in one of the folders only."
    )

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        for folder in self.ignore_in:
            if folder not in self.folders:
                raise ValueError(f"ignore_in: {folder} is none of the folders")
        for own in (self.ignore, *self.ignore_in.values()):
            Ignoring(own)
        return self

    def ignoring(self, folder: Path) -> Ignoring:
        """What is passed over in a watch folder: the shipped rules and the studio's."""
        own = (*self.ignore, *self.ignore_in.get(folder, ()))
        return Ignoring(own) if own else SHIPPED_ONLY

    quiet: float | None = Field(
        default=None,
        gt=0,
        description="How long a file has to stand still; by default 10, on network mounts 60.",
    )
    open_ended: bool = Field(
        default=False,
        description="Deliver also files that never state their end, such as recordings of a "
        "stream, once they stand still six times as long. A killed encoder leaves the same.",
    )
    interval: float = Field(default=10.0, gt=0, description="Longest pause between two scans.")
    scan_timeout: float = Field(
        default=120.0, gt=0, description="After how long a scan that has not come back is an alarm."
    )
    idle_timeout: float = Field(
        default=20.0, ge=0, description="How long an ingest run waits for late-comers."
    )
    at_once: int = Field(default=4, ge=1, le=8, description="Clips on their way at once.")
    batch: int = Field(
        default=10, ge=1, description="More clips than this are told of in one Discord message."
    )


EMAIL = r"^[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+$"


class Sharing(BaseModel):
    """Links that open for people who are no members of the Frame.io project."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    per: Literal["day", "sequence", "batch", "shot"] = Field(
        description="What one link is for: the clips of a day, of what is delivered together, or "
        "the whole folder of a sequence or a shot, with all that is in it and comes into it."
    )
    expiry: int = Field(default=30, ge=1, le=3650, description="Days until a link opens no more.")
    access: Literal["public", "secure"] = Field(
        default="public",
        description="Whether a link opens for everybody who has it, or for the reviewers only.",
    )
    reviewers: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="E-mail addresses of those whom Frame.io invites to each link.",
    )
    passphrase: SecretStr | None = Field(
        default=None, min_length=1, max_length=255, description="What a link asks for."
    )
    downloads: bool = Field(default=False, description="Whether the clips may be downloaded.")

    @model_validator(mode="after")
    def _opens_for_somebody(self) -> Self:
        for address in self.reviewers:
            if not re.match(EMAIL, address):
                raise ValueError("reviewers: each is one e-mail address")
        if self.access == "secure" and not self.reviewers:
            raise ValueError("a secure link opens for reviewers only, and there are none")
        return self


class RetryPolicy(BaseModel):
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

    @property
    def delays(self) -> list[float]:
        """Seconds between the attempts: twice as long each time, a minute at most."""
        return [min(60.0, self.poll * 2**number) for number in range(8)]


_NO_LIMIT = {"", "none", "0"}
_LEAST = 10_000
# Not Mb: some mean bits by it, others bytes.
_RATE = re.compile(r"(\d+(?:\.\d+)? ?[kKMG]?i?(?:B|[Bb]it)) ?/ ?s", re.ASCII)
_BYTES = TypeAdapter(ByteSize)


@lru_cache
def bytes_a_second(rate: str) -> int | None:
    """What `50 MB/s`, `400 Mbit/s` or `20MiB/s` means; None for no limit. Raises ValueError."""
    if rate.strip().lower() in _NO_LIMIT:
        return None
    if not (found := _RATE.fullmatch(rate.strip())):
        raise ValueError('write "50 MB/s" (bytes), "400 Mbit/s" (bits), or "none"')
    rate_ = int(_BYTES.validate_python(found[1]))
    if 0 < rate_ < _LEAST:
        raise ValueError("less than 10 kB/s carries no clip")
    return rate_ or None


def _is_rate(rate: Any) -> str:
    bytes_a_second(str(rate))
    return str(rate)


def _is_time(given: Any) -> Any:
    if isinstance(given, time) or re.fullmatch(r"\d\d:\d\d(:\d\d)?", str(given), re.ASCII):
        return given
    raise ValueError('write "08:00": hours and minutes of this machine\'s local time')


Rate = Annotated[str, BeforeValidator(_is_rate)]
LocalTime = Annotated[time, BeforeValidator(_is_time)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)


class LimitedHours(BaseModel):
    """Hours with a limit of their own, by the machine's local time; over midnight where they end
    before they begin, and a whole day where they end as they begin.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)

    start: LocalTime = Field(alias="from", description="As 08:00, local time.")
    to: LocalTime = Field(description="As 19:00; the limit no longer holds then.")
    limit: Rate = Field(description="As of the studio.")
    days: tuple[Day, ...] = Field(
        default=DAYS, description="Days on which they begin: mon, tue, wed, thu, fri, sat, sun."
    )

    def include(self, now: datetime) -> bool:
        if self.start < self.to:
            return self.start <= now.time() < self.to and self._begin_on(now)
        if now.time() >= self.start:
            return self._begin_on(now)
        return now.time() < self.to and self._begin_on(now - timedelta(days=1))

    def _begin_on(self, day: datetime) -> bool:
        return DAYS[day.weekday()] in self.days


def limit_at(now: datetime, limit: str, hours: tuple[LimitedHours, ...]) -> int | None:
    """Bytes a second that may leave, None for all: by the first hours that include `now`, else by
    `limit`.
    """
    of_the_hour = (each.limit for each in hours if each.include(now))
    return bytes_a_second(next(of_the_hour, limit))
