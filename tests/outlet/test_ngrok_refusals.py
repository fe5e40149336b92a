"""What becomes of an agent that does not come up, and of one that ngrok does not want."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from postflow.errors import Fatal, PostFlowError, Retry
from postflow.outlet.ngrok.errors import REFUSALS, refused
from tests.support.agents import Agents
from tests.support.wait import wait_until

NOWHERE = "http://127.0.0.1:9"


async def refusal_of(agents: Agents, *faults: dict[str, Any], **settings: Any) -> PostFlowError:
    with pytest.raises(PostFlowError) as caught:
        async with agents.provider(*faults, **settings).open(NOWHERE):
            raise AssertionError("A tunnel was opened.")
    return caught.value


@pytest.mark.parametrize(
    ("code", "kind"),
    [(102, Fatal), (105, Fatal), (107, Fatal), (108, Retry), (121, Fatal), (4018, Fatal)],
)
async def test_refusal_at_the_start_keeps_ngroks_code(
    agents: Agents, code: int, kind: type[PostFlowError]
) -> None:
    error = await refusal_of(agents, {"what": "agent_refuse", "code": code})
    assert type(error) is kind
    assert error.code == f"tunnel.ngrok.{code}"
    assert error.hint == REFUSALS[code].hint


@pytest.mark.parametrize(("code", "kind"), [(324, Fatal), (334, Retry), (15002, Fatal)])
async def test_refusal_of_the_endpoint_keeps_ngroks_code(
    agents: Agents, code: int, kind: type[PostFlowError]
) -> None:
    """pyngrok leaves this code in the answer's body only."""
    error = await refusal_of(agents, {"what": "agent_refuse", "code": code})
    assert (type(error), error.code) == (kind, f"tunnel.ngrok.{code}")


@pytest.mark.parametrize("token", ["made up", "2wellFormed_butNotValid0123456789"])
async def test_wrong_authtoken_is_refused_for_good(agents: Agents, token: str) -> None:
    error = await refusal_of(agents, given=token)
    assert isinstance(error, Fatal)
    assert error.code == ("tunnel.ngrok.105" if " " in token else "tunnel.ngrok.107")


async def test_address_in_use_is_waited_for(agents: Agents) -> None:
    """As after a crash, while ngrok still believes in the predecessor."""
    provider = agents.provider(domain="studio.ngrok.app", open_timeout=60)
    async with provider.open(NOWHERE) as first:
        second = asyncio.ensure_future(provider.open(NOWHERE).__aenter__())
        await wait_until(lambda: len(agents.processes()) == 2, description="a second agent")
        await wait_until(lambda: len(agents.processes()) == 1, description="its refusal")
        assert not second.done()
        await first.close()
        tunnel = await second
        assert tunnel.public_url == first.public_url
        await tunnel.close()


@pytest.fixture
async def one_refusal() -> AsyncIterator[str]:
    """A sandbox that has one refusal for the first agent that asks."""
    armed: list[dict[str, Any]] = [{"what": "agent_refuse", "code": 108}]

    async def faults(request: web.Request) -> web.Response:
        now = [] if "running" in request.query else [armed.pop() for _ in armed[:1]]
        return web.json_response(now)

    application = web.Application()
    application.router.add_get("/sandbox/agent/faults", faults)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_passing_refusal_is_tried_again(
    agents: Agents, one_refusal: str, caplog: pytest.LogCaptureFixture
) -> None:
    ngrok = agents.ngrok(control_url=one_refusal)
    async with agents.provider(ngrok=ngrok, open_timeout=60).open(NOWHERE) as tunnel:
        await tunnel.check()
    assert "as many agents as its plan allows. Trying again in" in caplog.text


@pytest.mark.parametrize(
    ("fault", "timeout", "code"),
    [
        ("agent_hang", 2, "silent"),
        ("agent_web_only", 2, "silent"),
        ("agent_offline", 8, "network"),
        ("agent_silent_exit", 30, "ended"),
    ],
)
async def test_agent_that_does_not_come_up_is_stopped_in_time(
    agents: Agents, fault: str, timeout: float, code: str
) -> None:
    """pyngrok alone would wait for ever for the first two."""
    error = await refusal_of(agents, {"what": fault}, startup_timeout=timeout)
    assert (type(error), error.code) == (Retry, f"tunnel.ngrok.{code}")


async def test_lost_network_is_tried_again_until_the_total_limit(
    agents: Agents, caplog: pytest.LogCaptureFixture
) -> None:
    error = await refusal_of(
        agents, {"what": "agent_offline"}, startup_timeout=8, open_timeout=15, longest_pause=0.05
    )
    assert error.code == "tunnel.ngrok.network"
    assert "no such host" in error.message
    assert 1 <= caplog.text.count("Trying again in") <= 3


def test_every_known_code_has_a_remedy() -> None:
    for number in REFUSALS:
        error = refused(number)
        assert error.code == f"tunnel.ngrok.{number}"
        assert error.message.endswith(".")
        assert error.hint.endswith(".")


def test_unknown_code_leads_to_ngroks_page_about_it() -> None:
    assert "err_ngrok_9999" in refused(9999).hint


CAGES = {
    "a snap": "ERROR:  Error reading configuration file '$a': open $a: permission denied",
    "a snap, outside the home": "ERROR:  Error reading configuration file '$a': open $a: "
    "no such file or directory",
    "SELinux": "ERROR:  open $a: operation not permitted",
    "a snap that may not even complain": "",
}


@pytest.mark.parametrize("complaint", CAGES.values(), ids=list(CAGES))
async def test_an_agent_in_a_cage_is_told_apart(agents: Agents, complaint: str) -> None:
    """It says its version, and may not read what PostFlow wrote for it."""
    caged = agents.folder / "snap" / "ngrok"
    caged.parent.mkdir()
    agent = shlex.quote(str(agents.ngrok()))
    caged.write_text(
        f"""#!/bin/sh
case "$1" in --version) exec {agent} --version;; esac
for a in "$@"; do case "$a" in */state/*) [ -n "{complaint}" ] && echo "{complaint}" >&2; exit 1;;
esac; done
exec {agent} "$@"
"""
    )
    caged.chmod(0o755)
    error = await refusal_of(agents, ngrok=caged)
    assert (type(error), error.code) == (Fatal, "tunnel.ngrok.confined")
    assert str(agents.state) in error.message
    for way_out in ("POSTFLOW_NGROK_PATH", "POSTFLOW_STATE_DIR", "ngrok.com/download"):
        assert way_out in error.hint
