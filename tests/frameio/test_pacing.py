"""The bucket on our side of Frame.io's rate limits."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from postflow.frameio.pacing import Bucket


def headers(limit: int, remaining: int, window: int) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-window": str(window),
    }


async def passing_times(bucket: Bucket, calls: int) -> list[float]:
    """When each of `calls` callers that ask at once is let through, in seconds from the start."""
    start = time.monotonic()

    async def one() -> float:
        await bucket.slot()
        return time.monotonic() - start

    return sorted(await asyncio.gather(*(one() for _ in range(calls))))


async def test_a_full_bucket_lets_one_call_through_for_each_that_leaks_out() -> None:
    times = await passing_times(Bucket(5, 0.5), 10)
    assert len(times) == 10
    assert all(time > 0.09 * nth for nth, time in enumerate(times[4:])), times


async def test_callers_pass_in_the_order_they_came() -> None:
    bucket, passed = Bucket(2, 0.05), list[int]()

    async def one(number: int) -> None:
        await bucket.slot()
        passed.append(number)

    await asyncio.gather(*(one(number) for number in range(20)))
    assert passed == list(range(20))


async def test_the_headers_replace_the_documented_rate() -> None:
    bucket = Bucket(100, 60)
    bucket.learn(headers(4, 4, 2000))
    assert (bucket.limit, bucket.window, bucket.interval) == (4, 2.0, 0.5)


async def test_calls_that_others_made_count_too() -> None:
    bucket = Bucket(10, 1)
    bucket.learn(headers(10, 0, 1000))
    times = await passing_times(bucket, 2)
    assert times[0] > 0.05
    assert times[1] > 0.15


async def test_an_answer_older_than_our_own_calls_does_not_empty_the_bucket() -> None:
    bucket = Bucket(2, 0.4)
    await bucket.slot()
    await bucket.slot()
    bucket.learn(headers(2, 2, 400))
    assert (await passing_times(bucket, 1))[0] > 0.1


async def test_a_429_fills_the_bucket_whatever_we_thought() -> None:
    bucket = Bucket(5, 1)
    bucket.overflowed()
    assert (await passing_times(bucket, 1))[0] > 0.1


async def test_a_caller_that_gives_up_leaves_its_place() -> None:
    bucket = Bucket(1, 0.2)
    await bucket.slot()
    waiting = [asyncio.create_task(bucket.slot()) for _ in range(50)]
    last = asyncio.create_task(bucket.slot())
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.wait_for(last, timeout=5)
    assert all(task.cancelled() for task in await _settled(waiting))


async def _settled(tasks: list[asyncio.Task[None]]) -> list[asyncio.Task[None]]:
    await asyncio.wait(tasks)
    return tasks


@pytest.mark.parametrize(
    "broken",
    [
        {},
        headers(0, 0, 1000),
        headers(5, 5, 0),
        {**headers(5, 5, 1000), "x-ratelimit-limit": "many"},
        headers(5, 0, 10**15),
        headers(5, -(10**9), 1000),
    ],
    ids=["none", "no calls", "no window", "no number", "for ever", "far too many"],
)
async def test_senseless_headers_change_nothing(broken: dict[str, str]) -> None:
    bucket = Bucket(5, 1)
    bucket.learn(broken)
    assert (bucket.limit, bucket.window) == (5, 1)
    async with asyncio.timeout(5):
        await bucket.slot()


@pytest.mark.parametrize(
    ("asked", "believed"),
    [
        ("7", 7),
        ("1e300", 3600),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        *((odd, 0) for odd in ("inf", "nan", "-5", "soon")),
    ],
)
async def test_a_time_to_wait_is_believed_within_reason(asked: str, believed: float) -> None:
    bucket = Bucket(5, 1)
    bucket.close({"retry-after": asked})
    assert bucket.closed_for == pytest.approx(believed, abs=2)


async def test_a_429_halves_our_rate_once_for_all_calls_that_were_under_way() -> None:
    bucket = Bucket(5, 1)
    for _ in range(4):
        bucket.overflowed()
    assert 0.49 < bucket.share < 0.6


async def test_the_rate_does_not_fall_for_ever_and_recovers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    bucket = Bucket(5, 1)
    for _ in range(50):
        bucket.overflowed()
        now += bucket.interval
    assert 0.1 < bucket.share < 0.3
    now += 60
    assert bucket.share == 1


async def test_a_bucket_that_another_shares_from_now_on_is_full_and_no_fuller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who began alone does not wait for a minute when another host begins."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    bucket = Bucket(100, 60)
    for _ in range(100):
        await bucket.slot()
    bucket.share_with(2)
    assert bucket.free == 0
    now += bucket.interval
    assert bucket.free == 1


async def test_chance_keeps_apart_those_who_were_refused_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(random, "random", lambda: 4.0)
    bucket = Bucket(5, 0.25)
    bucket.overflowed()
    assert (await passing_times(bucket, 1))[0] > 0.3
