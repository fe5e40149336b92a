"""What the client does about refusals, faults, ageing tokens and rate limits."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from postflow.errors import Fatal, PostFlowError, Retry
from postflow.frameio import CallRetries, FrameioClient
from postflow.frameio.client import Shared
from postflow.models import Project
from postflow.sandbox import Sandbox
from tests.frameio.connecting import (
    QUICK,
    answering,
    calls,
    connected,
    revoke,
    signed_in,
    source_of,
)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, Fatal, "frameio.refused"),
        (402, Fatal, "frameio.refused"),
        (403, Fatal, "frameio.forbidden"),
        (404, Fatal, "frameio.not_found"),
        (409, Fatal, "frameio.conflict"),
        (418, Fatal, "frameio.refused"),
        (422, Fatal, "frameio.refused"),
        (429, Retry, "frameio.busy"),
        (500, Retry, "frameio.busy"),
        (502, Retry, "frameio.busy"),
        (503, Retry, "frameio.busy"),
    ],
)
async def test_a_lasting_refusal_has_a_class_a_code_and_a_remedy(
    world: Sandbox,
    client: FrameioClient,
    status: int,
    kind: type[PostFlowError],
    code: str,
) -> None:
    world.fault("status", where="me", code=status, times=50)
    with pytest.raises(kind) as raised:
        await client.accounts.me()
    assert raised.value.code == code
    assert raised.value.hint
    assert "who is signed in" in raised.value.message


async def test_the_words_of_frameio_and_its_pointer_are_passed_on() -> None:
    problem = {"detail": "String length is larger than maxLength: 255.", "title": "Invalid value"}
    problem |= {"source": {"pointer": "/data/name"}}  # type: ignore[dict-item]
    secret = f"x.ngrok.app/v1/{'canary' * 7}/a.mov"
    odd = {"detail": f"Also https://secret.example/canary is bad, and {secret} \x1b[31mtoo"}
    body = {"errors": [problem, odd]}
    async with answering(lambda _: httpx.Response(422, json=body)) as client:
        with pytest.raises(Fatal) as raised:
            await client.accounts.me()
    assert "larger than maxLength: 255 (at /data/name)." in raised.value.message
    assert "Also [address] is bad, and [address] \ufffd[31mtoo." in raised.value.message


@pytest.mark.parametrize("status", [200, 403, 404, 502])
async def test_a_page_of_a_proxy_is_no_answer_of_frameio(status: int) -> None:
    page = "<html>Sign in to the hotel's network</html>"
    async with answering(lambda _: httpx.Response(status, html=page)) as client:
        with pytest.raises(Retry) as raised:
            await client.accounts.all()
    assert "hotel" not in str(raised.value)


async def test_a_redirect_is_named() -> None:
    elsewhere = {"location": "https://elsewhere.example"}
    async with answering(lambda _: httpx.Response(301, headers=elsewhere)) as client:
        with pytest.raises(Fatal) as raised:
            await client.accounts.me()
    assert raised.value.code == "frameio.redirected"


@pytest.mark.parametrize(
    "address", ["/v4/accounts?after=again", "\0", "/v4/accounts"], ids=["circle", "odd", "bare"]
)
async def test_pages_that_lead_nowhere_end_in_an_error(address: str) -> None:
    page = {"data": [], "links": {"next": address}}
    async with answering(lambda _: httpx.Response(200, json=page)) as client:
        with pytest.raises(Retry) as raised:
            await client.accounts.all()
    assert raised.value.code == "frameio.unreadable"


async def test_pages_that_bring_nothing_new_end_in_an_error() -> None:
    turns = itertools.count()

    def page(_: httpx.Request) -> httpx.Response:
        links = {"next": f"/v4/accounts?after={next(turns)}"}
        return httpx.Response(200, json={"data": [{"id": "one"}], "links": links})

    async with answering(page) as client:
        with pytest.raises(Retry) as raised:
            await asyncio.wait_for(client.accounts.all(), 30)
    assert raised.value.code == "frameio.unreadable"


async def test_an_id_cannot_climb_out_of_its_place_in_the_path() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(404)

    async with answering(answer) as client:
        with pytest.raises(Fatal):
            await client.projects.show("../../me?x=", "adobe:1/2")
    assert asked == ["/v4/accounts/..%2F..%2Fme%3Fx%3D/projects/adobe:1%2F2"]


async def test_nobody_there_can_be_retried(world: Sandbox, tmp_path: Path) -> None:
    source = await source_of(world, tmp_path, signed_in(world))
    client = FrameioClient(source, base_url="http://127.0.0.1:9", retries=QUICK, shared=Shared())
    async with client:
        with pytest.raises(Retry) as raised:
            await client.accounts.me()
    assert raised.value.code == "frameio.unreachable"


async def test_an_answer_that_never_ends_is_given_up(world: Sandbox, tmp_path: Path) -> None:
    world.fault("delay", where="me", seconds=600, times=2)
    hasty = QUICK.model_copy(update={"attempts": 2})
    async with connected(world, tmp_path, timeout=0.1, retries=hasty) as client:
        with pytest.raises(Retry) as raised:
            await client.accounts.me()
    world.release()
    assert raised.value.code == "frameio.unreachable"


@pytest.mark.parametrize(
    "fault",
    [
        {"what": "status", "code": 500, "times": 4},
        {"what": "reset", "times": 4},
        {"what": "lost_answer", "times": 4},
        {"what": "rate_limited", "times": 9},
        {"what": "token_expiry"},
    ],
    ids=lambda fault: str(fault["what"]),
)
async def test_a_passing_fault_of_a_question_is_not_noticed(
    world: Sandbox, client: FrameioClient, fault: dict[str, Any]
) -> None:
    world.fault(where="me", **fault)
    assert (await client.accounts.me()).id


async def test_a_token_that_ages_on_the_way_is_renewed_once(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    await client.accounts.me()
    world.fault("token_expiry", where="folders.list")
    await client.folders.ensure(project, ("SQ07", "UNDLM_00152"))
    assert calls(world, "ims.token") == 1


async def test_twenty_calls_whose_token_ages_at_once_renew_it_once(
    world: Sandbox, client: FrameioClient
) -> None:
    world.fault("token_expiry", where="me")
    await asyncio.gather(*(client.accounts.me() for _ in range(20)))
    assert calls(world, "ims.token") == 1


async def test_a_missing_scope_is_named_as_the_usual_cause(world: Sandbox, tmp_path: Path) -> None:
    tokens = signed_in(world, scope="openid,email,profile,offline_access")
    async with connected(world, tmp_path, tokens) as client:
        with pytest.raises(Fatal) as raised:
            await client.accounts.me()
    assert raised.value.code == "frameio.unauthorized"
    assert "additional_info.roles" in raised.value.hint
    assert "postflow check" in raised.value.hint
    assert calls(world, "ims.token") == 1


async def test_a_sign_in_that_was_revoked_says_to_sign_in_again(
    world: Sandbox, tmp_path: Path
) -> None:
    tokens = signed_in(world)
    assert tokens.refresh_token is not None
    await revoke(world, tokens.refresh_token)
    await revoke(world, tokens.access_token)
    async with connected(world, tmp_path, tokens) as client:
        with pytest.raises(Fatal) as raised:
            await client.accounts.me()
    assert raised.value.code == "adobe.signed_out"


async def test_a_hundred_clips_at_once_stay_within_the_rate_limits(
    tmp_path: Path, source_url: SecretStr
) -> None:
    """Real proportions, ten times as fast: 5 calls in 100 ms, then one every 20 ms. A busy machine
    holds calls up on their way, so that some meet; unpaced, not all of them would get through.
    """
    with Sandbox(rate_scale=10) as world:
        async with connected(world, tmp_path) as client:
            root = await client.folders.ensure(await client.projects.find(world.project_id), ())
            remote = await client.files.remote_upload(root, "a.mov", source_url, known=frozenset())
            await asyncio.gather(*(client.files.status(remote) for _ in range(100)))
        asked = [request for request in world.requests() if request["op"] == "files.status"]
        refused = [request for request in asked if request["status"] == 429]
        assert len(asked) - len(refused) == 100
        assert len(refused) <= 40


async def test_two_clients_that_know_nothing_of_each_other_both_get_through(
    tmp_path: Path, source_url: SecretStr
) -> None:
    """As two hosts on one account: each learns from the headers and the 429s."""
    with Sandbox(rate_scale=10) as world:

        async def work(host: str) -> None:
            async with connected(world, tmp_path / host, shared=Shared()) as client:
                project = await client.projects.find(world.project_id)
                root = await client.folders.ensure(project, ())
                remote = await client.files.remote_upload(root, host, source_url, known=frozenset())
                await asyncio.gather(*(client.files.status(remote) for _ in range(30)))

        await asyncio.gather(work("one"), work("two"))


async def test_a_rate_limit_that_does_not_end_can_be_retried_later(
    world: Sandbox, client: FrameioClient
) -> None:
    world.fault("rate_limited", where="me", times=None)
    with pytest.raises(Retry) as raised:
        await client.accounts.me()
    assert raised.value.code == "frameio.busy"
    assert raised.value.retry_after is not None
    assert calls(world, "me") == CallRetries().refusals


async def test_a_429_is_waited_out_even_when_its_headers_claim_room() -> None:
    asked: list[float] = []
    room = {
        "x-ratelimit-limit": "10",
        "x-ratelimit-remaining": "9",
        "x-ratelimit-window": "1000",
    }

    def answer(_request: httpx.Request) -> httpx.Response:
        asked.append(time.monotonic())
        if len(asked) < 3:
            return httpx.Response(429, headers=room)
        return httpx.Response(200, json={"data": [], "links": {"next": None}})

    async with answering(answer) as client:
        await client.accounts.all()
    assert all(later - earlier > 0.05 for earlier, later in pairwise(asked))


async def test_retry_after_is_obeyed() -> None:
    asked: list[float] = []

    def answer(_request: httpx.Request) -> httpx.Response:
        asked.append(time.monotonic())
        status = {1: 429, 2: 503}.get(len(asked), 200)
        body = {"data": [], "links": {"next": None}}
        return httpx.Response(status, headers={"retry-after": "0.3"}, json=body)

    async with answering(answer) as client:
        await client.accounts.all()
    assert len(asked) == 3
    assert all(later - earlier > 0.25 for earlier, later in pairwise(asked))


@pytest.mark.parametrize("asked_for", ["3600", "in an hour"])
async def test_whoever_is_asked_to_come_back_much_later_does_not_wait_here(asked_for: str) -> None:
    calls = 0

    def answer(_request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        when = later if asked_for == "in an hour" else asked_for
        return httpx.Response(429, headers={"retry-after": when})

    async with answering(answer) as client:
        for _ in range(2):
            with pytest.raises(Retry) as raised:
                await client.accounts.me()
            assert 3500 < (raised.value.retry_after or 0) <= 3601
    assert calls == 1


async def test_clients_of_one_process_share_what_they_learnt(
    world: Sandbox, tmp_path: Path, project: Project
) -> None:
    """Tasks open and close their own clients: folders stay known, rates stay learnt."""
    async with connected(world, tmp_path, shared=None) as first:
        folder = await first.folders.ensure(project, ("SQ07",))
    before = len(world.requests())
    async with connected(world, tmp_path, shared=None) as second:
        assert await second.folders.ensure(project, ("SQ07",)) == folder
    assert len(world.requests()) == before


async def test_logs_errors_and_representations_hold_no_secret(
    world: Sandbox, tmp_path: Path, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens, address = signed_in(world), "http://127.0.0.1:9/canary-5e1f/clip.mov"
    raised: list[BaseException | None] = []
    async with connected(world, tmp_path, tokens) as client:
        folder = await client.folders.ensure(project, ("SQ07",))
        for fault in ("lost_answer", "reset", "token_expiry", "rate_limited"):
            world.fault(fault, where="files.remote_upload", times=3)
            try:
                await client.files.remote_upload(
                    folder, "a.mov", SecretStr(address), known=frozenset()
                )
            except PostFlowError as error:
                raised.extend([error, error.__cause__, error.__context__])
    shown = caplog.text + "".join(f"{error!r} {error}" for error in raised) + repr(client)
    plain = tokens.reveal()
    for secret in (plain["access_token"], plain["refresh_token"], "canary-5e1f"):
        assert secret not in shown
