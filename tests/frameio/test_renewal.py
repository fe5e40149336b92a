"""Access tokens that renew themselves, against the sandbox's strict rotation."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from postflow.errors import Fatal, Retry
from postflow.frameio import AdobeIms, Tokens, TokenSource
from postflow.frameio.auth.tokens import FileTokenStore, Journal
from postflow.sandbox import Sandbox
from tests.frameio.connecting import (
    calls,
    in_processes,
    native,
    revoke,
    service,
    signed_in,
    source_of,
    web,
)
from tests.support.token_stores import MemoryTokenStore
from tests.support.wait import wait_until

AGED = 60.0


class BrokenStore(MemoryTokenStore):
    """Loads, but saves only while `works`."""

    works = False

    async def save(self, tokens: Tokens) -> None:
        if not self.works:
            raise ConnectionError("the Prefect server is away")
        await super().save(tokens)


async def works(world: Sandbox, token: str) -> bool:
    async with httpx.AsyncClient(base_url=world.url) as http:
        answer = await http.get("/v4/me", headers={"Authorization": f"Bearer {token}"})
    return answer.is_success


async def test_a_token_that_lasts_is_used_as_it_is(world: Sandbox, tmp_path: Path) -> None:
    tokens = signed_in(world)
    source = await source_of(world, tmp_path, tokens)
    assert await source.token() == tokens.access_token.get_secret_value()
    assert calls(world, "ims.token") == 0


async def test_a_token_is_renewed_before_it_ends(world: Sandbox, tmp_path: Path) -> None:
    tokens = signed_in(world, lasts=AGED)
    source = await source_of(world, tmp_path, tokens)
    renewed = await source.token()
    assert renewed != tokens.access_token.get_secret_value()
    assert await works(world, renewed)
    assert await source.token() == renewed
    assert calls(world, "ims.token") == 1


async def test_the_rotated_refresh_token_is_stored_and_good_for_the_next_time(
    world: Sandbox, tmp_path: Path
) -> None:
    source = await source_of(world, tmp_path, signed_in(world, lasts=AGED))
    first = await source.token()
    for _ in range(3):
        another = await source_of(world, tmp_path)
        second = await another.token(rejected=first)
        assert second != first
        first = second
    assert calls(world, "ims.token") == 4


async def test_a_rejected_token_is_first_looked_for_in_the_store(
    world: Sandbox, tmp_path: Path
) -> None:
    """Somebody else has renewed meanwhile: no renewal of our own, which would cost a pair."""
    ours, theirs = signed_in(world), signed_in(world)
    source = await source_of(world, tmp_path, ours)
    rejected = await source.token()
    await source_of(world, tmp_path, theirs)
    assert await source.token(rejected) == theirs.access_token.get_secret_value()
    assert calls(world, "ims.token") == 0


async def test_fifty_callers_cause_one_renewal(world: Sandbox, tmp_path: Path) -> None:
    source = await source_of(world, tmp_path, signed_in(world, lasts=AGED))
    tokens = await asyncio.gather(*(source.token() for _ in range(50)))
    assert len(set(tokens)) == 1
    assert calls(world, "ims.token") == 1


async def test_ten_sources_of_one_process_cause_one_renewal(world: Sandbox, tmp_path: Path) -> None:
    await source_of(world, tmp_path, signed_in(world, lasts=AGED))
    sources = [await source_of(world, tmp_path) for _ in range(10)]
    tokens = await asyncio.gather(*(source.token() for source in sources))
    assert len(set(tokens)) == 1
    assert calls(world, "ims.token") == 1


async def test_processes_that_renew_at_once_cause_one_renewal(
    world: Sandbox, tmp_path: Path
) -> None:
    await source_of(world, tmp_path, signed_in(world, lasts=AGED))
    world.fault("delay", where="ims.token", seconds=0.5)
    given = {
        "url": world.url,
        "client_id": world.client_id,
        "client_secret": world.client_secret,
        "folder": str(tmp_path),
    }
    tokens = await asyncio.to_thread(in_processes, "renewing_process", json.dumps(given), 3)
    assert len(set(tokens)) == 1
    assert await works(world, tokens[0])
    assert calls(world, "ims.token") == 1


async def test_a_reply_without_refresh_token_keeps_the_old_one(tmp_path: Path) -> None:
    with Sandbox(refresh_rotation="lenient") as world:
        tokens = signed_in(world, lasts=AGED)
        without = httpx.MockTransport(
            lambda _request: httpx.Response(200, json={"access_token": "new", "expires_in": 86399})
        )
        store = MemoryTokenStore(tokens)
        ims = AdobeIms(world.url, transport=without)
        source = TokenSource(web(world), store, ims, state_dir=tmp_path)
        assert await source.token() == "new"
    stored = await store.load()
    assert stored is not None
    assert stored.refresh_token == tokens.refresh_token


async def test_a_revoked_sign_in_says_to_sign_in_again(world: Sandbox, tmp_path: Path) -> None:
    tokens = signed_in(world, lasts=AGED)
    source = await source_of(world, tmp_path, tokens)
    assert tokens.refresh_token is not None
    await revoke(world, tokens.refresh_token)
    with pytest.raises(Fatal) as raised:
        await source.token()
    assert raised.value.code == "adobe.signed_out"
    assert "postflow login" in raised.value.hint


async def test_another_host_that_spent_our_refresh_token_is_waited_for(
    world: Sandbox, tmp_path: Path
) -> None:
    """Two hosts share a store but no lock: the other one saves a moment after we are refused."""
    old = signed_in(world, lasts=AGED)
    store = MemoryTokenStore(old)
    ims = AdobeIms(world.url)
    theirs = TokenSource(web(world), MemoryTokenStore(old), ims, state_dir=tmp_path / "theirs")
    ours = TokenSource(web(world), store, ims, state_dir=tmp_path / "ours", grace=60)
    renewed = await theirs.token()
    waiting = asyncio.create_task(ours.token())
    await wait_until(lambda: calls(world, "ims.token") == 2)
    saved = await theirs._store.load()  # noqa: SLF001 - plays the other host's late save
    assert saved is not None
    await store.save(saved)
    assert await waiting == renewed


async def test_nobody_signed_in_says_so(world: Sandbox, tmp_path: Path) -> None:
    source = await source_of(world, tmp_path)
    with pytest.raises(Fatal) as raised:
        await source.token()
    assert raised.value.code == "adobe.not_signed_in"


async def test_a_public_credential_without_refresh_token_says_so(
    world: Sandbox, tmp_path: Path
) -> None:
    tokens = signed_in(world, lasts=AGED).model_copy(update={"refresh_token": None})
    source = await source_of(world, tmp_path, tokens, credential=native(world))
    with pytest.raises(Fatal, match="no token to renew it with") as raised:
        await source.token()
    assert raised.value.code == "adobe.signed_out"


async def test_a_service_account_needs_no_sign_in(world: Sandbox, tmp_path: Path) -> None:
    source = await source_of(world, tmp_path, credential=service(world))
    first = await source.token()
    assert await works(world, first)
    again = await source_of(world, tmp_path, credential=service(world))
    assert await again.token() == first
    assert await again.token(rejected=first) != first
    assert calls(world, "ims.token") == 2


async def test_a_wrong_secret_says_where_to_look(world: Sandbox, tmp_path: Path) -> None:
    wrong = web(world).model_copy(update={"client_secret": SecretStr("wrong-canary")})
    tokens = signed_in(world, lasts=AGED)
    source = await source_of(world, tmp_path, tokens, credential=wrong)
    with pytest.raises(Fatal) as raised:
        await source.token()
    assert raised.value.code == "adobe.client_refused"
    assert "canary" not in str(raised.value)


async def test_adobe_out_of_order_for_a_moment_is_not_noticed(
    world: Sandbox, tmp_path: Path
) -> None:
    world.fault("status", where="ims.token", code=500)
    source = await source_of(world, tmp_path, signed_in(world, lasts=AGED))
    assert await works(world, await source.token())


async def test_adobe_out_of_order_for_longer_can_be_retried(world: Sandbox, tmp_path: Path) -> None:
    world.fault("status", where="ims.token", code=503, times=3)
    source = await source_of(world, tmp_path, signed_in(world, lasts=AGED))
    with pytest.raises(Retry) as raised:
        await source.token()
    assert raised.value.code == "adobe.busy"
    assert await works(world, await source.token())


async def test_adobe_out_of_reach_can_be_retried(world: Sandbox, tmp_path: Path) -> None:
    store = MemoryTokenStore(signed_in(world, lasts=AGED))
    nowhere = AdobeIms("http://127.0.0.1:9")
    source = TokenSource(web(world), store, nowhere, state_dir=tmp_path)
    with pytest.raises(Retry) as raised:
        await source.token()
    assert raised.value.code == "adobe.unreachable"


async def test_a_store_that_fails_loses_nothing_and_work_goes_on(
    world: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = BrokenStore(signed_in(world, lasts=AGED))
    ims = AdobeIms(world.url)
    source = TokenSource(web(world), store, ims, state_dir=tmp_path)
    renewed = await source.token()
    assert await works(world, renewed)
    assert "safe on this machine" in caplog.text
    store.works = True
    after_a_crash = TokenSource(web(world), store, ims, state_dir=tmp_path)
    assert await after_a_crash.token() == renewed
    stored = await store.load()
    assert stored is not None
    assert stored.access_token.get_secret_value() == renewed
    assert calls(world, "ims.token") == 1
    assert not (tmp_path / "adobe.tokens.renewed").exists()


async def test_the_noted_pair_is_for_its_owner_only(world: Sandbox, tmp_path: Path) -> None:
    store = BrokenStore(signed_in(world, lasts=AGED))
    await TokenSource(web(world), store, AdobeIms(world.url), state_dir=tmp_path).token()
    assert (tmp_path / "adobe.tokens.renewed").stat().st_mode & 0o777 == 0o600


async def test_several_renewals_while_the_store_fails_lose_nothing(
    world: Sandbox, tmp_path: Path
) -> None:
    store = BrokenStore(signed_in(world, lasts=AGED))
    ims = AdobeIms(world.url)
    token = await TokenSource(web(world), store, ims, state_dir=tmp_path).token()
    for _ in range(3):
        again = TokenSource(web(world), store, ims, state_dir=tmp_path)
        token = await again.token(rejected=token)
    assert await works(world, token)
    assert calls(world, "ims.token") == 4


async def test_neither_store_nor_disk_keeps_the_pair_in_memory_until_one_works(
    world: Sandbox, tmp_path: Path
) -> None:
    store = BrokenStore(signed_in(world, lasts=AGED))
    (tmp_path / "adobe.tokens.renewed").mkdir()
    source = TokenSource(web(world), store, AdobeIms(world.url), state_dir=tmp_path)
    with pytest.raises(Retry) as raised:
        await source.token()
    assert raised.value.code == "adobe.tokens_not_saved"
    (tmp_path / "adobe.tokens.renewed").rmdir()
    store.works = True
    assert await works(world, await source.token())
    assert calls(world, "ims.token") == 1


async def test_a_later_sign_in_is_not_undone_by_a_noted_pair(
    world: Sandbox, tmp_path: Path
) -> None:
    old, stale, fresh = (signed_in(world) for _ in range(3))
    Journal(tmp_path / "adobe.tokens.renewed").write(stale, stored=old)
    source = await source_of(world, tmp_path, fresh)
    assert await source.token() == fresh.access_token.get_secret_value()


async def test_a_fresh_sign_in_is_adopted_at_once(world: Sandbox, tmp_path: Path) -> None:
    source = await source_of(world, tmp_path)
    tokens = signed_in(world)
    await source.adopt(tokens)
    assert await source.token() == tokens.access_token.get_secret_value()
    another = await source_of(world, tmp_path)
    assert await another.token() == tokens.access_token.get_secret_value()


class Withholding(httpx.AsyncHTTPTransport):
    """Adobe has answered, but the answer is still on its way to us."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = asyncio.Event()
        self.arrive = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        await response.aread()
        self.answered.set()
        await self.arrive.wait()
        return response


