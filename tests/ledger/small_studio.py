"""A run of a studio in one process that can be killed at any moment, and the world it changes.

The world is a file of lines, each written whole or not at all: it knows what a killed run did.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from postflow.errors import Retry
from postflow.ledger import (
    Announcement,
    Claimed,
    Ledger,
    StaleClaim,
    State,
    Target,
    claims,
    known_ids,
    leases,
    outbox,
    transitions,
)
from postflow.ledger.transaction import Transaction

Line = dict[str, Any]

BATCH = 5


class World:
    """Frame.io and Discord, as far as a ledger cares: they keep what they were given."""

    def __init__(self, path: Path, mortal: Mortal) -> None:
        self._path = path
        self._mortal = mortal

    def add(self, **line: Any) -> None:
        """An effect. One may be killed before it, or after it with nothing written down."""
        self._mortal.moment()
        add_line(self._path, line)
        self._mortal.moment()

    def find(self, **wanted: Any) -> Line | None:
        found = (line for line in read_lines(self._path) if wanted.items() <= line.items())
        return next(found, None)


class Mortal(Ledger):
    """A ledger whose process dies at the n-th moment: around a commit or around an effect."""

    moments = 0
    die_at: int | None = None

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        with super().writing() as tx:
            yield tx
            self.moment()
        self.moment()

    def moment(self) -> None:
        self.moments += 1
        if self.moments == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)


def add_line(path: Path, line: Line) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, json.dumps(line).encode() + b"\n")
    os.close(descriptor)


def read_lines(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def work(where: str, world_path: Path, run_id: str, die_at: int | None = None) -> None:
    """One life: finish what dead runs left, deliver all that is ready, announce it."""
    with Mortal.open(where) as ledger:
        ledger.die_at = die_at
        world = World(world_path, ledger)
        leases.start(ledger, run_id)
        leases.recover(ledger)
        while taken := claims.claim(ledger, run_id, limit=BATCH):
            for claim in taken:
                travel(ledger, world, claim)
            announce(ledger, world, run_id)
        announce(ledger, world, run_id)
        leases.end(ledger, run_id)


def only_claim(where: str, run_id: str, meeting: Barrier) -> None:
    """Take clips, a few at a time, until there are none; stay alive until the others have too."""
    with Ledger.open(where) as ledger:
        meeting.wait(timeout=90)
        claims.claim(ledger, run_id, limit=3, lease_seconds=3600)
        meeting.wait(timeout=90)
        while claims.claim(ledger, run_id, limit=3, lease_seconds=3600):
            pass
        meeting.wait(timeout=90)


def travel(ledger: Mortal, world: World, claim: Claimed) -> None:
    """From whatever state the clip is in to done; an intent that was found is settled by asking."""
    stack = claim.name.rpartition("_")[0]
    if claim.state in (State.READY, State.REQUESTING):
        claim = request(ledger, world, claim, stack)
    if claim.state is State.REQUESTED:
        claim = transitions.arrived(ledger, claim)
    if claim.state in (State.ARRIVED, State.STACKING):
        claim = put_on_stack(ledger, world, claim, stack)
    assert claim.file_id is not None
    text = {"content": f"{claim.name}: {claim.file_id}"}
    transitions.done(
        ledger, claim, announce=Announcement(key=f"clip:{claim.clip_id}", channel="c", payload=text)
    )


def request(ledger: Mortal, world: World, claim: Claimed, stack: str) -> Claimed:
    there = world.find(kind="file", name=claim.name) if claim.state is State.REQUESTING else None
    if there is not None:
        return transitions.requested(ledger, claim, there["id"], adopted=True)
    target = Target(
        account_id="a", project_id="p", folder_id="f", folder="F", stack=stack, version_number=1
    )
    claim = transitions.intend_request(ledger, claim, target, way="tunnel")
    file_id = f"{claim.name}#{os.urandom(4).hex()}"
    world.add(kind="file", name=claim.name, id=file_id)
    return transitions.requested(ledger, claim, file_id)


def put_on_stack(ledger: Mortal, world: World, claim: Claimed, stack: str) -> Claimed:
    again = claim.state is State.STACKING
    claim = intend_stack(ledger, claim)
    there = world.find(kind="stacked", file=claim.file_id) if again else None
    if there is None:
        # the world is asked here too: a dead run may have made the stack and told nobody
        made = world.find(kind="stacked", name=stack)
        stack_id = made["id"] if made else f"{stack}#{os.urandom(4).hex()}"
        there = {"id": stack_id}
        world.add(kind="stacked", name=stack, id=stack_id, file=claim.file_id)
    return known_ids.stacked(ledger, claim, there["id"])


def intend_stack(ledger: Mortal, claim: Claimed) -> Claimed:
    while True:
        try:
            return known_ids.intend_stack(ledger, claim)
        except Retry:
            time.sleep(0.002)


def announce(ledger: Mortal, world: World, run_id: str) -> None:
    for message in outbox.due(ledger):
        try:
            sending = outbox.sending(ledger, message, run_id)
        except StaleClaim:
            continue
        world.add(kind="message", key=sending.key, payload=sending.payload)
        outbox.sent(ledger, sending, f"message of {sending.key}")
