"""How long to leave something alone that did not work."""

from __future__ import annotations

from postflow.errors import PostFlowError, Retry

FIRST = 30.0
LONGEST = 3600.0


def wait_after(why: PostFlowError, tries: int) -> float:
    """Seconds: as the world asked, else longer each time."""
    if isinstance(why, Retry) and why.retry_after is not None:
        return why.retry_after
    return longer_each_time(tries)


def longer_each_time(tries: int) -> float:
    """Seconds: 30, 60, 120 and so on up to an hour."""
    return min(FIRST * 2.0 ** min(tries, 20), LONGEST)
