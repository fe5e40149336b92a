"""A studio's life as plain data: days of hours of events. `at` is a share of the hour, 0 to 1."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from postflow.models import FrozenModel
from tests.crash.killing import Death

Share = Annotated[float, Field(ge=0, le=1)]


class Content(FrozenModel):
    """The bytes of one export: the shipped clip and `pad` bytes of media that `salt` makes."""

    salt: int
    pad: int


class ClipName(FrozenModel):
    """What an artist calls a version of a shot, and where that has to arrive."""

    sequence: int
    shot: int
    version: int

    @property
    def family(self) -> str:
        return f"SQ{self.sequence:02}_UNDLM_{self.shot:05}"

    @property
    def name(self) -> str:
        return f"{self.family}_v{self.version:03}.mov"

    @property
    def folder(self) -> str:
        return f"2_FROM_ANIM/SQ{self.sequence:02}/UNDLM_{self.shot:05}"


class Export(FrozenModel):
    """A version of a shot, new or once more, below the watched folder's `folder`."""

    kind: Literal["export"] = "export"
    at: Share
    clip: ClipName
    folder: str = ""
    content: Content
    way: Literal["moved", "slow", "in place"]
    until: Share = 1.0

    @property
    def relpath(self) -> str:
        return f"{self.folder}/{self.clip.name}".lstrip("/")


class Batch(FrozenModel):
    """A folder that was rendered elsewhere and is moved in as a whole."""

    kind: Literal["batch"] = "batch"
    at: Share
    exports: tuple[Export, ...]

    @property
    def folder(self) -> str:
        return self.exports[0].folder


class Stray(FrozenModel):
    """A file that is no finished clip. `misnamed`: a whole one whose name nobody knows.

    `kept`: the share of the content that is there, and ever will be.
    """

    kind: Literal["stray"] = "stray"
    at: Share
    name: str
    content: Content
    kept: Share = 1.0
    misnamed: bool = False


class Removal(FrozenModel):
    """The studio makes room: it deletes the file, delivered or not."""

    kind: Literal["removal"] = "removal"
    at: Share
    relpath: str


class Trouble(FrozenModel):
    """Faults of the outside world, armed `at` and mended at `until`."""

    kind: Literal["trouble"] = "trouble"
    at: Share
    until: Share
    service: str
    faults: tuple[Fault, ...]


class Fault(FrozenModel):
    """As the sandbox takes it. `times` None: until it is mended."""

    what: str
    where: str
    times: int | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class VolumeAway(FrozenModel):
    """The watched volume is not mounted here; others go on working on it."""

    kind: Literal["volume away"] = "volume away"
    at: Share
    until: Share
    service: Literal["volume"] = "volume"


class Strike(FrozenModel):
    """Something happens to our own processes: to an `ingest`, or to the agents."""

    kind: Literal["kill", "stop", "second run", "kill agents"]
    at: Share


class Doom(FrozenModel):
    """The next `ingest` that is started dies right at one of its steps."""

    kind: Literal["doom"] = "doom"
    at: Share
    death: Death


Event = Annotated[
    Export | Batch | Stray | Removal | Trouble | VolumeAway | Strike | Doom,
    Field(discriminator="kind"),
]


class Hour(FrozenModel):
    """`seconds` is how long it takes here; `manned`: somebody has PostFlow running."""

    name: str
    seconds: float
    manned: bool
    tunnel: Literal["loopback", "ngrok"] = "loopback"
    idle_timeout: float
    events: tuple[Event, ...]


class Script(FrozenModel):
    """Days of hours. The person at the studio looks at what failed once a day."""

    seed: int
    days: tuple[tuple[Hour, ...], ...]

    @property
    def hours(self) -> list[Hour]:
        return [hour for day in self.days for hour in day]

    @property
    def events(self) -> list[Event]:
        return [event for hour in self.hours for event in hour.events]


Trouble.model_rebuild()
