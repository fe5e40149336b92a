"""Text that Discord shows as it is: no mention, no formatting, no link that was not meant."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta

_MARKDOWN = re.compile(r"([\\*_~`|>#\[\]()<:@-])")
_UNITS = ("KB", "MB", "GB", "TB")


def plain(text: str, limit: int) -> str:
    """At most `limit` characters that render as `text`, in one line."""
    seen = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    escaped = _MARKDOWN.sub(r"\\\1", " ".join(seen.split()))
    return shortened(escaped, limit) or "(empty)"


def shortened(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, an ellipsis in the place of what is gone."""
    if len(text) <= limit:
        return text
    return text[: limit - 1].rstrip("\\ ") + "…"


def counted(number: int, thing: str) -> str:
    """1 clip, 2 clips."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def human_size(size: int) -> str:
    """Bytes in decimal units, as disks and Frame.io count them: 831 MB."""
    if size < 1000:
        return counted(size, "byte")
    amount = float(size)
    for unit in _UNITS:
        amount /= 1000
        if amount < 999.5 or unit == _UNITS[-1]:
            break
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"


def human_duration(duration: timedelta) -> str:
    """Whole seconds up to an hour, then minutes: 8 s, 2 min 05 s, 1 h 12 min."""
    seconds = max(0, round(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
