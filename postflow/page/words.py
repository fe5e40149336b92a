"""The page's words for states, steps and what came of an action; times and sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from postflow.discord.card import human_duration
from postflow.errors import printable
from postflow.language import N_, _, dated, human_size
from postflow.ledger import Clip, Phase, State, Step
from postflow.ledger.models import Progress
from postflow.ledger.progress import Left
from postflow.ledger.queue import Outcome
from postflow.models import EPOCH, IN_WORDS

from .listing import Kind

# Within emoji, and within words of Persian and of India's scripts.
JOINERS = "\u200c\u200d"
WAYS = IN_WORDS | {"adopted": N_("not: it was in Frame.io already")}


def plain(text: str) -> str:
    """For people: nothing that is no character to be seen."""
    return "".join(char if char in JOINERS else printable(char) for char in text)


def kind(of: Kind) -> str:
    """A shelf's title."""
    return {
        Kind.ATTENTION: _("Needs you"),
        Kind.TRAVELS: _("On its way"),
        Kind.WAITS: _("Waits"),
        Kind.DELIVERED: _("Delivered"),
    }[of]


def nothing(of: Kind) -> str:
    """What stands on an empty shelf."""
    return {
        Kind.ATTENTION: _("Nothing failed, and nothing was skipped."),
        Kind.TRAVELS: _("Nothing travels just now."),
        Kind.WAITS: _("Nothing waits."),
        Kind.DELIVERED: _("Nothing has been delivered yet."),
    }[of]


def phase(of: Phase) -> str:
    return {
        Phase.SETTLING: _("settles"),
        Phase.REFUSED: _("not whole"),
        Phase.SET_ASIDE: _("set aside"),
        Phase.WAITING: _("waits"),
        Phase.ON_ITS_WAY: _("on its way"),
        Phase.DELIVERED: _("delivered"),
        Phase.SKIPPED: _("skipped"),
        Phase.FAILED: _("failed"),
        Phase.GONE: _("file is gone"),
        Phase.SUPERSEDED: _("replaced"),
    }[of]


def way(name: str) -> str:
    """How a clip was sent."""
    return _(WAYS.get(name, name))


def action(name: str) -> str:
    return {"retry": _("Try again"), "first": _("Put first"), "cancel": _("Cancel")}[name]


def outcome(of: Outcome) -> str:
    """What came of an action, after the clip's name."""
    return {
        Outcome.FIRST: _("goes first."),
        Outcome.FIRST_WHEN_WHOLE: _("goes first as soon as it is whole."),
        Outcome.TRAVELS: _("is on its way already."),
        Outcome.CANCELLED: _("is cancelled. “Try again” delivers it after all."),
        Outcome.CANCELLED_WHEN_WHOLE: _("will not travel. “Try again” delivers it after all."),
        Outcome.IS_STOPPED: _("is on its way; its run stops it within seconds."),
        Outcome.IS_TIDIED: _("had begun to travel; what is left of it is removed first."),
        Outcome.ALREADY: _("is being stopped already."),
    }[of]


def step(of: Step) -> str:
    """A line of a clip's history."""
    detail: Mapping[str, Any] = of.detail or {}
    told = {
        "found": _("Found whole in the watch folder"),
        "came back": _("Its file came back"),
        "claimed": _("Taken up by a run"),
        "released": _("Given back by its run"),
        "requesting": _("Frame.io is asked for a file in its folder"),
        "requested": _("Frame.io has made a file for it"),
        "resumed": _("The upload that was begun goes on"),
        "arrived": _("Whole in Frame.io, proven"),
        "stacking": _("Goes onto its version stack"),
        "stacked": _("On its version stack"),
        "stack follows": _("Delivered; its version stack follows"),
        "stack put off": _("Delivered; its version stack is tried again later"),
        "put off": _("Put off, to be tried again"),
        "done": _("Delivered"),
        "skipped": _("Skipped"),
        "failed": _("Failed"),
        "superseded": _("Replaced by a newer export"),
        "retry": _("Somebody had it tried again"),
        "redone": _("Gone from Frame.io: it travels once more"),
        "first": _("Somebody put it first"),
        "cancel asked": _("Somebody cancelled it"),
    }.get(of.event, of.event)
    if of.event == "requested" and detail.get("adopted"):
        told = _("It is in Frame.io already")
    return told


def about_step(of: Step) -> str:
    """What else is known of it, for people."""
    detail: Mapping[str, Any] = of.detail or {}
    told = [str(detail[name]) for name in ("reason", "folder", "stack") if detail.get(name)]
    return " ".join(told)


def lacks(clip: Clip) -> str:
    """What a delivery lacks: nothing, or its version stack, for now or for good."""
    if clip.state is State.DONE:
        return _("Left undone: its version stack, or its message.") if clip.reason else ""
    return _("Not yet on its version stack.") if clip.reason else _("Its version stack follows.")


def stack(clip: Clip) -> str:
    """On which version stack a delivered clip is, or why on none."""
    if (missing := lacks(clip)) or clip.stack is None or clip.version_number is None:
        return missing
    return _("Version %(number)s of %(stack)s") % {
        "number": clip.version_number,
        "stack": printable(clip.stack),
    }


def when(at: datetime) -> str:
    """By this machine's clock; the day is said where it is another."""
    here, today = at.astimezone(), datetime.now().astimezone()
    if here.date() == today.date():
        return f"{here:%H:%M}"
    return dated(here, _("%d %b %H:%M") if here.year == today.year else _("%d %b %Y"))


def day(on: date) -> str:
    return dated(on, _("%d %b"))


def exactly(at: datetime) -> str:
    return dated(at.astimezone(), _("%Y-%m-%d %H:%M:%S"))


def place(at: datetime, clip_id: int) -> str:
    """The clip after which a page of the list begins, as its address says it."""
    return f"{(at - EPOCH) // timedelta(microseconds=1)}-{clip_id}"


def size(number: float) -> str:
    return human_size(round(number))


def pace(of: Left | Progress) -> str:
    """The rate and the time left, as far as they are known."""
    if not of.rate or of.seconds is None:
        return ""
    left = human_duration(timedelta(seconds=of.seconds))
    return _("%(rate)s/s, %(time)s left") % {"rate": size(of.rate), "time": left}


FILTERS: Mapping[str, Callable[..., str]] = {
    each.__name__: each
    for each in (
        plain,
        kind,
        nothing,
        phase,
        way,
        action,
        step,
        about_step,
        stack,
        when,
        day,
        exactly,
        size,
        pace,
    )
}