async def test_a_caller_that_is_cancelled_does_not_lose_the_pair(
    world: Sandbox, tmp_path: Path
) -> None:
    store, wire = FileTokenStore(tmp_path / "tokens.json"), Withholding()
    await store.save(signed_in(world, lasts=AGED))
    ims = AdobeIms(world.url, transport=wire)
    source = TokenSource(web(world), store, ims, state_dir=tmp_path)
    caller = asyncio.create_task(source.token())
    await wire.answered.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    wire.arrive.set()
    another = await source_of(world, tmp_path)
    assert await works(world, await another.token())
    assert calls(world, "ims.token") == 1


async def test_a_loop_that_ends_waits_for_the_pair(world: Sandbox, tmp_path: Path) -> None:
    """A flow that is cancelled closes its client, and then its process ends."""
    store = FileTokenStore(tmp_path / "tokens.json")
    await store.save(signed_in(world, lasts=AGED))

    async def cancelled_flow() -> None:
        wire = Withholding()
        ims = AdobeIms(world.url, transport=wire)
        source = TokenSource(web(world), store, ims, state_dir=tmp_path)
        caller = asyncio.create_task(source.token())
        await wire.answered.wait()
        caller.cancel()
        asyncio.get_running_loop().call_later(0.1, wire.arrive.set)
        await source.aclose()

    await asyncio.to_thread(asyncio.run, cancelled_flow())
    another = await source_of(world, tmp_path)
    assert await works(world, await another.token())
    assert calls(world, "ims.token") == 1


async def test_logs_and_errors_hold_no_token(
    world: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = signed_in(world, lasts=AGED)
    source = await source_of(world, tmp_path, tokens)
    renewed = await source.token()
    stored = json.loads((tmp_path / "tokens.json").read_text())
    secrets = [*tokens.reveal().values(), *stored.values(), renewed, world.client_secret]
    texts = [secret for secret in secrets if isinstance(secret, str) and len(secret) > 20]
    shown = caplog.text + repr(source) + repr(vars(source))
    assert len(texts) >= 6
    assert not [text for text in texts if text in shown and text != stored["expires_at"]]
