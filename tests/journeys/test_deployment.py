"""The deployment of prefect.yaml: registered by Prefect's own command, run by its worker."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH

from sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, the_asset

ROOT = Path(__file__).parents[2]
LIMIT = 100.0


async def prefect(*arguments: str) -> str:
    """Run Prefect's command at the project's root, as somebody would by hand; its output."""
    environment = os.environ | {
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PREFECT_LOCAL_STORAGE_PATH": str(PREFECT_LOCAL_STORAGE_PATH.value()),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "prefect", "--no-prompt", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(LIMIT):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.prefect
@pytest.mark.slow
async def test_a_deployment_started_by_hand_delivers(
    studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    clip = make_clip()
    async with get_client() as client:
        await client.create_work_pool(
            WorkPoolCreate(name="postflow", type="process"), overwrite=True
        )
        await prefect("deploy", "--all")
        ingest = await client.read_deployment_by_name("ingest/ingest")
        await client.delete_deployment(ingest.id)  # else the worker would run its schedule too

        deployment = await client.read_deployment_by_name("deliver/deliver")
        schema = deployment.parameter_openapi_schema or {}
        assert schema["required"] == ["path"]
        assert schema["properties"]["path"]["format"] == "path"
        assert schema["properties"]["studio"]["default"] == "main"
        assert set(schema["properties"]) == {"path", "studio", "project", "scene", "shot"}
        assert all(field["description"] for field in schema["properties"].values())
        assert deployment.description
        assert "postflow" in deployment.tags

        run: FlowRun = await client.create_flow_run_from_deployment(
            deployment.id, parameters={"path": str(clip), "studio": studio}
        )
        output = await prefect("worker", "start", "--pool", "postflow", "--run-once")
        run = await client.read_flow_run(run.id)
    assert run.state_name == "Completed", output
    assert run.name == clip.name
    the_asset(world, clip)
    assert endings(world) == [READY]
