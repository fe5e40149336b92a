"""Discord is out of reach and messages have piled up: no clip waits for that, nor a run's end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from postflow.cli.sandbox import sandbox_studio
from postflow.discord.cards import notice_card
from postflow.ledger import Ledger, MessageState, outbox, queries
from postflow.sandbox import Sandbox
from postflow.service.save_studio import save_studio
from postflow.service.studio_file import StudioFile
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import the_asset
from tests.support.enrolled import enrolled
from tests.support.wait import wait_until

pytestmark = pytest.mark.prefect

STUDIO = "unheard"
PILED_UP = 20
# One in the background, one at the end of the run, and one in between on a slow machine.
FEW = 3


@pytest.fixture
def no_discord() -> Iterator[int]:
    """A port that refuses every connection."""
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        yield port.getsockname()[1]


@pytest.fixture
async def clip(nothing_cached: None, world: Sandbox, no_discord: int, make_clip: MakeClip) -> Path:
    """In the watch folder of a studio whose outbox is full."""
    made = make_clip()
    enrolled(made.parent, studio=STUDIO)
    tables = sandbox_studio(world.describe(), name=STUDIO)
    tables["tunnel"] = {"provider": "loopback"}
    tables["discord"]["url"] = f"http://127.0.0.1:{no_discord}/api/webhooks/1/x"
    tables["studio"]["watching"] = {"folders": [made.parent], "quiet": 0.1, "interval": 0.2}
    await save_studio(StudioFile.model_validate(tables))
    with Ledger.open() as ledger:
        for number in range(PILED_UP):
            card = notice_card(f"Message {number}", "It is so.")
            outbox.enqueue(ledger, card.announcement(f"{STUDIO}/{number}", STUDIO))
    return made


def tried() -> int:
    """So many messages Discord was called for; the others are as they were."""
    with Ledger.open() as ledger:
        waiting = outbox.messages(ledger, MessageState.PENDING, MessageState.SENDING)
    assert len(waiting) >= PILED_UP, "none is lost"
    return sum(message.state is MessageState.SENDING or bool(message.code) for message in waiting)


async def test_a_clip_is_delivered_all_the_same(world: Sandbox, clip: Path) -> None:
    from postflow.flows.ingest import ingest

    drained = await ingest(STUDIO, idle_timeout=0.0)
    assert drained.delivered == {clip.name: the_asset(world, clip)["view_url"]}
    assert tried() <= FEW
    assert drained.not_told
    assert all("Discord cannot be reached" in why for why in drained.not_told.values())


async def test_the_look_out_goes_on_looking(world: Sandbox, clip: Path) -> None:
    from postflow.flows.watch import watch

    watching = asyncio.create_task(watch(STUDIO))
    try:
        await wait_until(lambda: is_known(clip) or watching.done())
        assert tried() <= FEW
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def is_known(clip: Path) -> bool:
    with Ledger.open() as ledger:
        return any(row.name == clip.name for row in queries.rows(ledger))
