"""All that Prefect's API tells of the run of a clip, to anybody who has the password."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

import httpx
from prefect.logging.handlers import APILogHandler

from postflow.servers import password
from tests.support.signed_in import SignedIn

FIRST = b"identify"
ENDS = ("Completed", "Failed")


async def told(api: str, run_name: str, since: datetime) -> dict[str, bytes]:
    """Answers by what was asked for, once the run's logs and events have come in. Blocks that were
    saved before are other tests', and may name a port that is an address of this one by now.
    """
    await APILogHandler.aflush()
    async with httpx.AsyncClient(base_url=api, auth=SignedIn(password()), timeout=30) as client:
        runs = await _ask(client, "flow_runs", flow_runs={"name": {"any_": [run_name]}})
        (run,) = runs.json()
        mine = {"flow_runs": {"id": {"any_": [run["id"]]}}}
        tasks = await _task_runs(client, mine)
        logs = {"flow_run_id": {"any_": [run["id"]]}}
        return {
            "flow runs": runs.content,
            "task runs": tasks.content,
            "states": await _states(client, run["id"], [task["id"] for task in tasks.json()]),
            "logs": (await _ask(client, "logs", logs=logs)).content,
            "artifacts": (await _ask(client, "artifacts", **mine)).content,
            "blocks": _saved_since(since, (await _ask(client, "block_documents")).json()),
            "events": await _events(client, run["id"]),
        }


def _saved_since(since: datetime, blocks: list[dict[str, Any]]) -> bytes:
    new = [each for each in blocks if datetime.fromisoformat(each["updated"]) >= since]
    return json.dumps(new, ensure_ascii=False).encode()


async def _ask(client: httpx.AsyncClient, what: str, **filters: Any) -> httpx.Response:
    answer = await client.post(f"/{what}/filter", json={**filters, "limit": 200})
    return answer.raise_for_status()


async def _task_runs(client: httpx.AsyncClient, mine: dict[str, Any]) -> httpx.Response:
    """The server records them in its own time; the first one of a run is how it began."""
    async with asyncio.timeout(60):
        while True:
            told = await _ask(client, "task_runs", **mine)
            if FIRST in told.content:
                return told
            await asyncio.sleep(0.1)


async def _states(client: httpx.AsyncClient, run: str, tasks: list[str]) -> bytes:
    asked = [("flow_run", run), *(("task_run", task) for task in tasks)]
    answers = [
        await client.get(f"/{kind}_states/", params={f"{kind}_id": each}) for kind, each in asked
    ]
    return b"\n".join(answer.raise_for_status().content for answer in answers)


async def _events(client: httpx.AsyncClient, run: str) -> bytes:
    """Events travel by themselves; the last one of a run is how it ended."""
    wanted = {"filter": {"any_resource": {"id": [f"prefect.flow-run.{run}"]}}, "limit": 50}
    async with asyncio.timeout(60):
        while True:
            told = (await client.post("/events/filter", json=wanted)).raise_for_status().content
            if any(f"prefect.flow-run.{end}".encode() in told for end in ENDS):
                return told
            await asyncio.sleep(0.1)
