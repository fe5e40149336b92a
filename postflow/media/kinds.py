"""Which files are clips, which seem to be meant for some, and which are other things."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from postflow.errors import Skip, shown
from postflow.language import N_
from postflow.models import SUFFIXES, is_clip

# Other containers of video. Camera originals (.r3d, .braw, .ari, .dng) are not for review.
# fmt: off
VIDEO = frozenset((
    ".264", ".265", ".3g2", ".3gp", ".amv", ".asf", ".av1", ".avc", ".dif", ".divx", ".dv", ".f4v",
    ".flv", ".gxf", ".h264", ".h265", ".hevc", ".ivf", ".lxf", ".m1v", ".m2p", ".m2t", ".m2ts",
    ".m2v", ".m4v", ".mj2", ".mjpeg", ".mjpg", ".mk3d", ".mod", ".movie", ".mp4v", ".mpe", ".mpeg",
    ".mpeg4", ".mpg", ".mpg4", ".mpv", ".mts", ".nut", ".obu", ".ogm", ".ogv", ".qt", ".rm",
    ".rmvb", ".tod", ".trp", ".ts", ".vob", ".webm", ".wmv", ".y4m",
))
# Counted beside the endings: what a scan could not look at, or not take up by its name.
UNREAD = "unreadable"
# Endings that a person or a program hangs on a clip that is put away.
PUT_AWAY = frozenset((
    "bak", "backup", "bck", "old", "orig", "original", "copy", "new", "save", "sav", "off",
    "disabled",
))
# fmt: on


def _typing_errors(suffix: str) -> set[str]:
    """One letter twice, missing, or changed with its neighbour."""
    word = suffix[1:]
    places = range(len(word))
    twice = {word[: at + 1] + word[at:] for at in places}
    missing = {word[:at] + word[at + 1 :] for at in places}
    changed = {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in places[:-1]}
    return {f".{error}" for error in twice | missing | changed}


# What each was meant to be. Of these, .m4p is music.
MISTYPED = {error: kind for kind in reversed(SUFFIXES) for error in _typing_errors(kind)}
del MISTYPED[".m4p"]

_KINDS = "|".join(suffix[1:] for suffix in SUFFIXES)
_HIDDEN_ENDING = re.compile(
    rf"(?P<stem>.*?[^\s._-])[\s._,-]*[.,]\s*(?P<kind>{_KINDS})(?P<more>[^0-9a-z].*)?",
    re.IGNORECASE | re.DOTALL,
)
_NEAR_DOT = re.compile(rf"(?P<stem>.*[0-9])[\s_-]+(?P<kind>{_KINDS})", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"\.v?[0-9]{1,8}\Z", re.IGNORECASE)
_OTHER_ENDING = re.compile(r"[\w (),+-][\w (),+.-]*\.([A-Za-z][A-Za-z0-9]{0,11})", re.ASCII)
_LIKE_A_CLIP = re.compile(r"(?=.*[0-9]).*[A-Za-z].*[ ._-].*|.*v[0-9]+", re.IGNORECASE | re.DOTALL)


def is_candidate(name: Path | str) -> bool:
    """A clip, or what a person may have meant to be one: somebody hears what becomes of it."""
    return is_clip(name) or meant(Path(name).name) is not None


def meant(name: str) -> str | None:
    """The clip's name that was probably meant, or the bare stem of one in another container.

    None for a clip, and for everything else.
    """
    if is_clip(name) or _is_plainly_other(name):
        return None
    seen = _seen(name)
    suffix = PurePosixPath(seen).suffix.lower()
    if suffix in VIDEO and seen[: -len(suffix)].strip(" ."):
        return seen[: -len(suffix)]
    found = _HIDDEN_ENDING.fullmatch(seen) or _NEAR_DOT.fullmatch(seen)
    if found:
        more = found.groupdict().get("more") or ""
        if _is_put_away(more):
            return f"{found['stem']}.{found['kind']}"
        return seen if is_clip(seen) else None
    kind = MISTYPED.get(suffix, SUFFIXES[0])
    if suffix in MISTYPED or _is_in_another_script(suffix):
        seen, suffix = seen[: -len(suffix)], ""
    bare = not suffix or _NUMBER.search(seen) is not None
    return f"{seen}{kind}" if bare and _LIKE_A_CLIP.fullmatch(seen) else None


def refusal(name: str) -> Skip | None:
    """Why a file of this name is not taken, for whoever named it; None for a clip."""
    if is_clip(name):
        return None
    kinds = " ".join(SUFFIXES)
    right = meant(name)
    if right is None:
        hint = N_("Deliver one of {kinds}.")
    elif is_clip(right):
        hint = N_("Rename it to {right} if it is a clip; PostFlow takes {kinds}.")
    else:
        hint = N_("Export it anew as one of {kinds}.")
    return Skip(
        "{name} {because}.",
        hint=hint,
        code="file.extension",
        name=shown(name),
        because=_because(name),
        kinds=kinds,
        right=right,
    )


def others(names: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Of files by name and size, how many nobody hears of: by ending, and empty ones."""
    counts: dict[str, int] = {}
    for name, size in names:
        kind = ending(name) if size else N_("empty")
        if not size or not is_candidate(name):
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def ending(name: str) -> str:
    """What a file's kind is counted under."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if 1 < len(suffix) <= 12 and suffix.isprintable() else N_("without ending")


def _seen(name: str) -> str:
    """The name without what cannot be seen: blanks and dots at its end, format characters, and
    the private ones under which SMB and macOS keep what Windows forbids.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKC", name) if not _is_unseen(c))
    return plain.strip().rstrip(" .\"'")


def _is_in_another_script(suffix: str) -> bool:
    """As .mov with the o of another script."""
    return not suffix.isascii() and len(suffix) <= len(".mov") + 1


def _is_unseen(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Co", "Cn", "Cs"}


def _is_plainly_other(name: str) -> bool:
    """The quick answer for most files that are no clips, frames of sequences among them."""
    found = _OTHER_ENDING.fullmatch(name)
    suffix = f".{found[1].lower()}" if found else ""
    odd = suffix in VIDEO or suffix in MISTYPED or suffix[1:] in PUT_AWAY
    return bool(found) and not odd and not _NUMBER.fullmatch(suffix)


def _is_put_away(more: str) -> bool:
    """Is what follows the ending no ending of its own, as of a sidecar (.mov.xmp)?"""
    if "." not in more:
        return True
    last = more.rpartition(".")[2].strip().lower()
    return not last.isalnum() or last.isdigit() or last in PUT_AWAY


def _because(name: str) -> str:
    if any(_is_unseen(char) for char in name):
        return N_("is not taken: its name holds characters that cannot be seen")
    if name != name.rstrip(" ."):
        return N_("is not taken: its name ends in a blank or a dot")
    if "." not in name:
        return N_("is not taken: its name has no extension")
    return N_("is not a kind of clip PostFlow delivers")
