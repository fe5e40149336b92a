"""What `postflow up` says at its terminal: clips whose journey has ended, messages not told."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import SecretStr
from rich.markup import escape

from postflow.discord.cards import counted
from postflow.errors import PostFlowError
from postflow.ledger import Clip, Ledger, MessageState, Phase, Unannounced, outages, outbox, queries
from postflow.service.console import err, out

NAMED = 5
AGAIN = "`postflow retry --messages`"


def tell_unannounced(messages: Iterable[Unannounced], *, studio: str) -> None:
    """A warning for each reason, with what to do and whom it is about."""
    alike: defaultdict[tuple[MessageState, str, str], list[str]] = defaultdict(list)
    for each in messages:
        alike[each.state, each.reason or "", remedy(each, studio)].append(each.about)
    for (state, reason, what_to_do), names in alike.items():
        out.print(f"[yellow]![/yellow] {escape(_headline(state, len(names), reason))}")
        out.print(f"  → {what_to_do}", markup=False)
        out.print(f"    {_named(names)}", markup=False)


def unannounced_as_json(messages: Sequence[Unannounced], *, studio: str) -> dict[str, Any]:
    counts = Counter(each.state for each in messages)
    return {
        "failed": counts[MessageState.FAILED],
        "unknown": counts[MessageState.UNKNOWN],
        "waiting": counts[MessageState.PENDING],
        "messages": [
            each.model_dump(mode="json") | {"hint": remedy(each, studio)} for each in messages
        ],
    }


def remedy(message: Unannounced, studio: str) -> str:
    """With the command as it has to be typed for this studio."""
    told = _remedy(message, studio)
    return told if studio == "main" else told.replace(AGAIN, f"{AGAIN[:-1]} --studio {studio}`")


def _remedy(message: Unannounced, studio: str) -> str:
    elsewhere = message.channel != studio
    if message.state is MessageState.UNKNOWN:
        return (
            f"Look into the channel. Where it is missing, {AGAIN} sends it again; `--told` in its "
            "place says that it is there."
        )
    if message.state is MessageState.FAILED:
        hint = message.hint or ""
        return hint if AGAIN in hint else f"{hint} {AGAIN} sends it again.".strip()
    if elsewhere:
        return "The next `postflow upload` that is given the same other webhook sends it."
    return message.hint or "`postflow up` sends it; `postflow check` tries the webhook."


def _headline(state: MessageState, number: int, reason: str) -> str:
    some = counted(number, "message")
    if state is MessageState.FAILED:
        return f"Discord has refused {some}: {reason}"
    if state is MessageState.UNKNOWN:
        return f"{some} may be missing in Discord: {reason}"
    waits = "waits" if number == 1 else "wait"
    return f"{some} {waits} for Discord: {reason or 'nothing has come to send what is new.'}"


def _named(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f", … and {more} more" if more > 0 else "")


MARKS = {
    Phase.DELIVERED: "[green]✓[/green]",
    Phase.SKIPPED: "[yellow]![/yellow]",
    Phase.FAILED: "[red]✗[/red]",
}


class News:
    """Of one studio. What had ended before the first `tell` is no news."""

    def __init__(self, studio: str, where: SecretStr | None) -> None:
        self._studio = studio
        self._where = where
        self._ledger: Ledger | None = None
        self._last: int | None = None
        self._silent = False
        self._unannounced: set[tuple[str, str, str | None]] = set()
        self._outages: set[str] = set()

    def tell(self) -> None:
        """Print what is new. A ledger that is away for a while is said once."""
        try:
            self._ledger = self._ledger or Ledger.open(self._where)
            self._last, clips = queries.endings(self._ledger, self._studio, after=self._last)
            unannounced = outbox.unannounced(self._ledger, self._studio)
            held_up = outages.current(self._ledger, self._studio)
        except PostFlowError as error:
            if error.code == "ledger.replaced":
                self._last = None
            if not self._silent:
                err.print(f"[yellow]![/yellow] {escape(str(error))}")
            self._silent = True
            return
        self._silent = False
        for clip in clips:
            _tell(clip)
        tell_unannounced(self._new(unannounced), studio=self._studio)
        for code, reason in held_up.items():
            if code not in self._outages:
                told = f"Clips wait, and go by themselves once it is mended: {reason}"
                err.print(f"[yellow]![/yellow] {escape(told)}")
        self._outages = set(held_up)

    def _new(self, messages: list[Unannounced]) -> list[Unannounced]:
        """Each once, for as long as it is so."""
        told, self._unannounced = (
            self._unannounced,
            {(each.key, each.state, each.code) for each in messages},
        )
        return [each for each in messages if (each.key, each.state, each.code) not in told]

    def close(self) -> None:
        if self._ledger:
            self._ledger.close()


def _tell(clip: Clip) -> None:
    mark = MARKS.get(clip.phase)
    if mark is None:  # it has been taken up again meanwhile
        return
    told = f" {clip.view_url}" if clip.phase is Phase.DELIVERED else f": {clip.reason}"
    when = f"{clip.since.astimezone():%H:%M}"
    out.print(f"{mark} {when} {escape(clip.relpath + told)}")
    if clip.phase is not Phase.DELIVERED:
        out.print(f"        → {clip.hint}", markup=False)
