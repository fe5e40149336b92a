"""What goes wrong at a studio, each kind as the events it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from random import Random
from typing import get_args

from tests.crash.killing import Death
from tests.crash.killing import Moment as Instant
from tests.crash.studio_life.script import Doom, Event, Fault, Strike, Trouble, VolumeAway

Maker = Callable[[Random], list[Event]]

FRAMEIO = ("projects.*", "folders.*", "files.*", "version_stacks.*")


def outage(service: str, *faults: Fault, share: float = 0.5) -> Maker:
    """Begins in the first half of the hour and lasts for about that share of it."""

    def make(luck: Random) -> list[Event]:
        at = luck.uniform(0.05, 0.45)
        until = min(1.0, at + luck.uniform(0.6, 1.0) * share)
        return [Trouble(at=at, until=until, service=service, faults=faults)]

    return make


def strike(kind: str) -> Maker:
    return lambda luck: [Strike.model_validate({"kind": kind, "at": luck.uniform(0.1, 0.9)})]


def volume_away(luck: Random) -> list[Event]:
    at = luck.uniform(0.1, 0.5)
    return [VolumeAway(at=at, until=at + luck.uniform(0.1, 0.4))]


def doom(*steps: str) -> Maker:
    """One of the steps, the first or second time that a run comes to it."""

    def make(luck: Random) -> list[Event]:
        death = Death(
            at=luck.choice(steps), nth=luck.randint(1, 2), moment=luck.choice(get_args(Instant))
        )
        return [Doom(at=luck.uniform(0.0, 0.7), death=death)]

    return make


def frameio(what: str, *, times: int | None = None, **options: int) -> list[Fault]:
    return [Fault(what=what, where=w, times=times, options=options) for w in FRAMEIO]


def lost(where: str) -> Fault:
    return Fault(what="lost_answer", where=where, times=1)


def expired(where: str) -> Fault:
    """All access tokens turn bad when somebody calls there."""
    return Fault(what="token_expiry", where=where, times=1)


def once(what: str, where: str, times: int = 1, **options: float) -> Fault:
    return Fault(what=what, where=where, times=times, options=options)


AGENT_TROUBLES: tuple[Maker, ...] = (
    outage("agent crash", once("agent_crash", "agent")),
    outage("agent new address", once("new_address", "agent")),
    outage("agent refused", once("agent_refuse", "agent", code=108)),
    strike("kill agents"),
)
"""These need an hour with the ngrok stand-in."""

TROUBLES: tuple[Maker, ...] = (
    outage("frameio 503", *frameio("status", code=503), share=0.3),
    outage("frameio 429", *frameio("rate_limited", times=2)),
    outage("frameio lost upload", lost("files.remote_upload"), lost("files.remote_upload")),
    outage("frameio lost folder", lost("folders.create"), lost("version_stacks.create")),
    outage("frameio lost move", lost("files.move"), lost("files.delete")),
    outage("frameio upload failed", once("upload_failed", "fetch", 2)),
    outage("frameio slow to fetch", once("delay", "fetch", 2, seconds=3)),
    outage("frameio cut", once("cut", "fetch", 1, after_bytes=50_000)),
    outage("adobe tokens expire", expired("files.remote_upload")),
    outage("adobe 503", expired("files.show"), once("status", "ims.token", 2, code=503)),
    outage("discord 429", once("rate_limited", "discord.*", 4, retry_after=0.3)),
    outage("discord lost answer", lost("discord.post"), lost("discord.patch")),
    outage("discord away", Fault(what="reset", where="discord.*"), share=0.3),
    outage("discord 503", once("status", "discord.*", 2, code=503)),
    volume_away,
    strike("kill"),
    strike("stop"),
    doom("clip requested", "clip arrived"),
    doom("clip stacking", "clip stacked", "stack held"),
    doom("clip claimed", "clip requesting", "clip done", "message sending", "message sent"),
    strike("second run"),
)


def deal(makers: Sequence[Maker], hours: int, hands: int, luck: Random) -> list[list[Event]]:
    """The events of each hour: `hands` kinds each, and every kind at least once if it fits."""
    deck: list[Maker] = []
    while len(deck) < max(hours * hands, len(makers)):
        deck += luck.sample(makers, len(makers))
    dealt: list[list[Event]] = [[] for _ in range(hours)]
    last = max(hours * hands, len(makers))
    for number, maker in zip(cycle(range(hours)), deck[:last], strict=False):
        dealt[number] += maker(luck)
    return dealt
