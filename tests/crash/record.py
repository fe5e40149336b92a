"""Compares what the sandbox has seen with what was to be, and with what the ledger says."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from postflow.ledger import MessageState, State, claims, outbox, queries
from postflow.sandbox import Sandbox
from tests.crash.ground import Ground
from tests.ledger.consistency import check_consistent

DELIVERED = {State.ARRIVED, State.STACKING, State.STACKED, State.DONE}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sent(world: Sandbox, operation: str) -> int:
    """How often an operation took effect."""
    seen = (each for each in world.requests() if each["op"] == operation)
    return sum(1 for each in seen if (each["status"] or 200) < 300)


def check_nothing_false(ground: Ground, clips: Mapping[str, Path]) -> None:
    """True at any moment: a legal story, and what is called delivered is there, byte for byte."""
    assets = {asset["id"]: asset for asset in ground.world.assets()}
    with ground.open_ledger() as ledger:
        check_consistent(ledger)
        for clip in queries.rows(ledger):
            if clip.state in DELIVERED:
                asset = assets[str(clip.file_id)]
                assert is_complete(asset), clip
                assert asset["sha256"] == sha256(clips[clip.name]), clip


def is_complete(asset: Mapping[str, Any]) -> bool:
    return bool(asset["status"] != "created" and asset["sha256"] and not asset["upload_failed"])


def check_delivered_once(ground: Ground, clips: Mapping[str, Path]) -> None:
    """Each name is there once, whole and in no other place; the ledger says the same."""
    assets = ground.world.assets()
    assert Counter(asset["name"] for asset in assets) == Counter(clips.keys())
    for asset in assets:
        assert is_complete(asset)
        assert asset["sha256"] == sha256(clips[asset["name"]])
    check_nothing_false(ground, clips)
    with ground.open_ledger() as ledger:
        done = {row.name: row.file_id for row in queries.rows(ledger) if row.state is State.DONE}
        assert done == {asset["name"]: asset["id"] for asset in assets}
        assert claims.ready(ledger) == 0


def check_one_stack(ground: Ground, names: list[str]) -> None:
    """The names are the versions of one stack, oldest first."""
    assets = {asset["name"]: asset for asset in ground.world.assets()}
    assert len({assets[name]["stack"] for name in names}) == 1
    assert [assets[name]["position"] for name in names] == list(range(1, len(names) + 1))


def check_one_link(ground: Ground) -> None:
    """One was made, and somebody who reads the channel has it."""
    [share] = ground.world.shares()
    assert share["url"] in str([message["embeds"] for message in ground.world.messages()])


def subject(title: str) -> str:
    """The clip a message is about: "SQ07 UNDLM_00152 v001 is on its way" -> "… v001"."""
    return title.replace("\\", "").partition(" is ")[0]


def in_flight(ground: Ground) -> list[str]:
    """Titles whose post was begun by a run that is now dead, and whose answer nobody read."""
    with ground.open_ledger() as ledger:
        sending = outbox.messages(ledger, MessageState.SENDING)
    return [each.payload["title"] for each in sending if each.message_id is None]


def check_messages(ground: Ground, ready: int, lost_sight_of: Sequence[str]) -> int:
    """Each of the clips `ready` has one message that says so. Returns how many others stand there.

    Documented in postflow/ledger/outbox.py: a post whose answer was never read is not sent again
    with the same content. So however many runs died, a clip has at most one message more, which
    says that it is on its way; and one that was lost sight of may not have been told at all.
    """
    titles = [message["embeds"][0]["title"] for message in ground.world.messages()]
    told = Counter(subject(title) for title in titles)
    final = Counter(subject(title) for title in titles if title.endswith("is ready for review"))
    assert len(final) == ready
    assert set(final.values()) == {1}
    lost = {subject(title) for title in lost_sight_of}
    departed = {subject(title) for title in lost_sight_of if title.endswith("is on its way")}
    for each, times in told.items():
        assert times <= 1 + (each in departed), (each, titles, lost_sight_of)
    with ground.open_ledger() as ledger:
        for message in outbox.messages(ledger):
            about = subject(message.payload["title"])
            assert message.state is MessageState.SENT or about in lost, message
            assert told[about] or about in lost, message
    return sum(told.values()) - len(told)
