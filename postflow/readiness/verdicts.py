"""What a look at a file's container can end with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from postflow.models import Moment

LONGEST_REMARK = 200


def _fit_to_print(remark: str) -> str:
    """Parts of it may come out of the file, and files are hostile input."""
    text = "".join(char if char.isprintable() else "?" for char in remark)
    return text if len(text) <= LONGEST_REMARK else f"{text[: LONGEST_REMARK - 1]}…"


Remark = Annotated[str, AfterValidator(_fit_to_print)]


class Whole(Moment):
    """The container says where it ends, the file ends there, and what its index names is there."""

    kind: Literal["whole"] = "whole"


class NotWhole(Moment):
    """Something is missing, provably. `reason` completes the sentence "The file …".

    `open_ended`: sound up to its end, but nothing in it says that this is the end. So look files
    of a killed encoder, and those of the few that never write an end. `no_media`: it is no media
    container.

    `unreadable`: nobody could look; time does not mend that, so a person hears of it at once.
    """

    kind: Literal["not_whole"] = "not_whole"
    reason: Remark
    open_ended: bool = False
    no_media: bool = False
    unreadable: bool = False


FAULT = "PostFlow met a fault of its own"


def our_fault(error: Exception) -> NotWhole:
    """What nobody has foreseen about one file is that file's trouble alone."""
    kind = type(error).__name__
    reason = f"could not be judged: {FAULT} ({kind}); please report it"
    return NotWhole(reason=reason, unreadable=True)


class Unknown(Moment):
    """Nothing is missing provably, yet something is odd; a longer quiet time has to do.

    `reason` goes along with the clip.
    """

    kind: Literal["unknown"] = "unknown"
    reason: Remark


Verdict = Whole | NotWhole | Unknown
