"""What must hold of every ledger at every moment, whatever happened to its writers."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from postflow.ledger import Ledger, export
from postflow.ledger.states import CLOSED, DELIVERED, MOVES, State

Record = dict[str, Any]

BEGINNINGS = {"requesting", "resumed"}
IN_HAND = {"open", "accepted"}


def check_consistent(ledger: Ledger) -> list[Record]:
    """Fail unless every clip's story is legal, gapless and ends in its state; returns the clips."""
    records = [json.loads(line) for line in export.lines(ledger)]
    clips = [record for record in records if record["kind"] == "clip"]
    for clip in clips:
        _check_history(clip)
        _check_attempts(clip)
        assert clip["run_id"] is None or clip["state"] not in CLOSED
        assert (clip["finished_at"] is not None) == (clip["state"] in CLOSED or _lacks_stack(clip))
    for message in records:
        if message["kind"] == "message":
            assert (message["run_id"] is not None) == (message["state"] == "sending")
            assert (message["shown"] is None) or message["message_id"] is not None
    return clips


def _lacks_stack(clip: Record) -> bool:
    """Told of as delivered, and open still."""
    events = {step["event"] for step in clip["history"]}
    return clip["state"] in DELIVERED and bool({"stack put off", "stack follows"} & events)


def _check_history(clip: Record) -> None:
    past = clip["history"]
    assert past[0]["event"] == "found"
    assert past[0]["was"] is None
    assert past[-1]["now"] == clip["state"]
    for before, after in pairwise(past):
        assert after["was"] == before["now"]
        assert after["at"] >= before["at"]
        assert after["token"] in (before["token"], before["token"] + 1)
        if after["was"] != after["now"]:
            assert State(after["now"]) in MOVES[State(after["was"])]
    assert past[-1]["token"] == clip["token"]


def _check_attempts(clip: Record) -> None:
    tries = clip["attempts"]
    assert [each["number"] for each in tries] == list(range(1, len(tries) + 1))
    assert all(each["outcome"] not in IN_HAND for each in tries[:-1])
    entered = [each for each in clip["history"] if each["now"] == "requesting"]
    assert len([each for each in entered if each["event"] in BEGINNINGS]) == len(tries)
    if clip["state"] == "requesting":
        assert tries[-1]["outcome"] == "open"
    if clip["state"] == "requested":
        assert tries[-1]["outcome"] == "accepted"
        assert tries[-1]["file_id"] == clip["file_id"]
    if clip["state"] in ("arrived", "stacking", "stacked", "done"):
        assert tries[-1]["outcome"] == "arrived"
