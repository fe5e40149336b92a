"""What Discord has not got, or may not have got, as `status` and `up` tell of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from postflow.language import counted
from postflow.service.console import out

if TYPE_CHECKING:
    from postflow.ledger import MessageState, Unannounced

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
    from postflow.ledger import MessageState

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
    """What a person can do, with the command as it has to be typed for this studio."""
    text = _remedy(message, studio)
    return text if studio == "main" else text.replace(AGAIN, f"{AGAIN[:-1]} --studio {studio}`")


def _remedy(message: Unannounced, studio: str) -> str:
    from postflow.ledger import MessageState

    if message.state is MessageState.UNKNOWN:
        return (
            f"Look into the channel. Where it is missing, {AGAIN} sends it again; `--told` in its "
            "place says that it is there."
        )
    if message.state is MessageState.FAILED:
        hint = message.hint or ""
        return hint if AGAIN in hint else f"{hint} {AGAIN} sends it again.".strip()
    if message.channel != studio:
        return "The next `postflow upload` that is given the same other webhook sends it."
    return message.hint or "`postflow up` sends it; `postflow check` tries the webhook."


def _headline(state: MessageState, number: int, reason: str) -> str:
    from postflow.ledger import MessageState

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
