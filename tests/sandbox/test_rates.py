"""Leaky buckets: by operation, by user, as documented."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postflow.sandbox import Sandbox
from postflow.sandbox.rates import Buckets, Rate
from tests.sandbox.caller import Caller, service_token
from tests.support.wait import wait_until_sync


@pytest.fixture
def world() -> Iterator[Sandbox]:
    """A world with the documented rates."""
    with Sandbox() as running:
        yield running


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_bucket_is_full_after_its_limit_and_leaks_one_slot_at_a_time() -> None:
    clock = Clock()
    buckets, rate = Buckets(now=clock), Rate(10, 60)

    granted = [buckets.spend("op", "user", rate).granted for _ in range(11)]
    assert granted == [True] * 10 + [False]

    clock.now += 5.9
    assert not buckets.spend("op", "user", rate).granted
    clock.now += 0.2
    assert buckets.spend("op", "user", rate).granted
    assert not buckets.spend("op", "user", rate).granted


def test_headers_tell_limit_remaining_and_window() -> None:
    allowance = Buckets(now=Clock()).spend("op", "user", Rate(3, 1))

    assert allowance.headers() == {
        "x-ratelimit-limit": "3",
        "x-ratelimit-remaining": "2",
        "x-ratelimit-window": "1000",
    }


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 10))
def test_never_more_than_the_limit_and_what_leaked(waits: list[float], limit: int) -> None:
    clock = Clock()
    buckets = Buckets(now=clock)
    granted = 0
    for wait in waits:
        clock.now += wait
        granted += buckets.spend("op", "user", Rate(limit, 10)).granted

    assert granted <= limit + clock.now * limit / 10 + 1e-6


def test_eleventh_version_stack_in_a_minute_is_429(world: Sandbox, caller: Caller) -> None:
    path = f"/folders/{world.root_folder_id}/version_stacks"

    answers = [caller.post(path, file_ids=[]) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert answers[-1].headers["x-ratelimit-remaining"] == "0"
    assert answers[-1].json()["errors"][0]["detail"]


def test_every_operation_and_every_user_has_an_own_bucket(world: Sandbox, caller: Caller) -> None:
    path = f"/folders/{world.root_folder_id}/version_stacks"
    for _ in range(11):
        drained = caller.post(path, file_ids=[])
    with Caller(world, service_token(world)["access_token"]) as service:
        other_user = service.post(path, file_ids=[])
    other_operation = caller.get(path)

    statuses = [drained.status_code, other_user.status_code, other_operation.status_code]
    assert statuses == [429, 422, 200]


def test_second_token_of_a_user_shares_the_bucket(world: Sandbox, caller: Caller) -> None:
    path = f"/folders/{world.root_folder_id}/version_stacks"
    for _ in range(10):
        caller.post(path, file_ids=[])
    with Caller(world) as again:
        assert again.post(path, file_ids=[]).status_code == 429


def test_switch_turns_refusals_off_but_not_the_headers() -> None:
    with Sandbox(rate_limits=False) as world, Caller(world) as caller:
        path = f"/folders/{world.root_folder_id}/version_stacks"
        answers = [caller.post(path, file_ids=[]) for _ in range(15)]

    assert {answer.status_code for answer in answers} == {422}
    assert answers[-1].headers["x-ratelimit-remaining"] == "0"


def test_switch_shortens_the_windows() -> None:
    with Sandbox(rate_scale=600) as world, Caller(world) as caller:
        path = f"/folders/{world.root_folder_id}/version_stacks"
        answer = caller.post(path, file_ids=[])
        assert answer.headers["x-ratelimit-window"] == "100"
        began = time.monotonic()
        wait_until_sync(lambda: caller.post(path, file_ids=[]).status_code != 429)
        assert time.monotonic() - began < 6, "a slot is free every 10 ms, not every 6 s"
