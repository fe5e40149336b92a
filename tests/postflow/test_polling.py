"""How often Frame.io is asked how a transfer stands, and when that ends: by a clock of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from postflow.delivery.polling import Finishing, Polling
from postflow.errors import Retry
from postflow.models import MediaFile
from postflow.outlet import Served
from postflow.settings import RetryPolicy

MEDIA = MediaFile(path=Path("a.mov"), size=1000, mtime_ns=0, fingerprint="f")
POLICY = RetryPolicy(poll=1, stall=600, total=86_400)


def served(sent: float) -> Served:
    whole = min(int(sent), MEDIA.size)
    return Served(
        bytes_covered=whole,
        bytes_sent=int(sent),
        total=MEDIA.size,
        requests=1,
        changed=False,
    )


def looks(*, travel: float, finish: float) -> tuple[list[int], str | None]:
    """When Frame.io is asked if all bytes leave within `travel` seconds and it needs `finish` more
    to put them together; and the code with which it is given up.
    """
    now = 0
    asked = list[int]()
    polling = Polling(MEDIA, POLICY, Finishing(), clock=lambda: now)
    while not asked or asked[-1] < travel + finish:
        sent = MEDIA.size * min(1.0, now / travel)
        if polling.is_time(served(sent)):
            asked.append(now)
        try:
            polling.refuse_standstill()
        except Retry as error:
            return asked, error.code
        now += 1
    return asked, None


def test_a_small_clip_is_asked_for_a_moment_after_its_bytes_have_left() -> None:
    assert looks(travel=2, finish=0) == ([3], None)


def test_while_bytes_flow_every_ten_seconds_then_every_second() -> None:
    assert looks(travel=45, finish=3) == ([10, 20, 30, 40, 46, 47, 48], None)


@pytest.mark.parametrize("finish", [0.0, 0.7, 2.0])
def test_how_long_frameio_takes_to_finish_is_learnt(finish: float) -> None:
    """The next clips are asked for once, a little after that, and seldom twice."""
    finishing, asked = Finishing(), 0
    for clip in range(60):
        now = 0.0
        polling = Polling(MEDIA, POLICY, finishing, clock=lambda: now)  # noqa: B023
        is_whole = False
        while not is_whole:
            if polling.is_time(served(MEDIA.size)):
                is_whole = now >= finish
                polling.arrived(is_whole=is_whole)
                asked += clip >= 10
            now += polling.wait
    assert asked <= 1.3 * 50
    assert finishing.polls < finish + 1.0


@pytest.mark.parametrize(
    ("travel", "finish", "most"), [(600, 5, 70), (600, 600, 150), (36_000, 1200, 3750)]
)
def test_what_takes_long_is_asked_for_less_often(travel: int, finish: int, most: int) -> None:
    asked, given_up = looks(travel=travel, finish=finish)
    assert given_up is None
    assert len(asked) < most


def test_frameio_may_take_longer_to_finish_than_bytes_may_stand_still() -> None:
    assert looks(travel=60, finish=POLICY.stall * 5)[1] is None


def test_but_not_for_ever() -> None:
    assert looks(travel=60, finish=POLICY.total * 2)[1] == "frameio.unfinished"


def test_bytes_that_stand_still_are_given_up_after_one_more_look() -> None:
    now = 0.0
    polling = Polling(MEDIA, POLICY, Finishing(), clock=lambda: now)
    polling.is_time(served(500))
    now = POLICY.stall - 1
    polling.is_time(served(501))
    now += POLICY.stall
    assert polling.is_time(served(501))
    polling.refuse_standstill()
    now += 1
    assert polling.is_time(served(501))
    with pytest.raises(Retry) as raised:
        polling.refuse_standstill()
    assert raised.value.code == "frameio.stalled"
