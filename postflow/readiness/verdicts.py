"""What a look at a file's container can end with."""

from __future__ import annotations

from typing import Literal

from postflow.models import Moment


class Whole(Moment):
    """The container says where it ends, and the file ends there."""

    kind: Literal["whole"] = "whole"


class NotWhole(Moment):
    """Something is missing. `reason` completes the sentence "The file …".

    `open_ended`: sound up to its end, but nothing in it says that this is the end. So look files
    of a killed encoder, and those of the few that never write an end.

    `unreadable`: nobody could look; time does not mend that, so a person hears of it at once.
    """

    kind: Literal["not_whole"] = "not_whole"
    reason: str
    open_ended: bool = False
    unreadable: bool = False


def our_fault(error: Exception) -> NotWhole:
    """What nobody has foreseen about one file is that file's trouble alone."""
    kind = type(error).__name__
    reason = f"could not be judged: PostFlow met a fault of its own ({kind}); please report it"
    return NotWhole(reason=reason, unreadable=True)


class Unknown(Moment):
    """The file cannot be judged by its content; a longer quiet time has to do."""

    kind: Literal["unknown"] = "unknown"
    reason: str


Verdict = Whole | NotWhole | Unknown
