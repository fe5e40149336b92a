"""Shares, comments, metadata and webhooks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from postflow.sandbox import Sandbox
from postflow.sandbox.deliveries import signature
from tests.sandbox.caller import Caller, Source, wait_for_status
from tests.support.serving import serving
from tests.support.wait import wait_until_sync


def share(caller: Caller, **data: Any) -> httpx.Response:
    body = {"name": "Dailies", "access": "public", **data}
    return caller.post(f"/projects/{caller.world.project_id}/shares", **body)


def test_share_has_a_link_that_shows_its_assets(world: Sandbox, caller: Caller) -> None:
    file = caller.placeholder(world.root_folder_id, "clip.mov")

    made = share(caller, asset_ids=[file])

    assert made.status_code == 201
    assert "clip.mov" in httpx.get(made.json()["data"]["short_url"]).text


def test_share_gets_and_loses_assets(world: Sandbox, caller: Caller) -> None:
    file = caller.placeholder(world.root_folder_id, "clip.mov")
    made = share(caller).json()["data"]["id"]

    added = caller.post(f"/shares/{made}/assets", asset_id=file).json()["data"]
    names = caller.names(f"/shares/{made}/assets")
    removed = caller.delete(f"/shares/{made}/assets/{file}")

    assert (added["asset_added"], names) == (file, ["clip.mov"])
    assert removed.status_code == 200, "with a body, unlike other deletions"
    assert removed.json()["data"]["asset_removed"] == file
    assert caller.names(f"/shares/{made}/assets") == []


def test_share_is_listed_changed_and_deleted(world: Sandbox, caller: Caller) -> None:
    made = share(caller).json()["data"]["id"]

    changed = caller.patch(f"/shares/{made}", name="Rushes", downloading_enabled=True).json()

    assert changed["data"]["name"] == "Rushes"
    assert changed["data"]["downloading_enabled"] is True
    assert caller.names(f"/projects/{world.project_id}/shares") == ["Rushes"]
    assert caller.delete(f"/shares/{made}").status_code == 204
    assert caller.get(f"/shares/{made}").status_code == 404


@pytest.mark.parametrize(
    "data",
    [
        {"name": "two\nlines"},
        {"name": "x" * 176},
        {"access": "everybody"},
        {"asset_ids": []},
        {"asset_ids": ["x"] * 101},
        {"layout": "pile"},
        {"expiration": "tomorrow"},
        {"unknown": 1},
    ],
)
def test_wrong_shares_are_422(caller: Caller, data: dict[str, Any]) -> None:
    assert share(caller, **data).status_code == 422


def test_comment_stands_at_a_frame(world: Sandbox, caller: Caller) -> None:
    file = caller.placeholder(world.root_folder_id, "clip.mov")

    made = caller.post(f"/files/{file}/comments", text="Softer.", timestamp=12, completed=True)
    listed = caller.get(f"/files/{file}/comments", include="owner").json()["data"]

    assert made.status_code == 201
    assert [(it["text"], it["timestamp"]) for it in listed] == [("Softer.", 12)]
    assert listed[0]["owner"]["name"] == "Studio Operator"
    assert listed[0]["completed_at"]


@pytest.mark.parametrize("timestamp", [0, "1:00", "soon"])
def test_frames_start_at_one(world: Sandbox, caller: Caller, timestamp: object) -> None:
    file = caller.placeholder(world.root_folder_id, "clip.mov")

    answer = caller.post(f"/files/{file}/comments", text="a", timestamp=timestamp)

    assert answer.status_code == 422


def test_metadata_tells_what_is_known(world: Sandbox, caller: Caller) -> None:
    file = caller.placeholder(world.root_folder_id, "clip.mov")

    told = caller.get(f"/files/{file}/metadata").json()["data"]

    assert told["file_id"] == file
    assert told["metadata"][0]["value"] == "clip.mov"


class Receiver:
    """Takes webhooks; answers 500 as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    def events(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.received]


@contextmanager
def receiving(failures: int = 0) -> Iterator[Receiver]:
    receiver = Receiver(failures)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append((dict(self.headers), body))
            failed = len(receiver.received) <= receiver.failures
            self.send_response(500 if failed else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        yield receiver


def hook(caller: Caller, url: str, *events: str) -> dict[str, Any]:
    path = f"/workspaces/{caller.world.workspace_id}/webhooks"
    answer = caller.post(path, name="hook", url=url, events=list(events))
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


def test_webhook_gets_the_events_it_asked_for_signed(
    world: Sandbox, caller: Caller, source: Source
) -> None:
    with receiving() as receiver:
        secret = hook(caller, receiver.url, "file.upload.completed", "file.ready")["secret"]
        file = caller.upload(world.root_folder_id, "clip.mov", source.url)
        wait_for_status(world, file, "transcoded")
        wait_until_sync(lambda: len(receiver.received) == 2)

    headers, body = receiver.received[0]
    timestamp = headers["X-Frameio-Request-Timestamp"]
    assert headers["X-Frameio-Signature"] == signature(secret, timestamp, body)
    assert headers["User-Agent"] == "Frame.io V4 API"
    assert json.loads(body) == {
        "type": "file.upload.completed",
        "resource": {"id": file, "type": "file"},
        "account": {"id": world.account_id},
        "workspace": {"id": world.workspace_id},
        "project": {"id": world.project_id},
        "user": {"id": caller.http.get("/v4/me").json()["data"]["id"]},
    }
    assert sorted(receiver.events()) == ["file.ready", "file.upload.completed"]


def test_failed_delivery_is_tried_five_times_at_most() -> None:
    with Sandbox(webhook_backoff=0.01) as world, Caller(world) as caller:
        with receiving(failures=2) as receiver:
            hook(caller, receiver.url, "folder.created")
            caller.folder("SQ07")
            wait_until_sync(lambda: len(receiver.received) == 3)
        with receiving(failures=99) as never:
            hook(caller, never.url, "folder.deleted")
            caller.delete(f"/folders/{caller.folder('SQ08')}")
            wait_until_sync(lambda: len(never.received) == 5)


def test_secret_of_a_webhook_is_shown_once(world: Sandbox, caller: Caller) -> None:
    made = hook(caller, "https://studio.example/hook", "file.ready")

    shown = caller.get(f"/webhooks/{made['id']}").json()["data"]
    listed = caller.get(f"/workspaces/{world.workspace_id}/webhooks").json()["data"]

    assert made["secret"]
    assert "secret" not in shown
    assert "secret" not in listed[0]


def test_inactive_webhook_gets_nothing(world: Sandbox, caller: Caller) -> None:
    with receiving() as receiver:
        first = hook(caller, receiver.url + "/1", "folder.created")
        hook(caller, receiver.url + "/2", "folder.created")
        caller.patch(f"/webhooks/{first['id']}", active=False)
        caller.folder("SQ07")
        wait_until_sync(lambda: bool(receiver.received))
        caller.delete(f"/webhooks/{first['id']}")

    assert len(receiver.received) == 1


@pytest.mark.parametrize("events", [[], ["file.exploded"], ["file.ready", "file.ready"]])
def test_wrong_events_are_422(world: Sandbox, caller: Caller, events: list[str]) -> None:
    path = f"/workspaces/{world.workspace_id}/webhooks"

    assert caller.post(path, name="a", url="https://a/", events=events).status_code == 422
