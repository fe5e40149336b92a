"""The look from outside, against servers that answer in all the wrong ways."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from pydantic import SecretStr

from postflow.errors import Fatal, PostFlowError, Retry
from postflow.outlet.probe import probe
from tests.support.agents import Agents

SIZE = 1234
NOBODYS = SecretStr("http://127.0.0.1:9/secret-token")
Answer = Callable[[web.Request], web.Response]


def whole(_: web.Request) -> web.Response:
    return web.Response(headers={"Content-Length": str(SIZE)})


def edge(code: int, status: int = 404) -> Answer:
    headers = {"ngrok-error-code": f"ERR_NGROK_{code}"}
    return lambda _: web.Response(status=status, headers=headers)


@dataclass
class Public:
    """A public side that gives `answers` in turn, and the last one ever after."""

    answers: list[Answer] = field(default_factory=lambda: [whole])
    seen: list[web.Request] = field(default_factory=list)
    url: SecretStr = NOBODYS

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request)


@pytest.fixture
async def public() -> AsyncIterator[Public]:
    public = Public()
    application = web.Application()
    application.router.add_head("/{path:.*}", public.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    public.url = SecretStr(f"http://127.0.0.1:{runner.addresses[0][1]}/secret-token/clip.mov")
    yield public
    await runner.cleanup()


async def finding(public: Public) -> PostFlowError:
    with pytest.raises(PostFlowError) as found:
        await probe(public.url, SIZE, timeout=1.0)
    return found.value


async def test_right_answer_passes_without_a_warning(public: Public) -> None:
    assert await probe(public.url, SIZE) is None


async def test_asks_as_a_program_and_as_a_browser(public: Public) -> None:
    await probe(public.url, SIZE)
    agents = [request.headers["User-Agent"] for request in public.seen]
    assert ["Mozilla" in agent for agent in agents] == [False, True]


async def test_new_address_may_take_its_time(public: Public) -> None:
    public.answers = [edge(3200), edge(3200), whole]
    await probe(public.url, SIZE)
    assert len(public.seen) == 4


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda _: web.Response(status=404), "tunnel.status"),
        (lambda _: web.Response(status=301, headers={"Location": "/"}), "tunnel.status"),
        (lambda _: web.Response(headers={"Content-Length": "1233"}), "tunnel.size"),
        (edge(3200), "tunnel.ngrok.3200"),
        (edge(8012, 502), "tunnel.ngrok.8012"),
        (edge(3004, 502), "tunnel.ngrok.3004"),
        (edge(702, 429), "tunnel.ngrok.702"),
    ],
)
async def test_what_stays_wrong_can_be_tried_again(
    public: Public, answer: Answer, code: str
) -> None:
    public.answers = [answer]
    error = await finding(public)
    assert (type(error), error.code) == (Retry, code)
    assert len(public.seen) > 1


@pytest.mark.parametrize("code", [725, 726, 727, 6024, 3208])
async def test_what_no_time_mends_is_told_at_once(public: Public, code: int) -> None:
    public.answers = [edge(code, 403)]
    error = await finding(public)
    assert (type(error), error.code) == (Fatal, f"tunnel.ngrok.{code}")
    assert len(public.seen) == 1


async def test_edges_own_page_is_not_taken_for_the_file(public: Public) -> None:
    """The warning page comes with 200, and could by chance have the right length."""
    headers = {"ngrok-error-code": "ERR_NGROK_6024", "Content-Length": str(SIZE)}
    public.answers = [lambda _: web.Response(headers=headers)]
    assert (await finding(public)).code == "tunnel.ngrok.6024"


async def test_nobody_there_can_be_tried_again() -> None:
    with pytest.raises(Retry) as found:
        await probe(NOBODYS, SIZE, timeout=0.1)
    assert found.value.code == "tunnel.unreachable"


@pytest.mark.parametrize("answers", [[whole], [edge(725)], [edge(3200)]])
async def test_url_is_in_no_log_and_no_error(
    public: Public, answers: list[Answer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    public.answers = answers
    told = ""
    try:
        await probe(public.url, SIZE, timeout=0.1)
    except PostFlowError as error:
        told = "".join(traceback.format_exception(error))
    assert "secret-token" not in told + caplog.text


async def test_url_of_nobody_is_in_no_error() -> None:
    with pytest.raises(Retry) as found:
        await probe(NOBODYS, SIZE, timeout=0.1)
    told = "".join(traceback.format_exception(found.value))
    assert "127.0.0.1" not in told
    assert "secret-token" not in told


async def test_free_plan_is_a_warning_through_the_real_tunnel(
    agents: Agents, files_url: str
) -> None:
    """Only browsers get ngrok's page; Frame.io's fetcher may or may not look like one."""
    (agents.folder / "files" / "clip.mov").write_bytes(bytes(SIZE))
    async with agents.provider({"what": "free_plan", "requests": -1}).open(files_url) as tunnel:
        url = SecretStr(f"{tunnel.public_url.get_secret_value()}/clip.mov")
        warning = await probe(url, SIZE)
    assert warning is not None
    assert "free plan" in warning


async def test_used_up_quota_is_fatal_through_the_real_tunnel(
    agents: Agents, files_url: str
) -> None:
    (agents.folder / "files" / "clip.mov").write_bytes(bytes(SIZE))
    async with agents.provider({"what": "quota_page"}).open(files_url) as tunnel:
        url = SecretStr(f"{tunnel.public_url.get_secret_value()}/clip.mov")
        with pytest.raises(Fatal) as found:
            await probe(url, SIZE)
        assert found.value.code == "tunnel.ngrok.725"
        assert await probe(url, SIZE) is None


async def test_local_server_that_is_down_is_seen_through_the_real_tunnel(agents: Agents) -> None:
    async with agents.provider().open("http://127.0.0.1:9") as tunnel:
        with pytest.raises(Retry) as found:
            await probe(tunnel.public_url, SIZE, timeout=0.3)
    assert found.value.code == "tunnel.ngrok.8012"
