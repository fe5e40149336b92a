"""Three clips: two versions of a shot for one stack, and one whose name nobody knows."""

from __future__ import annotations

from pathlib import Path

from tests.crash.ground import Ground
from tests.crash.killing import Death
from tests.crash.record import (
    check_delivered_once,
    check_messages,
    check_nothing_false,
    check_one_stack,
    in_flight,
)

VERSIONS = ["SQ07_UNDLM_00152_v001.mov", "SQ07_UNDLM_00152_v002.mov"]
MISNAMED = "badname.mov"

TRANSITIONS = [
    "run on duty",
    "file seen",
    "clip found",
    "clip claimed",
    "message pending",
    "message sending",
    "message sent",
    "clip requesting",
    "clip requested",
    "clip arrived",
    "clip stacking",
    "stack held",
    "clip stacked",
    "clip done",
    "clip skipped",
    "run off duty",
]
"""All that a run makes durable, in the order in which one clip after the other comes to it."""

LINK_TRANSITIONS = ["link making", "link open"]
"""What comes with share links, beside the clips."""


class ThreeClips:
    """The clips in the watch folder, and what the deaths so far may have cost in messages."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._lost_sight_of: list[str] = []
        names = enumerate([*VERSIONS, MISNAMED], start=1)
        self._clips: dict[str, Path] = {name: ground.drop(name, atoms=n) for n, name in names}

    def die(self, death: Death) -> None:
        """One life that ends by kill -9; nothing false may be left."""
        assert not self._ground.live(death), f"nothing came {death}"
        self.look_at_the_dead()

    def look_at_the_dead(self) -> None:
        if Path(self._ground.ledger).exists():
            self._lost_sight_of += in_flight(self._ground)
            check_nothing_false(self._ground, self._clips)

    def finish(self) -> int:
        """The last life. Returns how many messages are told twice, by the documented rule."""
        assert self._ground.live()
        check_delivered_once(self._ground, {name: self._clips[name] for name in VERSIONS})
        check_one_stack(self._ground, VERSIONS)
        return check_messages(self._ground, len(VERSIONS), self._lost_sight_of)
