"""A sign-in is kept while PostFlow runs, and a person is told days before it would end."""

from __future__ import annotations

import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from postflow.errors import Retry
from postflow.frameio import AdobeIms, TokenSource
from postflow.frameio.auth import ims, sign_in, tokens
from postflow.frameio.auth.ims import Grant
from postflow.frameio.auth.sign_in import (
    ENDS_SOON,
    ending,
    keep_signed_in,
    renew_if_due,
    why_to_sign_in,
)
from postflow.frameio.auth.tokens import FileTokenStore
from postflow.sandbox import Sandbox
from postflow.sandbox.ims import tokens as adobe
from tests.frameio.connecting import calls, service, signed_in, source_of, web
from tests.support.wait import wait_until

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Clock:
    """That of both sides. It goes only when told to."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def time(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (tokens, ims, sign_in):
        monkeypatch.setattr(module, "now", clock)
    monkeypatch.setattr(adobe, "time", types.SimpleNamespace(time=clock.time))
    return clock


@pytest.fixture
async def source(world: Sandbox, tmp_path: Path, clock: Clock) -> TokenSource:
    """Of somebody who has just signed in."""
    return await source_of(world, tmp_path, Grant.model_validate(world.tokens()).tokens())


async def test_an_idle_studio_stays_signed_in_for_as_long_as_postflow_runs(
    world: Sandbox, source: TokenSource, clock: Clock
) -> None:
    for _ in range(60 * 4):
        clock.now += 6 * HOUR
        assert await renew_if_due(source) is None
    headers = {"Authorization": f"Bearer {await source.token()}"}
    async with httpx.AsyncClient(base_url=world.url, headers=headers) as http:
        assert (await http.get("/v4/me")).is_success
    assert calls(world, "ims.token") <= 61


async def test_one_that_was_off_for_ten_days_is_renewed_at_once(
    source: TokenSource, clock: Clock
) -> None:
    clock.now += 10 * DAY + HOUR
    told = await why_to_sign_in(source)
    assert told is not None
    assert told.code == "adobe.sign_in_ends"
    assert f"{(clock.now + 4 * DAY - HOUR).astimezone():%Y-%m-%d %H:%M}" in told.message
    assert await renew_if_due(source) is None
    assert await why_to_sign_in(source) is None


async def test_one_that_was_off_for_longer_is_told_that_it_is_over(
    source: TokenSource, clock: Clock
) -> None:
    clock.now += 15 * DAY
    for told in (await why_to_sign_in(source), await renew_if_due(source)):
        assert told is not None
        assert (told.code, told.hint) == ("adobe.signed_out", "Run `postflow login`.")


async def test_a_renewal_that_does_not_come_about_is_told_days_before_the_end(
    world: Sandbox, source: TokenSource, clock: Clock
) -> None:
    world.fault("status", "ims.token", times=None, code=503)
    clock.now += 9 * DAY
    assert await renew_if_due(source) is None
    clock.now += 2 * DAY
    told = await renew_if_due(source)
    assert told is not None
    assert told.code == "adobe.sign_in_ends"


async def test_without_a_token_to_renew_it_with_the_sign_in_ends_soon(
    tmp_path: Path, clock: Clock
) -> None:
    with Sandbox(offline_access=False) as world:
        granted = Grant.model_validate(world.tokens()).tokens()
        told = await renew_if_due(await source_of(world, tmp_path, granted))
    assert told is not None
    assert (told.code, "offline_access" in told.hint) == ("adobe.sign_in_ends", True)


async def test_a_refresh_token_that_adobe_leaves_as_it_is_grows_no_younger(
    world: Sandbox, tmp_path: Path, clock: Clock
) -> None:
    answer = {"access_token": "new", "expires_in": 86399}
    lenient = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    old = Grant.model_validate(world.tokens()).tokens()
    store = FileTokenStore(tmp_path / "tokens.json")
    await store.save(old)
    source = TokenSource(web(world), store, AdobeIms(transport=lenient), state_dir=tmp_path)
    clock.now += 2 * DAY
    assert await source.token() == "new"
    known = await source.known()
    assert known is not None
    assert known.renewable_until == old.renewable_until == clock.now + 12 * DAY


async def test_a_service_account_and_a_pair_of_unknown_age_end_for_nobody(
    world: Sandbox, tmp_path: Path
) -> None:
    assert await renew_if_due(await source_of(world, tmp_path, credential=service(world))) is None
    assert calls(world, "ims.token") == 0
    assert ending(signed_in(world)) is None


async def test_nobody_has_signed_in(world: Sandbox, tmp_path: Path) -> None:
    told = await renew_if_due(await source_of(world, tmp_path))
    assert told is not None
    assert told.code == "adobe.not_signed_in"


async def test_each_trouble_is_told_once_while_it_lasts_and_a_fault_of_ours_ends_nothing(
    world: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (Retry(word, hint="Do it.", code="adobe.sign_in_ends") for word in "AB")
    script: Iterator[Exception | None] = iter(
        [first, first, ValueError("a fault"), first, None, first, second]
    )
    told: list[tuple[str, str]] = []

    async def looked(_source: TokenSource) -> Exception | None:
        step = next(script, second)
        if isinstance(step, ValueError):
            raise step
        return step

    monkeypatch.setattr(sign_in, "renew_if_due", looked)
    source = await source_of(world, tmp_path)
    async with keep_signed_in(source, lambda *said: told.append(said), every=0.001):
        await wait_until(lambda: len(told) >= 3, description="the second trouble")
    assert told == [(ENDS_SOON, "A Do it."), (ENDS_SOON, "A Do it."), (ENDS_SOON, "B Do it.")]
