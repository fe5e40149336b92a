"""The control addresses tell what is there and what happened."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from postflow.sandbox import Sandbox
from tests.sandbox.caller import Caller, Source, wait_for_status


def get(world: Sandbox, path: str) -> Any:
    return httpx.get(f"{world.url}/sandbox{path}").json()


def test_description_has_everything_a_set_up_needs(world: Sandbox) -> None:
    description = world.describe()

    assert get(world, "") == description
    assert set(description) == {
        "url",
        "account_id",
        "workspace_id",
        "project_id",
        "project_name",
        "root_folder_id",
        "client_id",
        "client_secret",
        "public_client_id",
        "discord_webhook_url",
        "ngrok_path",
        "ngrok_authtoken",
    }
    assert all(description.values())
    assert {name: getattr(world, name) for name in description} == description


def test_reports_are_the_same_over_http(world: Sandbox, caller: Caller, source: Source) -> None:
    file = caller.upload(caller.folder("SQ07"), "clip.mov", source.url)
    wait_for_status(world, file, "transcoded")
    httpx.post(world.discord_webhook_url, json={"content": "ready"})

    assert get(world, "/assets") == world.assets()
    assert get(world, "/folders") == world.folders()
    assert get(world, "/messages") == world.messages()
    assert get(world, "/requests") == world.requests()
    assert [message["content"] for message in world.messages()] == ["ready"]


def test_requests_tell_operation_path_status_and_user_agent(world: Sandbox, caller: Caller) -> None:
    caller.http.get("/v4/me", headers={"User-Agent": "postflow/1"})

    entry = world.requests()[-1]

    assert (entry["op"], entry["method"], entry["path"]) == ("me", "GET", "/v4/me")
    assert (entry["status"], entry["user_agent"]) == (200, "postflow/1")
    assert entry["at"] > 0


def test_no_secret_stands_in_the_requests(world: Sandbox, caller: Caller) -> None:
    tokens = world.tokens()
    caller.http.post("/ims/revoke?client_id=x&token=" + tokens["refresh_token"])
    httpx.post(world.discord_webhook_url + "?wait=true", json={"content": "a"})
    httpx.patch(world.discord_webhook_url + "/messages/1", json={"content": "a"})
    part = caller.post(f"/folders/{world.root_folder_id}/files/local_upload", name="a", file_size=1)
    url = part.json()["data"]["upload_urls"][0]["url"]
    httpx.put(url, content=b"a")
    code = {"client_id": world.client_id, "response_type": "code", "state": "s3cret-state"}
    httpx.get(f"{world.url}/ims/authorize/v2", params=code)

    told = str(world.requests())

    discord_token = world.discord_webhook_url.rpartition("/")[2]
    signature = url.partition("X-Amz-Signature=")[2]
    access = caller.http.headers["authorization"].removeprefix("Bearer ")
    for secret in (discord_token, signature, access, tokens["refresh_token"], "s3cret-state"):
        assert secret not in told
    assert {"discord.post", "discord.patch", "parts.put"} <= {row["op"] for row in world.requests()}


def test_control_and_pages_are_not_among_the_requests(world: Sandbox) -> None:
    httpx.get(f"{world.url}/sandbox/assets")
    httpx.get(f"{world.url}/")

    assert world.requests() == []


def test_reset_forgets_all_but_ids_and_tokens(
    world: Sandbox, caller: Caller, source: Source
) -> None:
    before = world.describe()
    caller.upload(caller.folder("SQ07"), "clip.mov", source.url)
    caller.stack(world.root_folder_id, "v1.mov", "v2.mov")
    caller.post(f"/workspaces/{world.workspace_id}/projects", name="Another")
    httpx.post(world.discord_webhook_url, json={"content": "a"})
    world.fault("status", "me", code=500)

    assert httpx.post(f"{world.url}/sandbox/reset").json() == before

    assert world.assets() == world.folders() == world.messages() == world.requests() == []
    assert get(world, "/faults") == []
    assert caller.http.get("/v4/me").status_code == 200
    assert len(caller.get("/projects").json()["data"]) == 1
    assert caller.get(f"/folders/{world.root_folder_id}/children").json()["data"] == []


def test_fault_is_armed_over_http_and_shown_until_it_struck(world: Sandbox, caller: Caller) -> None:
    order = {"what": "status", "where": "me", "times": 2, "code": 503}

    assert httpx.post(f"{world.url}/sandbox/faults", json=order).status_code == 201
    caller.http.get("/v4/me")

    assert get(world, "/faults") == [{"what": "status", "where": "me", "times": 1, "code": 503}]

    httpx.delete(f"{world.url}/sandbox/faults?where=elsewhere")
    assert len(get(world, "/faults")) == 1
    assert httpx.delete(f"{world.url}/sandbox/faults").json() == get(world, "/faults") == []


@pytest.mark.parametrize(
    "order", [b"{}", b"[]", b"nonsense", b'{"what": "explode"}', b'{"what": "reset", "times": 0}']
)
def test_wrong_fault_orders_are_422_and_say_why(world: Sandbox, order: bytes) -> None:
    answer = httpx.post(f"{world.url}/sandbox/faults", content=order)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["msg"]


def test_agent_gets_each_fault_once_at_the_right_time(world: Sandbox) -> None:
    world.fault("agent_refuse", "agent", code=105)
    world.fault("agent_crash", "agent")
    world.fault("quota_page", "edge")

    at_start = get(world, "/agent/faults")
    world.fault("interstitial", "edge")
    running = get(world, "/agent/faults?running=1")

    assert at_start == [{"what": "agent_refuse", "code": 105}, {"what": "quota_page"}]
    assert running == [{"what": "agent_crash"}, {"what": "interstitial"}]
    assert get(world, "/agent/faults") == get(world, "/agent/faults?running=1") == []


def test_switches_are_told(world: Sandbox) -> None:
    told = get(world, "/switches")

    assert isinstance(told, dict)
    assert (told["fetch_style"], told["rate_limits"]) == ("get", False)


def test_a_switch_is_turned_while_it_runs_until_the_reset(world: Sandbox) -> None:
    def turn(**switches: object) -> int:
        return httpx.patch(f"{world.url}/sandbox/switches", json=switches).status_code

    assert [turn(stack_name="arrival"), turn(stack_name="no"), turn(nothing=1)] == [200, 422, 422]
    assert turn(rate_limits=True) == 422  # read once, at the start
    with Caller(world) as caller:
        stack, (_, head) = caller.stack(caller.folder("SQ07"), "a.mov", "b.mov")
        caller.patch(f"/files/{head}", name="c.mov")
        assert caller.get(f"/version_stacks/{stack}").json()["data"]["name"] == "b.mov"

        world.reset()
        stack, (_, head) = caller.stack(caller.folder("SQ07"), "a.mov", "b.mov")
        caller.patch(f"/files/{head}", name="c.mov")
        assert caller.get(f"/version_stacks/{stack}").json()["data"]["name"] == "c.mov"
