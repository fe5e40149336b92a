"""Batches to make cards of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from postflow.ledger import Batch, BatchClip, State
from tests.discord.conftest import NOON

MakeClip = Callable[..., BatchClip]


def clip_waiting(name: str = "SQ07_v001.mov", **more: Any) -> BatchClip:
    values: dict[str, Any] = {
        "id": 1,
        "name": name,
        "revision": "0" * 32,
        "size": 831_000_000,
        "state": State.READY,
        "finished_at": None,
        "reason": None,
        "hint": None,
        "view_url": None,
    }
    return BatchClip.model_validate(values | more)


def clip_done(name: str = "SQ07_v001.mov", **more: Any) -> BatchClip:
    link = "https://next.frame.io/project/p/view/f"
    return clip_waiting(name, **{**ENDED, "state": State.DONE, "view_url": link, **more})


def clip_failed(name: str = "SQ07_v001.mov", why: str = "Too big.", **more: Any) -> BatchClip:
    return clip_waiting(name, **{**ENDED, "state": State.FAILED, "reason": why, **more})


ENDED = {"finished_at": NOON + timedelta(minutes=5)}


def batch_of(*clips: BatchClip) -> Batch:
    return Batch(
        id=1, channel="main", project="UNDLM", opened_at=NOON, changes=len(clips), clips=clips
    )
