"""What a reader sees of Discord's Markdown: escapes undone, links to click. The rest stays text."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_LINK = re.compile(r"(?<!\\)\[((?:\\.|[^\[\]\\])+)\]\((https?://[^\s()]+)\)")


def shown(text: str | None) -> Markup:
    """HTML of one text of a message; names of clips are hostile."""
    parts: list[Markup] = []
    end = 0
    for link in _LINK.finditer(text or ""):
        parts.append(_plain((text or "")[end : link.start()]))
        parts.append(linked(link[1], link[2]))
        end = link.end()
    return Markup("").join([*parts, _plain((text or "")[end:])])


def linked(text: str | None, url: str | None) -> Markup:
    """An embed's title leads to its URL, where it has one."""
    if not url or not url.startswith(("http://", "https://")):
        return shown(text)
    return Markup('<a href="{}">{}</a>').format(url, _plain(text or ""))


def _plain(text: str) -> Markup:
    return escape(_ESCAPED.sub(r"\1", text))
