"""Which files may be sent by somebody who is not at this machine, as by a form in a browser."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from postflow.errors import Fatal

QUOTES = {('"', '"'), ("'", "'"), ("“", "”"), ("„", "“"), ("\u2018", "\u2019"), ("«", "»")}


def as_meant(path: Path) -> Path:
    """A path as people paste it: in quotes, with blanks or a line break around it, or with `~`."""
    text = str(path).strip()
    while len(text) > 1 and (text[0], text[-1]) in QUOTES:
        text = text[1:-1].strip()
    with suppress(RuntimeError):  # nobody of that name
        return Path(text).expanduser()
    return Path(text)


def allowed(path: Path, folders: Iterable[Path]) -> Path:
    """The very file below one of the folders that a path leads to, links followed. Blocking.

    Raises Fatal `clip.not_allowed` for any other, which tells nothing of what is there.
    """
    with suppress(OSError, ValueError):
        real = Path(os.path.realpath(path))
        for folder in folders:
            place = Path(os.path.realpath(folder))
            if path.is_absolute() and real != place and real.is_relative_to(place):
                return folder / real.relative_to(place)
    raise Fatal(
        "Runs of the deployment `deliver` send only what lies in a watch folder of the studio, or "
        "in another folder that it allows.",
        hint="Give the clip's whole path; add its folder to `allow` in [studio.watching]; or use "
        "`postflow upload` on that machine.",
        code="clip.not_allowed",
    )
