"""One message about many clips: a batch, or names that no rule reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from postflow.errors import PostFlowError
from postflow.language import _, human_size, ngettext, shortened
from postflow.ledger import Batch, BatchClip, State

from .card import MAX_DESCRIPTION, MAX_VALUE, Card, plain
from .cards import FAILED, GUESTS, LONGEST_VALUE, share_text, web_link

BATCH = 0x0099FF

_LISTED = 25
_LONGEST_NAME = 120
_LONGEST_WHY = 240
_LONGEST_LINK = 120
_ROOM = MAX_DESCRIPTION - 100

MOST_NAMES = _ROOM // (_LONGEST_NAME + _LONGEST_WHY + len("❌ : \n"))
"""Most names that no rule reads in one message: they have room however long they are."""


def batch_card(batch: Batch) -> Card:
    """Blue: what has become of each clip. What went wrong is spelled out first.

    It shows the picture of the clip that was delivered first, which no later one replaces.
    """
    failed = _in(batch, State.FAILED)
    skipped = _in(batch, State.SKIPPED)
    delivered = [clip for clip in batch.clips if clip.delivered]
    waiting = len(batch.clips) - len(failed) - len(skipped) - len(delivered)
    put_off = [clip for clip in batch.clips if clip.finished_at is None and clip.reason]
    lines = [f"❌ {_reason_line(clip)}" for clip in [*failed, *skipped]]
    lines += [f"⏳ {_reason_line(clip)}" for clip in put_off]
    lines += [_ready_line(clip) for clip in sorted(delivered, key=_is_doubtful, reverse=True)]
    size = human_size(sum(clip.size for clip in delivered))
    first = min(delivered, key=lambda clip: clip.finished_at or batch.opened_at, default=None)
    counts = [(_("Delivered"), f"{len(delivered)} ({size})" if delivered else "0")]
    counts += [(_("Failed"), str(len(failed)))] if failed else []
    counts += [(_("Skipped"), str(len(skipped)))] if skipped else []
    counts += [(_("Waiting"), str(waiting))] if waiting else []
    return Card(
        title=_batch_title(len(batch.clips), len(delivered), waiting),
        colour=BATCH,
        description=_listed(lines),
        lines=(*counts, (_("Project"), plain(batch.project, LONGEST_VALUE)), *_share_lines(batch)),
        picture=first and first.revision,
        notifies=bool(delivered) and not waiting,
        sequences=tuple(sorted({clip.sequence for clip in delivered if clip.sequence})),
        at=max((clip.finished_at for clip in batch.clips if clip.finished_at), default=None),
    )


def _share_lines(batch: Batch) -> list[tuple[str, str]]:
    """The links for those who are no members, the newest first, as many as there is room for."""
    shown: dict[str, str] = {}
    for link in reversed(batch.links):
        if url := web_link(link.url.get_secret_value()):
            label = _(GUESTS[link.access])
            text = "\n".join([*filter(None, [shown.get(label)]), share_text(link, url)])
            if len(text) <= MAX_VALUE:
                shown[label] = text
    return list(shown.items())


def skipped_card(skipped: Mapping[str, PostFlowError]) -> Card:
    """Red: names that no rule reads, each with what would be right."""
    title = ngettext(
        "%(num)s clip has a name PostFlow does not know",
        "%(num)s clips have names PostFlow does not know",
        len(skipped),
    )
    lines = ["❌ " + _line(name, " ".join(why.told)) for name, why in skipped.items()]
    return Card(
        title=title % {"num": len(skipped)},
        colour=FAILED,
        description=_listed(lines),
        at=datetime.now(UTC),
    )


def _in(batch: Batch, state: State) -> list[BatchClip]:
    return [clip for clip in batch.clips if clip.state is state]


def _batch_title(clips: int, delivered: int, waiting: int) -> str:
    if waiting:
        title = ngettext("%(num)s clip is on the way", "%(num)s clips are on the way", clips)
    elif not delivered:
        title = ngettext(
            "%(num)s clip was not delivered", "%(num)s clips were not delivered", clips
        )
    elif delivered == clips:
        title = ngettext(
            "%(num)s clip is ready for review", "%(num)s clips are ready for review", clips
        )
    else:  # several clips, as some of them are not delivered
        title = ngettext(
            "%(some)s of %(num)s clips is ready for review",
            "%(some)s of %(num)s clips are ready for review",
            delivered,
        )
    return title % {"num": clips, "some": delivered}


def _reason_line(clip: BatchClip) -> str:
    return _line(clip.name, f"{clip.reason or ''} {clip.hint or ''}")


def _line(name: str, why: str) -> str:
    return _("%(name)s: %(why)s") % {
        "name": plain(name, _LONGEST_NAME),
        "why": plain(why, _LONGEST_WHY),
    }


def _is_doubtful(clip: BatchClip) -> bool:
    return clip.namesake is not None and not clip.namesake.is_same_path


def _ready_line(clip: BatchClip) -> str:
    """Two files of one name and version come first, in few words."""
    if clip.namesake is None:
        return f"✅ {_link(clip)}"
    if clip.namesake.is_same_path:
        return _("✅ %(clip)s: exported again") % {"clip": _link(clip)}
    where = plain(clip.namesake.relpath, _LONGEST_NAME)
    told = _("⚠️ %(clip)s: other content of this name and version came from %(where)s")
    return told % {"clip": _link(clip), "where": where}


def _link(clip: BatchClip) -> str:
    name, link = plain(clip.name, _LONGEST_NAME), web_link(clip.view_url or "")
    named = f"[{name}]({link})" if link and len(link) < _LONGEST_LINK else name
    told = _("Please check: the file %(doubt)s.") % {"doubt": clip.doubt}
    doubt = plain(told, _LONGEST_WHY) if clip.doubt else ""
    return f"{named} {doubt}".rstrip()


def _listed(lines: list[str]) -> str | None:
    shown = lines[:_LISTED]
    while len("\n".join(shown)) > _ROOM:
        shown.pop()
    more = len(lines) - len(shown)
    shown += [_("… and %(more)s more") % {"more": more}] if more else []
    return shortened("\n".join(shown), MAX_DESCRIPTION) or None
