"""The programs that examples/ offers, told by a real hook; Kitsu is a stand-in of its routes."""

from __future__ import annotations

import csv
import json
import re
import runpy
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from postflow.errors import PostFlowError
from postflow.feeds import Hook
from postflow.ledger.feeds import Event

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "a secret of this test's own"
DELIVERED = Event(
    id="clip-1",
    kind="delivered",
    at=datetime(2026, 11, 22, tzinfo=UTC),
    studio="main",
    file="=SQ07_UNDLM_00152_v003.mov",
    shot="00152",
    view_url="https://next.frame.io/file-1",
)
FAILED = DELIVERED.model_copy(update={"id": "clip-2", "kind": "failed", "reason": "It is cut."})


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[web.Application], Any]]:
    async with AsyncExitStack() as stack:
        yield lambda app: stack.enter_async_context(serving(app))


def example(name: str) -> web.Application:
    path = EXAMPLES / name
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 30
    app: web.Application = runpy.run_path(str(path))["app"]
    return app


async def test_a_spreadsheet_gets_a_row_an_event_and_no_formula_from_a_name(
    serve: Callable[[web.Application], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = tmp_path / "clips.csv"
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setattr(sys, "argv", ["spreadsheet.py", str(table)])
    url = SecretStr(await serve(example("spreadsheet.py")))
    for event in (DELIVERED, FAILED):
        await Hook(url=url, secret=SecretStr(SECRET)).send(event)
    with pytest.raises(PostFlowError):
        await Hook(url=url, secret=SecretStr("another secret of 16")).send(DELIVERED)
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ["clip-1", "clip-2"]
    assert all("'=SQ07_UNDLM_00152_v003.mov" in row for row in rows)


async def test_kitsu_gets_a_comment_with_the_link_at_the_shot_s_task(
    serve: Callable[[web.Application], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        form = await request.post()
        if request.path == "/api/auth/login":
            return web.json_response({"access_token": "kitsu's"})
        assert request.headers["Authorization"] == "Bearer kitsu's"
        if request.path == "/api/data/shots/all":
            return web.json_response([{"id": "shot-1"}] if request.query["name"] == "00152" else [])
        if request.path == "/api/data/shots/shot-1/tasks":
            return web.json_response([{"id": "task-1", "task_status_id": "wip"}])
        told.append((request.path, str(form["comment"])))
        return web.json_response({}, status=201)

    kitsu = web.Application()
    kitsu.router.add_route("*", "/{path:.*}", answer)
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("KITSU_URL", await serve(kitsu))
    monkeypatch.setenv("KITSU_EMAIL", "td@studio.example")
    monkeypatch.setenv("KITSU_PASSWORD", "theirs")
    hook = Hook(url=SecretStr(await serve(example("kitsu.py"))), secret=SecretStr(SECRET))
    for event in (DELIVERED, FAILED):
        await hook.send(event)
    assert told == [("/api/actions/tasks/task-1/comment", DELIVERED.view_url)]


def test_n8n_s_workflow_is_connected_and_asks_for_fields_that_an_event_has() -> None:
    path = EXAMPLES / "n8n.json"
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 30
    workflow = json.loads(text)
    names = {node["name"] for node in workflow["nodes"]}
    ways = [way for ways in workflow["connections"].values() for way in ways["main"][0]]
    assert workflow["connections"].keys() | {way["node"] for way in ways} == names
    assert set(re.findall(r"body\.(\w+)", text)) <= Event.model_fields.keys()
