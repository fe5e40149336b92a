"""What is armed goes wrong, where it was armed, as often as it was armed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from postflow.sandbox import Sandbox
from postflow.sandbox.faults import Fault, Faults
from tests.sandbox.caller import Caller, Source, asset, wait_for_status
from tests.support.wait import wait_until_sync

Call = Callable[[Caller], httpx.Response]


def root(caller: Caller) -> str:
    return caller.world.root_folder_id


CALLS: dict[str, Call] = {
    "me": lambda c: c.http.get("/v4/me"),
    "accounts.list": lambda c: c.http.get("/v4/accounts"),
    "workspaces.list": lambda c: c.get("/workspaces"),
    "projects.list": lambda c: c.get("/projects"),
    "projects.show": lambda c: c.get(f"/projects/{c.world.project_id}"),
    "folders.create": lambda c: c.post(f"/folders/{root(c)}/folders", name="a"),
    "folders.list": lambda c: c.get(f"/folders/{root(c)}/folders"),
    "folders.children": lambda c: c.get(f"/folders/{root(c)}/children"),
    "folders.files": lambda c: c.get(f"/folders/{root(c)}/files"),
    "folders.show": lambda c: c.get(f"/folders/{root(c)}"),
    "files.remote_upload": lambda c: c.post(
        f"/folders/{root(c)}/files/remote_upload", name="a", source_url="http://127.0.0.1:9/"
    ),
    "files.local_upload": lambda c: c.post(
        f"/folders/{root(c)}/files/local_upload", name="a", file_size=1
    ),
    "files.status": lambda c: c.get(f"/files/{file_of(c)}/status"),
    "files.show": lambda c: c.get(f"/files/{file_of(c)}"),
    "files.update": lambda c: c.patch(f"/files/{file_of(c)}", name="b"),
    "files.move": lambda c: c.patch(f"/files/{file_of(c)}/move", parent_id=root(c)),
    "files.delete": lambda c: c.delete(f"/files/{file_of(c)}"),
    "version_stacks.create": lambda c: c.post(f"/folders/{root(c)}/version_stacks", file_ids=[]),
    "shares.list": lambda c: c.get(f"/projects/{c.world.project_id}/shares"),
    "webhooks.list": lambda c: c.get(f"/workspaces/{c.world.workspace_id}/webhooks"),
    "ims.token": lambda c: c.http.post("/ims/token/v3", data={"client_id": c.world.client_id}),
    "ims.authorize": lambda c: c.http.get(
        "/ims/authorize/v2",
        params={"client_id": c.world.client_id, "response_type": "code", "scope": "openid"},
    ),
    "ims.revoke": lambda c: c.http.post("/ims/revoke", data={}),
    "parts.put": lambda c: c.http.put("/parts/x/part_1", content=b""),
    "discord.post": lambda c: c.http.post(c.world.discord_webhook_url, json={"content": "a"}),
}


async def test_what_was_taken_before_a_release_and_waits_after_it_is_not_held() -> None:
    faults = Faults()
    faults.arm("delay", seconds=600)
    fault = faults.take("somewhere", "delay")
    assert fault is not None
    faults.release()
    async with asyncio.timeout(60):
        await faults.last(fault)


def file_of(caller: Caller) -> str:
    rows = caller.world.assets()
    return str(rows[0]["id"]) if rows else caller.placeholder(root(caller), "a")


@pytest.mark.parametrize("where", CALLS)
def test_status_is_answered_once_at_every_operation(
    world: Sandbox, caller: Caller, where: str
) -> None:
    file_of(caller)
    world.fault("status", where, code=418)

    first, second = CALLS[where](caller), CALLS[where](caller)

    assert first.status_code == 418
    assert second.status_code != 418


@pytest.mark.parametrize("where", CALLS)
def test_reset_cuts_the_connection_before_any_effect(
    world: Sandbox, caller: Caller, where: str
) -> None:
    file_of(caller)
    before = (world.assets(), world.folders(), world.messages())
    world.fault("reset", where)

    with pytest.raises(httpx.TransportError):
        CALLS[where](caller)

    assert (world.assets(), world.folders(), world.messages()) == before
    assert CALLS[where](caller).status_code


@pytest.mark.parametrize("where", CALLS)
def test_lost_answer_cuts_the_connection(world: Sandbox, caller: Caller, where: str) -> None:
    file_of(caller)
    world.fault("lost_answer", where)

    with pytest.raises(httpx.TransportError):
        CALLS[where](caller)


def test_lost_answer_leaves_the_effect(world: Sandbox, caller: Caller) -> None:
    world.fault("lost_answer", "folders.create")
    with pytest.raises(httpx.TransportError):
        caller.folder("SQ07")

    assert [row["path"] for row in world.folders()] == ["SQ07"]
    assert world.requests()[-1]["status"] is None


def test_lost_answer_can_be_a_502_after_the_effect(world: Sandbox, caller: Caller) -> None:
    world.fault("lost_answer", "folders.create", code=502)

    answer = caller.post(f"/folders/{world.root_folder_id}/folders", name="SQ07")

    assert answer.status_code == 502
    assert len(world.folders()) == 1


@pytest.mark.parametrize(("body", "kind"), [("html", "text/html"), ("json", "application/json")])
def test_gateway_errors_carry_what_the_switch_says(body: str, kind: str) -> None:
    with Sandbox(gateway_body=body) as world, Caller(world) as caller:
        world.fault("status", "me", code=503)
        assert caller.http.get("/v4/me").headers["content-type"].startswith(kind)


def test_rate_limited_is_429_with_an_empty_bucket(world: Sandbox, caller: Caller) -> None:
    world.fault("rate_limited", "folders.create")

    answer = caller.post(f"/folders/{world.root_folder_id}/folders", name="SQ07")

    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (429, "0")
    assert answer.headers["x-ratelimit-limit"] == "3"


def test_token_expiry_makes_access_tokens_invalid_and_leaves_refresh_tokens(
    world: Sandbox,
) -> None:
    tokens = world.tokens()
    with Caller(world, tokens["access_token"]) as caller:
        world.fault("token_expiry", "me")
        assert [caller.http.get("/v4/me").status_code for _ in range(2)] == [401, 401]
        form = {
            "grant_type": "refresh_token",
            "refresh_token": tokens["refresh_token"],
            "client_id": world.client_id,
            "client_secret": world.client_secret,
        }
        assert caller.http.post("/ims/token/v3", data=form).status_code == 200


def test_a_late_answer_was_done_though_nobody_waited_for_it(world: Sandbox, caller: Caller) -> None:
    world.fault("late_answer", "folders.create", seconds=600)
    caller.http.timeout = 0.2
    with pytest.raises(httpx.ReadTimeout):
        caller.folder("SQ07")

    wait_until_sync(lambda: [row["path"] for row in world.folders()] == ["SQ07"])


def test_delay_holds_the_answer_back(world: Sandbox, caller: Caller) -> None:
    world.fault("delay", "me", seconds=0.3)
    began = time.monotonic()

    assert caller.http.get("/v4/me").status_code == 200
    assert time.monotonic() - began >= 0.3


def test_what_waits_goes_on_when_it_is_released(world: Sandbox, caller: Caller) -> None:
    def left() -> list[str]:
        return [armed["what"] for armed in httpx.get(f"{world.url}/sandbox/faults").json()]

    world.fault("delay", "me", seconds=600)
    world.fault("late_answer", "me", seconds=600)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(caller.http.get, "/v4/me")
        wait_until_sync(lambda: left() == ["late_answer"])
        world.release()
        wait_until_sync(lambda: left() == [])
        assert not answer.done()
        world.release()
        assert answer.result().status_code == 200


@pytest.mark.parametrize(
    ("code", "error"), [(400, "invalid_grant"), (401, "invalid_client"), (500, "internal_error")]
)
def test_ims_refuses_in_the_words_of_oauth(
    world: Sandbox, caller: Caller, code: int, error: str
) -> None:
    world.fault("status", "ims.token", code=code)

    assert CALLS["ims.token"](caller).json()["error"] == error


def test_part_store_refuses_in_xml(world: Sandbox, caller: Caller) -> None:
    world.fault("status", "parts.put", code=503)

    assert "<Code>SlowDown</Code>" in CALLS["parts.put"](caller).text


@pytest.mark.parametrize("where", ["files.remote_upload", "files.status", "fetch"])
def test_upload_can_be_made_to_fail(
    world: Sandbox, caller: Caller, source: Source, where: str
) -> None:
    world.fault("upload_failed", where)
    file = caller.upload(world.root_folder_id, "clip.mov", source.url)

    wait_until_sync(lambda: caller.status(file)["upload_failed"])

    assert asset(world, file)["status"] == "created"
    again = caller.upload(world.root_folder_id, "clip.mov", source.url)
    wait_for_status(world, again, "transcoded")


def test_cut_drops_the_fetchers_connection_and_it_tries_again(
    world: Sandbox, caller: Caller, source: Source
) -> None:
    world.fault("cut", "fetch", after_bytes=1000)

    row = wait_for_status(
        world, caller.upload(world.root_folder_id, "clip.mov", source.url), "transcoded"
    )

    assert row["size"] == len(source.body)
    assert source.asked == ["GET", "GET"]


def test_fault_strikes_as_often_as_said_after_as_many_as_said(
    world: Sandbox, caller: Caller
) -> None:
    world.fault("status", "me", times=2, skip=1, code=500)

    statuses = [caller.http.get("/v4/me").status_code for _ in range(4)]

    assert statuses == [200, 500, 500, 200]


def test_fault_without_times_lasts_until_reset(world: Sandbox, caller: Caller) -> None:
    world.fault("status", "me", times=None, code=500)
    assert {caller.http.get("/v4/me").status_code for _ in range(5)} == {500}

    world.reset()

    assert caller.http.get("/v4/me").status_code == 200


def test_pattern_fits_several_operations(world: Sandbox, caller: Caller) -> None:
    world.fault("status", "folders.*", times=2, code=500)
    root = f"/folders/{world.root_folder_id}"

    assert [caller.get(path).status_code for path in (root, f"{root}/files")] == [500, 500]


def test_second_page_can_fail_alone(world: Sandbox, caller: Caller) -> None:
    for name in ("a", "b", "c"):
        caller.placeholder(world.root_folder_id, name)
    path = f"/folders/{world.root_folder_id}/children"
    world.fault("status", "folders.children", skip=1, code=403)

    first = caller.get(path, page_size=2)
    second = caller.http.get(first.json()["links"]["next"])

    assert (first.status_code, second.status_code) == (200, 403)


def test_unknown_fault_is_refused(world: Sandbox) -> None:
    with pytest.raises(ValueError, match="no fault"):
        world.fault("explode", "me")


def test_take_is_fair_among_threads() -> None:
    """Twenty armed strikes are taken twenty times by eight threads at once."""
    faults = Faults()
    faults.arm("status", "me", times=20)
    taken: list[Fault] = []

    def take() -> None:
        taken.extend(fault for _ in range(50) if (fault := faults.take("me", "status")))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 20
    assert faults.armed() == []


def test_take_leaves_other_kinds_and_places_alone() -> None:
    faults = Faults()
    faults.arm("delay", "me", seconds=1)
    faults.arm("status", "folders.*", code=500)

    assert faults.take("me", "status") is None
    assert faults.take("folders.create", "delay") is None
    assert faults.take("folders.create") == Fault("status", "folders.*", {"code": 500})
    assert [armed["what"] for armed in faults.armed()] == ["delay"]


def test_skipping_one_fault_does_not_use_up_another() -> None:
    faults = Faults()
    faults.arm("status", "me", code=1)
    faults.arm("status", "me", skip=1, code=2)

    codes = [fault.options["code"] if (fault := faults.take("me")) else 0 for _ in range(3)]

    assert codes == [1, 0, 2]


def test_an_outage_is_mended_and_others_last() -> None:
    faults = Faults()
    faults.arm("status", "files.*", times=None, code=503)
    faults.arm("delay", "me", seconds=1)
    faults.clear("files.*")
    assert [armed["where"] for armed in faults.armed()] == ["me"]
    faults.clear()
    assert faults.armed() == []
