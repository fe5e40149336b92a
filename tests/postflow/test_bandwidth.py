"""What a limit means, when it holds, and that turns are fair: no clock but a given one."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from datetime import datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from postflow.bandwidth import LEAST, MOST, MOST_FREE, Bandwidth, LoopShare, ThreadShare
from postflow.settings import LimitedHours, Rate, bytes_a_second, limit_at

RATES = {
    "50 MB/s": 50_000_000,
    "20MiB/s": 20 << 20,
    "400 Mbit/s": 50_000_000,
    "1.5 GB / s": 1_500_000_000,
    "100 kB/s": 100_000,
    " 1 Gbit/s ": 125_000_000,
    "0": None,
    "0 MB/s": None,
    "none": None,
    "": None,
}
NO_RATES = ["50", "50 MB", "50 Mb/s", "50 mb/s", "50 Mbps", "50,5 MB/s", "-5 MB/s", "5 kB/s", "all"]
NO_TIMES = [8, 8.5, "8:00", "24:00", "08:00Z", "8"]


@pytest.mark.parametrize(("rate", "meant"), RATES.items())
def test_a_rate_is_bytes_a_second(rate: str, meant: int | None) -> None:
    assert bytes_a_second(TypeAdapter(Rate).validate_python(rate)) == meant


@pytest.mark.parametrize("rate", NO_RATES)
def test_what_may_mean_two_things_is_refused(rate: str) -> None:
    with pytest.raises(ValidationError, match=r"50 MB/s|10 kB/s"):
        TypeAdapter(Rate).validate_python(rate)


@pytest.mark.parametrize("given", NO_TIMES)
def test_a_time_is_hours_and_minutes(given: object) -> None:
    with pytest.raises(ValidationError, match=r"08:00|0-23"):
        LimitedHours.model_validate({"from": given, "to": "19:00", "limit": "20 MB/s"})


DAY = {"from": "08:00", "to": "19:00", "limit": "20 MB/s"}
NIGHT = {"from": "22:00", "to": "06:00", "limit": "none", "days": ["mon", "fri"]}
SUNDAY = {"from": "00:00", "to": "00:00", "limit": "5 MB/s", "days": ["sun"]}
HOURS = tuple(LimitedHours.model_validate(each) for each in (SUNDAY, NIGHT, DAY))
WHEN = {  # 2026-11-02 is a Monday
    "2026-11-02 07:59:59": 50_000_000,
    "2026-11-02 08:00": 20_000_000,
    "2026-11-02 18:59:59": 20_000_000,
    "2026-11-02 19:00": 50_000_000,
    "2026-11-02 22:00": None,
    "2026-11-03 05:59": None,
    "2026-11-03 06:00": 50_000_000,
    "2026-11-03 22:00": 50_000_000,
    "2026-11-04 05:00": 50_000_000,
    "2026-11-07 05:00": None,
    "2026-11-08 08:00": 5_000_000,
    "2026-11-08 23:59:59": 5_000_000,
    "2026-11-09 00:00": 50_000_000,
}


@pytest.mark.parametrize(("when", "allowed"), WHEN.items())
def test_hours_begin_at_their_start_and_on_their_days(when: str, allowed: int | None) -> None:
    assert limit_at(datetime.fromisoformat(when), "50 MB/s", HOURS) == allowed


def test_hours_survive_being_stored() -> None:
    for hours in HOURS:
        for by_alias in (True, False):
            stored = hours.model_dump(mode="json", by_alias=by_alias)
            assert LimitedHours.model_validate(stored) == hours


class Clock:
    """What `Bandwidth` asks: the time, and the limit of that time."""

    def __init__(self, *limits: tuple[float, float | None]) -> None:
        self.now, self.limits = 0.0, limits

    def allowed(self) -> float | None:
        return next(rate for until, rate in self.limits if self.now < until)


def left_in(bandwidth: Bandwidth, clock: Clock, seconds: float, busy: float = 0.0) -> int:
    """Bytes that leave until `seconds`, when each turn takes `busy` seconds to send."""
    left = 0
    while True:
        count, wait = bandwidth.turn(10 * MOST)
        clock.now += wait + busy
        if clock.now >= seconds:
            return left
        left += count


@pytest.mark.parametrize("rate", [10_000, 200_000, 3_000_000, 20_000_000, 2_000_000_000])
@pytest.mark.parametrize("busy", [0.0, 0.4])
def test_as_much_leaves_as_may_whether_sending_takes_time_or_not(rate: float, busy: float) -> None:
    clock = Clock((1e9, rate))
    bandwidth = Bandwidth(clock.allowed, clock=lambda: clock.now)
    a_turn = max(LEAST, min(MOST, int(rate / 20)))
    left = left_in(bandwidth, clock, 10, busy=busy * a_turn / rate)
    assert left <= 10 * rate
    assert left >= 10 * rate - 3 * a_turn


def test_a_limit_changes_at_the_edge_of_an_hour() -> None:
    """Slow, then free, then slow again. What was not used is not kept for later."""
    clock = Clock((10, 100_000), (20, None), (1e9, 200_000))
    bandwidth = Bandwidth(clock.allowed, clock=lambda: clock.now)
    assert 980_000 <= left_in(bandwidth, clock, 10) <= 1_000_000
    clock.now = 10
    assert bandwidth.turn(10 * MOST) == (MOST_FREE, 0.0)
    clock.now = 20
    assert 1_970_000 <= left_in(bandwidth, clock, 30) <= 2_000_000


async def test_a_clip_gets_no_more_by_more_connections() -> None:
    bandwidth, taken = Bandwidth(lambda: 500e6), Counter[str]()

    async def take(name: str, share: LoopShare) -> None:
        while taken.total() < 200 * MOST:
            count = await share.take(10 * MOST)
            taken[name] += count

    many, one = LoopShare(bandwidth), LoopShare(bandwidth)
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(take("many", many))
        group.create_task(take("one", one))
    assert taken["one"] >= 0.8 * taken["many"]


def test_threads_wait_for_a_turn_no_longer_than_they_are_wanted() -> None:
    stop = threading.Event()
    share = ThreadShare(Bandwidth(lambda: 0.001), stop)  # a turn of many days
    threads = [threading.Thread(target=share.take, args=(MOST,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join()


async def test_who_is_cancelled_leaves_the_others_their_turns() -> None:
    share = LoopShare(Bandwidth(lambda: 10 * LEAST))
    waiting = [asyncio.create_task(share.take(LEAST)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[1].cancel()
    assert await waiting[2] == LEAST
