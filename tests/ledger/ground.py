"""What every ledger test stands on: a clock that is set by hand, files, a place to go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from postflow.errors import Fatal, Retry, Skip
from postflow.ledger import (
    Claimed,
    Ledger,
    Root,
    Target,
    claims,
    leases,
    observations,
    registry,
    stack_queue,
    transitions,
)
from postflow.ledger.observations import ignore_backlog
from postflow.ledger.schema import metadata
from postflow.media.sighting import Sighting
from postflow.models import MediaFile

MISNAMED = Skip("No rule knows this name.", hint="Rename it.", code="naming.no_rule")
GONE = Skip("There is no such file.", hint="Mount the volume.", code="file.missing")
BROKEN = Fatal("The folder was deleted.", hint="Make it again.", code="frameio.no_folder")
BUSY = Retry("It was not fetched.", hint="It is tried again.", code="frameio.upload_failed")
CHANGED = Skip("The file changed.", hint="It is sent anew.", code="file.changed")


@dataclass(frozen=True)
class Shared:
    """A database that the session's tests have one after the other, each finding it empty."""

    where: str
    engine: Engine


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name != "meta":
                connection.execute(table.delete())


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def outlive(ledger: Ledger, clock: Clock, seconds: float = 61) -> None:
    """Time passes in which one run renews, so that of another, which does not, all is known."""
    for _ in range(4):
        clock.forward(seconds / 4)
        leases.start(ledger, "alive")


def target(stack: str = "SQ07_00152", version: int | None = 1) -> Target:
    return Target(
        account_id="account",
        project_id="project",
        folder_id="folder",
        folder="2_FROM_ANIM/SQ07",
        stack=stack,
        version_number=version,
        version_key=str(version),
    )


def sighting(root: Root, relpath: str, *, size: int = 1000, mtime_ns: int = 10**18) -> Sighting:
    return Sighting(relpath=relpath, path=root.path / relpath, size=size, mtime_ns=mtime_ns)


def media(
    root: Root, relpath: str, *, content: str = "a", size: int = 1000, mtime_ns: int = 10**18
) -> MediaFile:
    return MediaFile(path=root.path / relpath, size=size, mtime_ns=mtime_ns, fingerprint=content)


def add(ledger: Ledger, root: Root, relpath: str, *, content: str = "a", size: int = 1000) -> int:
    """See a file and find it whole; returns its clip's id."""
    observations.observe(ledger, root, [sighting(root, relpath, size=size)])
    registered = registry.register(ledger, root, media(root, relpath, content=content, size=size))
    assert registered is not None
    return registered.clip_id


def set_aside(ledger: Ledger, root: Root, before: datetime | None = None) -> int:
    """As a backlog that a person does not want."""
    with ledger.writing() as tx:
        return ignore_backlog(tx, root, before)


def add_many(ledger: Ledger, root: Root, count: int) -> list[int]:
    return [add(ledger, root, f"SQ07_{number:03}_v001.mov") for number in range(count)]


def claim_one(ledger: Ledger, run_id: str = "run-1", *, lease_seconds: float = 60) -> Claimed:
    (claim,) = claims.claim(ledger, run_id, limit=1, lease_seconds=lease_seconds)
    return claim


def take_stack(ledger: Ledger, run_id: str = "run-1") -> Claimed:
    claim = stack_queue.take_next(ledger, run_id)
    assert claim is not None
    return claim


def bring_to_requested(ledger: Ledger, claim: Claimed, file_id: str = "file-1") -> Claimed:
    claim = transitions.intend_request(ledger, claim, target(), way="tunnel", exposure="e1")
    return transitions.requested(
        ledger, claim, file_id, view_url=f"https://next.frame.io/{file_id}"
    )


def bring_to_arrived(ledger: Ledger, claim: Claimed, file_id: str = "file-1") -> Claimed:
    return transitions.arrived(ledger, bring_to_requested(ledger, claim, file_id))
