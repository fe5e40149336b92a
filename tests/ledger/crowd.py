"""Somebody who does anything to a ledger, much of it at the wrong moment."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

from postflow.errors import Retry
from postflow.ledger import (
    Announcement,
    Claimed,
    IllegalMove,
    Ledger,
    Root,
    StaleClaim,
    claims,
    export,
    known_ids,
    leases,
    observations,
    outbox,
    registry,
    retrying,
    roots,
    transitions,
    unannounced,
)
from tests.ledger.ground import BROKEN, CHANGED, GONE, media, sighting, target

PATHS = [f"shot{number}.mov" for number in range(6)]
TINY_LEASE = 0.01
STEPS = 40


def jostle(where: str, seed: int) -> None:
    """Fails if the database ever says that two writers stood in each other's way."""
    luck = random.Random(seed)
    with Ledger.open(where) as ledger:
        root = roots.add(ledger, "main", Path("/mnt/show"))
        for _ in range(STEPS):
            act = luck.choice((_scan, _work, _work, _tidy, _announce))
            with suppress(StaleClaim, IllegalMove):
                act(ledger, root, luck, f"run-{seed}")


def _scan(ledger: Ledger, root: Root, luck: random.Random, _run: str) -> None:
    paths = luck.sample(PATHS, 4)
    observations.observe(ledger, root, [sighting(root, path) for path in paths], gone=PATHS[:1])
    observations.set_notes(ledger, root, dict.fromkeys(paths, "Its end is missing."))
    for path in paths:
        registry.register(ledger, root, media(root, path, content=luck.choice("abc")))


def _work(ledger: Ledger, _root: Root, luck: random.Random, run: str) -> None:
    for claim in claims.claim(ledger, run, limit=3, lease_seconds=luck.choice([TINY_LEASE, 5])):
        with suppress(StaleClaim):
            _end(ledger, claim, luck)


def _end(ledger: Ledger, claim: Claimed, luck: random.Random) -> None:
    announcement = Announcement(key=luck.choice(PATHS), channel="c", payload={"n": luck.random()})
    end = luck.randrange(5)
    if end == 0:
        with suppress(IllegalMove):
            transitions.supersede(ledger, claim, CHANGED)
    elif end == 1:
        with suppress(IllegalMove):
            transitions.skip(ledger, claim, GONE, announce=announcement)
    elif end == 2:
        wait = Retry("Later.", hint="Wait.", code="x", retry_after=0.0)
        transitions.postpone(ledger, claim, wait, announce=announcement)
    elif end == 3:
        with suppress(IllegalMove):
            transitions.fail(ledger, claim, BROKEN, announce=announcement)
    else:
        _deliver(ledger, claim, announcement)


def _deliver(ledger: Ledger, claim: Claimed, announcement: Announcement) -> None:
    with suppress(IllegalMove):
        claim = transitions.requested(
            ledger, transitions.intend_request(ledger, claim, target(), way="tunnel"), "file"
        )
        claim = transitions.arrived(ledger, claim)
    try:
        claim = known_ids.stacked(ledger, known_ids.intend_stack(ledger, claim), "stack")
    except Retry as busy:
        if busy.code != "ledger.stack_busy":
            raise
    transitions.done(ledger, claim, announce=announcement)


def _tidy(ledger: Ledger, _root: Root, luck: random.Random, run: str) -> None:
    luck.choice(
        (
            lambda: leases.recover(ledger),
            lambda: leases.end(ledger, run),
            lambda: leases.renew(ledger, run),
            lambda: retrying.retry(ledger),
            lambda: retrying.retry(ledger, luck.choice(PATHS)),
            lambda: unannounced.resend(ledger, "c"),
            lambda: list(export.lines(ledger)),
        )
    )()


def _announce(ledger: Ledger, _root: Root, luck: random.Random, run: str) -> None:
    leases.start(ledger, run, lease_seconds=luck.choice([TINY_LEASE, 5]))
    for message in outbox.due(ledger, limit=3):
        with suppress(StaleClaim):
            sending = outbox.sending(ledger, message, run)
            if luck.random() < 0.5:
                outbox.sent(ledger, sending, "m")
