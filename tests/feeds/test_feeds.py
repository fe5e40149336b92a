"""What happened is told to a real receiver, in order, once, through whatever happens to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr, ValidationError

from postflow.errors import Fatal
from postflow.feeds import Alarm, FeedRelay, Hook
from postflow.feeds.relay import Sink
from postflow.ledger import (
    Announcement,
    AsyncLedger,
    Root,
    claims,
    feeds,
    leases,
    open_ledger,
    outbox,
    roots,
    transitions,
)
from postflow.naming import Naming
from tests.ledger.ground import BROKEN, add, bring_to_arrived
from tests.support.wait import wait_until

SECRET = "a secret of this test's own"
PATH = "/only-we-know"


class Receiver:
    """A program of the studio's, or a service that Apprise knows; `answers` come first."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[int] = []
        self.told: list[dict[str, Any]] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.answers and (status := self.answers.pop(0)) != 200:
            return web.Response(status=status)
        if "webhook-id" in request.headers:
            assert request.headers["webhook-signature"] == signature(request, body)
        self.told.append(json.loads(body))
        return web.Response()

    @property
    def kinds(self) -> list[str]:
        return [each["kind"] for each in self.told]


def signature(request: web.Request, body: bytes) -> str:
    """As a receiver of the studio's would reckon it."""
    head = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}."
    digest = hmac.digest(SECRET.encode(), head.encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}{PATH}"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[AsyncLedger]:
    async with open_ledger(str(tmp_path / "ledger.db")) as ledger:
        yield ledger


@pytest.fixture
async def root(ledger: AsyncLedger, tmp_path: Path) -> Root:
    return await ledger.run(roots.add, "main", tmp_path, "mark-1")


def hook(receiver: Receiver) -> Hook:
    return Hook(url=SecretStr(receiver.url), secret=SecretStr(SECRET))


def alarm(receiver: Receiver) -> Alarm:
    """Apprise's own service for any program: https://github.com/caronc/apprise/wiki/Notify_Custom_JSON"""
    return Alarm(url=SecretStr(receiver.url.replace("http://", "json://")))


def relay(ledger: AsyncLedger, sink: Sink, run_id: str = "run-1") -> FeedRelay:
    return FeedRelay(ledger, Naming.preset(), "main", run_id, sink, pulse=0.05)


async def start(ledger: AsyncLedger, *run_ids: str) -> None:
    for run_id in run_ids:
        await ledger.run(leases.start, run_id)


async def deliver_one_and_fail_one(ledger: AsyncLedger, root: Root) -> None:
    add(ledger.ledger, root, "SQ07_UNDLM_00152_v003.mov")
    add(ledger.ledger, root, "SQ07_001_v001.mov")
    one, other = await ledger.run(claims.claim, "run-1", limit=2)
    await ledger.run(transitions.done, bring_to_arrived(ledger.ledger, one))
    await ledger.run(transitions.fail, other, BROKEN)


def notice(title: str) -> Announcement:
    payload = {"title": title, "description": "the volume \\_Post\\_ is away"}
    return Announcement(key=f"main/notice-{title}", channel="main", payload=payload)


async def test_a_program_is_told_of_each_delivery_failure_and_notice_once(
    ledger: AsyncLedger, root: Root, receiver: Receiver
) -> None:
    await start(ledger, "run-1")
    receiver.answers = [200, 503, 200]
    async with relay(ledger, hook(receiver)):
        await deliver_one_and_fail_one(ledger, root)
        await ledger.run(outbox.enqueue, notice("A watched folder is lost"))
        await wait_until(lambda: len(receiver.told) == 3, description="three events")
    assert receiver.kinds == ["delivered", "failed", "notice"]
    delivered, failed, _ = receiver.told
    assert delivered["view_url"] == "https://next.frame.io/file-1"
    assert delivered["folder"] == "2_FROM_ANIM/SQ07"
    assert (delivered["sequence"], delivered["shot"]) == ("SQ07", "00152")
    assert (failed["reason"], failed["hint"]) == (BROKEN.message, BROKEN.hint)
    assert await ledger.run(feeds.troubles) == {}


async def test_what_happened_while_nobody_told_is_told_by_the_next_run(
    ledger: AsyncLedger, root: Root, receiver: Receiver
) -> None:
    await start(ledger, "run-1", "run-2")
    receiver.answers = [404] * 3
    async with relay(ledger, hook(receiver)):
        await deliver_one_and_fail_one(ledger, root)
        await wait_until(lambda: len(receiver.answers) < 3, description="a refusal")
    assert "[studio.hook]" in (await ledger.run(feeds.troubles, "main"))["main/hook"]
    receiver.answers = []
    async with relay(ledger, hook(receiver), "run-2"):
        await wait_until(lambda: len(receiver.told) == 2, description="two events")
    assert receiver.kinds == ["delivered", "failed"]


async def test_of_two_runs_one_tells_and_the_other_goes_on_when_that_ends(
    ledger: AsyncLedger, root: Root, receiver: Receiver
) -> None:
    await start(ledger, "run-1", "run-2")
    async with relay(ledger, hook(receiver), "run-2"):
        async with relay(ledger, hook(receiver)):
            await deliver_one_and_fail_one(ledger, root)
            await wait_until(lambda: len(receiver.told) == 2, description="two events")
        await ledger.run(outbox.enqueue, notice("Once more"))
        await wait_until(lambda: len(receiver.told) == 3, description="the notice")
    assert receiver.kinds == ["delivered", "failed", "notice"]


async def test_an_event_that_a_program_refuses_does_not_hold_up_the_next(
    ledger: AsyncLedger, root: Root, receiver: Receiver
) -> None:
    await start(ledger, "run-1")
    receiver.answers = [422]
    async with relay(ledger, hook(receiver)):
        await deliver_one_and_fail_one(ledger, root)
        await wait_until(lambda: receiver.told, description="an event")
    assert receiver.kinds == ["failed"]


async def test_an_alarm_tells_of_failures_and_notices_in_plain_words_and_hides_its_address(
    ledger: AsyncLedger, root: Root, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await start(ledger, "run-1")
    receiver.answers = [500]
    async with relay(ledger, alarm(receiver)):
        await deliver_one_and_fail_one(ledger, root)
        await ledger.run(outbox.enqueue, notice("A watched folder is lost"))
        await wait_until(lambda: len(receiver.told) == 2, description="two alarms")
    failed, lost = receiver.told
    assert failed["title"] == "SQ07_001_v001.mov has failed"
    assert BROKEN.message in failed["message"]
    assert BROKEN.hint in failed["message"]
    assert (lost["title"], lost["message"]) == (
        "A watched folder is lost",
        "the volume _Post_ is away",
    )
    assert "was not taken" in caplog.text
    assert PATH not in caplog.text


async def test_an_address_that_apprise_does_not_know_is_refused_without_showing_it() -> None:
    with pytest.raises(Fatal, match=r"nonsense://…") as refused:
        await Alarm(url=SecretStr("nonsense://hidden@host")).tell("title", "text")
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "secret"),
    [("http://studio.example/hook", SECRET), ("https://studio.example", "short"), ("x", SECRET)],
)
def test_a_hook_that_is_not_safe_is_refused_without_showing_it(url: str, secret: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Hook(url=SecretStr(url), secret=SecretStr(secret))
    assert url not in str(refused.value) or url == "x"


def test_a_call_is_signed_as_the_standard_says() -> None:
    """The example of https://www.standardwebhooks.com."""
    one = Hook(
        url=SecretStr("https://studio.example"),
        secret=SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    )
    signed = one.signed("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330)
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
