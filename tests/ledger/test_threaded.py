"""The ledger on an event loop."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from postflow.errors import Fatal
from postflow.ledger import (
    Ledger,
    Phase,
    StaleClaim,
    claims,
    observations,
    open_ledger,
    queries,
    registry,
    roots,
    transitions,
)
from tests.ledger.ground import Clock, media, sighting, target
from tests.support.wait import wait_until


async def test_a_clip_travels(where: str, clock: Clock) -> None:
    async with open_ledger(where, clock=clock) as ledger:
        root = await ledger.run(roots.add, "main", Path("/mnt/show"))
        await ledger.run(observations.observe, root, [sighting(root, "a.mov")])
        await ledger.run(registry.register, root, media(root, "a.mov"))
        (claim,) = await ledger.run(claims.claim, "run-1", limit=1)
        claim = await ledger.run(transitions.intend_request, claim, target(), way="tunnel")
        claim = await ledger.run(transitions.requested, claim, "file-1")
        await ledger.run(transitions.done, await ledger.run(transitions.arrived, claim))
        assert (await ledger.run(queries.counts))[Phase.DELIVERED] == 1
        with pytest.raises(StaleClaim):
            await ledger.run(claims.release, claim)


async def test_many_calls_at_once_are_done_in_order(sqlite_url: str) -> None:
    async with open_ledger(sqlite_url) as ledger:
        root = await ledger.run(roots.add, "main", Path("/mnt/show"))
        names = [f"{number}.mov" for number in range(50)]
        await ledger.run(observations.observe, root, [sighting(root, name) for name in names])
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(ledger.run(registry.register, root, media(root, name)))
        taken = await ledger.run(claims.claim, "run-1", limit=50)
        assert [claim.relpath for claim in taken] == names


async def test_the_loop_goes_on_while_the_database_is_slow(sqlite_url: str) -> None:
    async with open_ledger(sqlite_url) as ledger:
        go_on = threading.Event()
        slow = asyncio.create_task(ledger.run(lambda _: go_on.wait()))
        waiting = asyncio.create_task(ledger.run(claims.ready))
        await asyncio.sleep(0)
        assert not waiting.done()
        go_on.set()
        assert await slow is True
        assert await waiting == 0


async def test_a_write_is_done_even_if_its_caller_is_cancelled(sqlite_url: str) -> None:
    """An outcome the world has told us must not get lost in a cancellation."""
    async with open_ledger(sqlite_url) as ledger:
        root = await ledger.run(roots.add, "main", Path("/mnt/show"))
        go_on = threading.Event()
        blocking = asyncio.create_task(ledger.run(lambda _: go_on.wait()))
        writing = asyncio.create_task(
            ledger.run(observations.observe, root, [sighting(root, "a.mov")])
        )
        await asyncio.sleep(0.01)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        go_on.set()
        await blocking
        assert len(await ledger.run(observations.known, root)) == 1


async def test_leaving_waits_for_what_was_asked(sqlite_url: str) -> None:
    async with open_ledger(sqlite_url) as ledger:
        root = await ledger.run(roots.add, "main", Path("/mnt/show"))
        writing = asyncio.create_task(
            ledger.run(observations.observe, root, [sighting(root, "a.mov")])
        )
        await asyncio.sleep(0)
    await writing
    with Ledger.open(sqlite_url) as again:
        assert len(observations.known(again, root)) == 1


async def test_errors_arrive_where_they_were_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Fatal):
        async with open_ledger(tmp_path / "file" / "ledger.db"):
            pass


async def test_no_thread_is_left_behind(sqlite_url: str) -> None:
    def ours() -> list[str]:
        return [each.name for each in threading.enumerate() if each.name.startswith("ledger")]

    async def fail_midway() -> None:
        async with open_ledger(sqlite_url) as ledger:
            assert await ledger.run(claims.ready) == 0
            assert ours()
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        await fail_midway()
    await wait_until(lambda: not ours(), description="the ledger's thread to end")


def test_a_store_can_be_used_from_another_thread(sqlite_url: str) -> None:
    """The command line opens it on one thread and may ask it on another."""
    answers: list[int] = []
    with Ledger.open(sqlite_url) as ledger:
        thread = threading.Thread(target=lambda: answers.append(claims.ready(ledger)))
        thread.start()
        thread.join()
    assert answers == [0]
