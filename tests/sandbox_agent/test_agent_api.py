"""The stand-in's local API, in both shapes."""

from __future__ import annotations

import signal
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.sandbox_agent.conftest import RunningAgent, Starter
from tests.support.wait import wait_until

NOWHERE = "http://127.0.0.1:9"


async def add(
    http: aiohttp.ClientSession, agent: RunningAgent, name: str = "a", **options: Any
) -> tuple[int, dict[str, Any]]:
    body = {"name": name, "upstream": {"url": NOWHERE}, **options}
    async with http.post(f"{agent.api}/api/endpoints", json=body) as answer:
        return answer.status, await answer.json()


async def get(http: aiohttp.ClientSession, url: str) -> tuple[int, dict[str, Any]]:
    async with http.get(url) as answer:
        return answer.status, await answer.json()


async def test_new_endpoint_is_shown_as_a_tunnel(
    start: Starter, http: aiohttp.ClientSession
) -> None:
    agent = start.ready()
    status, tunnel = await add(http, agent, "a/b c")
    assert status == 201
    assert tunnel["public_url"].startswith("http://127.0.0.1:")
    assert tunnel["uri"] == "/api/endpoints/a%2Fb%20c"
    assert tunnel["config"]["addr"] == NOWHERE
    assert await get(http, agent.api + tunnel["uri"]) == (200, tunnel)


async def test_list_shows_endpoints_and_tunnels_each_in_its_shape(
    start: Starter, http: aiohttp.ClientSession
) -> None:
    agent = start.ready()
    _, tunnel = await add(http, agent)
    _, endpoints = await get(http, f"{agent.api}/api/endpoints")
    _, tunnels = await get(http, f"{agent.api}/api/tunnels")
    assert [e["url"] for e in endpoints["endpoints"]] == [tunnel["public_url"]]
    assert [t["public_url"] for t in tunnels["tunnels"]] == [tunnel["public_url"]]


async def test_tunnel_api_opens_by_port(start: Starter, http: aiohttp.ClientSession) -> None:
    agent = start.ready()
    body = {"name": "old", "addr": "8000", "proto": "http"}
    async with http.post(f"{agent.api}/api/tunnels", json=body) as answer:
        tunnel = await answer.json()
    assert (answer.status, tunnel["uri"]) == (201, "/api/tunnels/old")
    assert tunnel["config"]["addr"] == "http://127.0.0.1:8000"


async def test_deleted_endpoint_is_gone_from_list_and_port(
    start: Starter, http: aiohttp.ClientSession
) -> None:
    agent = start.ready()
    _, tunnel = await add(http, agent)
    for status in (204, 404):
        async with http.delete(agent.api + tunnel["uri"]) as answer:
            assert answer.status == status
    assert (await get(http, f"{agent.api}/api/endpoints"))[1]["endpoints"] == []
    with pytest.raises(aiohttp.ClientConnectorError):
        await http.get(tunnel["public_url"])


@pytest.mark.parametrize(
    "options",
    [{"subdomain": "x"}, {"upstream": {}}, {"name": ""}, {"name": "a"}],
    ids=["unknown field", "no upstream", "no name", "name in use"],
)
async def test_invalid_request_is_refused(
    start: Starter, http: aiohttp.ClientSession, options: dict[str, Any]
) -> None:
    agent = start.ready()
    await add(http, agent, "a")
    status, body = await add(http, agent, **{"name": "b", **options})
    assert (status, body["error_code"], body["msg"]) == (400, 102, "invalid tunnel configuration")


async def test_fourth_endpoint_is_one_too_many(start: Starter, http: aiohttp.ClientSession) -> None:
    agent = start.ready()
    for name in "abc":
        assert (await add(http, agent, name))[0] == 201
    status, body = await add(http, agent, "d")
    assert (status, body["error_code"], body["msg"]) == (502, 103, "failed to start tunnel")
    assert body["details"]["err"].endswith("\r\n\r\nERR_NGROK_324\r\n")


async def test_domain_leads_to_one_port_and_to_one_endpoint(
    start: Starter, http: aiohttp.ClientSession
) -> None:
    agent = start.ready()
    url = "https://studio.ngrok.app"
    _, first = await add(http, agent, "a", url=url)
    status, body = await add(http, agent, "b", url=url)
    assert status == 502
    assert f"'{url}' is already online" in body["details"]["err"]
    await http.delete(agent.api + first["uri"])
    assert (await add(http, agent, "b", url=url))[1]["public_url"] == first["public_url"]


async def test_old_agent_knows_tunnels_only(start: Starter, http: aiohttp.ClientSession) -> None:
    agent = start.ready(version="3.29.0")
    assert (await get(http, f"{agent.api}/api/endpoints"))[0] == 404
    assert (await get(http, f"{agent.api}/api/tunnels"))[0] == 200


async def test_every_call_is_a_line(start: Starter, http: aiohttp.ClientSession) -> None:
    """pyngrok looks at its clock only when a line arrives."""
    agent = start.ready()
    await get(http, f"{agent.api}/api/endpoints")
    agent.process.terminate()
    lines = agent.rest().splitlines()
    assert "msg=start pg=/api/endpoints" in lines[0]
    assert "msg=end pg=/api/endpoints" in lines[1]
    assert lines[1].endswith("status=200")


async def test_status_tells_a_lost_session(start: Starter, http: aiohttp.ClientSession) -> None:
    agent = start.ready()
    assert (await get(http, f"{agent.api}/api/status"))[1]["status"] == "online"
    await http.post(f"{agent.api}/standin/faults", json={"what": "drop", "seconds": 60})
    assert (await get(http, f"{agent.api}/api/status"))[1]["status"] == "reconnecting"
    assert (await add(http, agent))[0] == 503


async def test_faults_are_fetched_from_a_sandbox(start: Starter) -> None:
    """Once at the start, and then again and again while it runs."""
    calls: list[str] = []

    async def faults(request: web.Request) -> web.Response:
        calls.append(request.query_string)
        return web.json_response([{"what": "agent_crash"}] if len(calls) == 3 else [])

    application = web.Application()
    application.router.add_get("/sandbox/agent/faults", faults)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    process = start.launch(control_url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    await wait_until(lambda: process.poll() is not None, description="the crash")
    await runner.cleanup()
    assert process.returncode == -signal.SIGKILL
    assert calls == ["", "running=1", "running=1"]
