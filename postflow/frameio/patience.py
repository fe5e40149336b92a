"""How long and how often the client tries before it says that it cannot."""

from __future__ import annotations

from postflow.models import Moment


class Patience(Moment):
    """Times in seconds.

    `attempts` and `total` bound a call that meets network faults and 5xx; `refusals` one that meets
    429. After a POST without an answer we look after each of `looks` if it took effect, and send
    it `posts` times at most.
    """

    attempts: int = 5
    total: float = 120.0
    backoff: float = 0.5
    longest_backoff: float = 15.0
    refusals: int = 10
    looks: tuple[float, ...] = (1.0, 4.0)
    posts: int = 3


PATIENT = Patience()
