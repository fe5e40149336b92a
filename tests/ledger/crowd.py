"""Somebody who does anything to a ledger, much of it at the wrong moment."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

from postflow.errors import Retry
from postflow.ledger import Claimed, Draft, IllegalMove, Ledger, Root, StaleClaim
from tests.ledger.ground import BROKEN, CHANGED, GONE, media, sighting, target

PATHS = [f"shot{number}.mov" for number in range(6)]
TINY_LEASE = 0.01
STEPS = 80


def jostle(where: str, seed: int) -> None:
    """Fails if the database ever says that two writers stood in each other's way."""
    luck = random.Random(seed)
    with Ledger.open(where) as ledger:
        root = ledger.root("main", Path("/mnt/show"))
        for _ in range(STEPS):
            act = luck.choice((_scan, _work, _work, _tidy, _announce))
            with suppress(StaleClaim, IllegalMove):
                act(ledger, root, luck, f"run-{seed}")


def _scan(ledger: Ledger, root: Root, luck: random.Random, _run: str) -> None:
    paths = luck.sample(PATHS, 4)
    ledger.observe(root, [sighting(root, path) for path in paths], gone=PATHS[:1])
    ledger.not_yet(root, dict.fromkeys(paths, "Its end is missing."))
    for path in paths:
        ledger.register(root, media(root, path, content=luck.choice("abc")))


def _work(ledger: Ledger, _root: Root, luck: random.Random, run: str) -> None:
    for claim in ledger.claim(run, limit=3, lease_seconds=luck.choice([TINY_LEASE, 5])):
        with suppress(StaleClaim):
            _end(ledger, claim, luck)


def _end(ledger: Ledger, claim: Claimed, luck: random.Random) -> None:
    draft = Draft(key=luck.choice(PATHS), channel="c", payload={"n": luck.random()})
    end = luck.randrange(5)
    if end == 0:
        with suppress(IllegalMove):
            ledger.supersede(claim, CHANGED)
    elif end == 1:
        with suppress(IllegalMove):
            ledger.skip(claim, GONE, announce=draft)
    elif end == 2:
        wait = Retry("Later.", hint="Wait.", code="x", retry_after=0.0)
        ledger.postpone(claim, wait, announce=draft)
    elif end == 3:
        with suppress(IllegalMove):
            ledger.fail(claim, BROKEN, announce=draft)
    else:
        _deliver(ledger, claim, draft)


def _deliver(ledger: Ledger, claim: Claimed, draft: Draft) -> None:
    with suppress(IllegalMove):
        claim = ledger.requested(ledger.intend_request(claim, target(), way="tunnel"), "file")
        claim = ledger.arrived(claim)
    try:
        claim = ledger.stacked(ledger.intend_stack(claim), "stack")
    except Retry as busy:
        if busy.code != "ledger.stack_busy":
            raise
    ledger.done(claim, announce=draft)


def _tidy(ledger: Ledger, _root: Root, luck: random.Random, run: str) -> None:
    luck.choice(
        (
            lambda: ledger.recover(run),
            lambda: ledger.recover(),
            lambda: ledger.leave(run),
            lambda: ledger.renew(run),
            lambda: ledger.retry(),
            lambda: ledger.retry(luck.choice(PATHS)),
            lambda: ledger.resend(),
            lambda: list(ledger.export()),
        )
    )()


def _announce(ledger: Ledger, _root: Root, luck: random.Random, run: str) -> None:
    ledger.enter(run, lease_seconds=luck.choice([TINY_LEASE, 5]))
    for message in ledger.due(limit=3):
        with suppress(StaleClaim):
            sending = ledger.sending(message, run)
            if luck.random() < 0.5:
                ledger.sent(sending, "m")
