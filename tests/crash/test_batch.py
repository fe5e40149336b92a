"""kill -9 of an `ingest` run whose clips are told of in one message."""

from __future__ import annotations

import pytest

from postflow.ledger import queries
from tests.crash.conftest import MakeGround
from tests.crash.killing import Death

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

CLIPS = [f"SQ07_UNDLM_{number:05}_v001.mov" for number in range(1, 5)]
MISNAMED = "badname.mov"


async def test_the_run_after_goes_on_with_the_message_of_the_one_that_was_killed(
    make_ground: MakeGround,
) -> None:
    async with make_ground(watching={"batch": 2}) as ground:
        for number, name in enumerate([MISNAMED, *CLIPS]):
            ground.drop(name, atoms=number)
        await ground.watched_until_ready(1 + len(CLIPS))
        assert not ground.live(Death(at="clip done", nth=2, moment="after"))
        assert ground.live()
        (message,) = ground.world.messages()
        with ground.open_ledger() as ledger:
            links = {row.name: row.view_url for row in queries.rows(ledger)}
    (embed,) = message["embeds"]
    assert embed["title"] == "4 of 5 clips are ready for review"
    assert embed["description"].startswith("❌ badname.mov: ")
    assert [embed["description"].count(f"({links[name]})") for name in CLIPS] == [1] * 4
