"""What the outside world holds after a journey."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx

from postflow.sandbox import Sandbox

READY, FAILED, ON_ITS_WAY = "is ready for review", "has failed", "is on its way"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def namesakes(world: Sandbox, clip: Path) -> list[dict[str, Any]]:
    """All that Frame.io has under the clip's name, wherever it is."""
    return [asset for asset in world.assets() if asset["name"] == clip.name]


def the_asset(world: Sandbox, clip: Path) -> dict[str, Any]:
    """The clip in Frame.io: the only thing of its name, whole."""
    (asset,) = namesakes(world, clip)
    assert asset["status"] in {"uploaded", "transcoded"}
    assert asset["sha256"] == sha256(clip)
    return asset


def titles(world: Sandbox) -> list[str]:
    """What Discord shows, oldest first."""
    return [message["embeds"][0]["title"] for message in world.messages()]


def endings(world: Sandbox) -> list[str]:
    """What each message says of its clip."""
    states = (READY, FAILED, ON_ITS_WAY)
    return [state for title in titles(world) for state in states if title.endswith(state)]


def words(world: Sandbox) -> str:
    """All that Discord's messages say, as people see it: without the escapes."""
    return str([message["embeds"] for message in world.messages()]).replace("\\", "")


def calls(world: Sandbox, op: str) -> int:
    """How often the world was asked for something."""
    return sum(request["op"] == op for request in world.requests())


def armed(world: Sandbox) -> list[dict[str, Any]]:
    """Faults that have not struck yet."""
    found: list[dict[str, Any]] = httpx.get(f"{world.url}/sandbox/faults").json()
    return found
