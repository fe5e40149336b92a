"""Any text that can be encoded."""

from __future__ import annotations

from hypothesis import strategies as st

# What `st.text()` takes by itself; that tries each character in UTF-8, for a second of CPU.
_CHARACTERS = st.characters(exclude_categories=["Cs"])


def texts(max_size: int | None = None) -> st.SearchStrategy[str]:
    return st.text(_CHARACTERS, max_size=max_size)
