"""The deployment of prefect.yaml: registered by Prefect's own command, run by its worker."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH

from postflow.engine.runs import SIGNATURE
from postflow.flows.calling import calls_for
from postflow.sandbox import Sandbox
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, the_asset
from tests.journeys.studios import save

ROOT = Path(__file__).parents[2]
LIMIT = 200.0


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


async def check_ingest(client: PrefectClient, ingest: DeploymentResponse) -> None:
    """It is called as that of `up`, and runs by the same rules."""
    only = WorkPoolFilter(name=WorkPoolFilterName(any_=["postflow"]))
    found = await client.read_deployments(work_pool_filter=only)
    assert {each.name for each in found} == {"deliver", "ingest"}
    assert ingest.global_concurrency_limit is not None
    assert ingest.global_concurrency_limit.limit == 1
    assert ingest.concurrency_options is not None
    assert ingest.concurrency_options.collision_strategy == "CANCEL_NEW"
    told = ingest.model_dump(mode="json")
    assert [each["schedule"]["interval"] for each in told["schedules"]] == [300.0]
    automations = [each.model_dump(mode="json") for each in await client.read_automations()]
    (called,) = [
        each for each in automations if each["actions"][0].get("deployment_id") == str(ingest.id)
    ]
    assert called["trigger"]["expect"] == ["postflow.file.ready"]
    assert called["trigger"]["match"] == {"prefect.resource.id": "postflow.studio.*"}


@pytest.mark.prefect
@pytest.mark.slow
async def test_a_deployment_started_by_hand_delivers_what_the_studio_allows_and_nothing_else(
    nothing_cached: None, world: Sandbox, make_clip: MakeClip, tmp_path: Path
) -> None:
    clip = make_clip()
    outside = Path(shutil.copy(clip, tmp_path / "SQ09_UNDLM_00001_v001.mov"))
    studio = await save(world, name="allowing", watching={"allow": [clip.parent]})
    async with get_client() as client:
        await client.create_work_pool(
            WorkPoolCreate(name="postflow", type="process"), overwrite=True
        )
        await prefect("deploy", "--all")
        ingest = await client.read_deployment_by_name("ingest/ingest")
        await check_ingest(client, ingest)
        await client.delete_deployment(ingest.id)  # else the worker would run its schedule too

        deployment = await client.read_deployment_by_name("deliver/deliver")
        schema = deployment.parameter_openapi_schema or {}
        assert schema["required"] == ["path"]
        assert schema["properties"]["path"]["format"] == "path"
        assert schema["properties"]["studio"].get("default") is None, "main, or the only one"
        by_people = {"path", "studio", "project", "scene", "shot", "transfer"}
        assert set(schema["properties"]) == by_people | {"claim"}
        assert schema["properties"]["claim"]["description"].startswith("Leave this out.")
        assert all(field["description"] for field in schema["properties"].values())
        assert deployment.description
        assert "postflow" in deployment.tags

        run, refused = [
            await client.create_flow_run_from_deployment(
                deployment.id, parameters={"path": path, "studio": studio}
            )
            for path in (f'"{clip}"\n', str(outside))
        ]
        output = await prefect("worker", "start", "--pool", "postflow", "--run-once")
        run = await client.read_flow_run(run.id)
        refused = await client.read_flow_run(refused.id)
    assert run.state_name == "Completed", output
    assert run.name == clip.name
    assert SIGNATURE in run.labels, "a killed one would be running for ever"
    assert refused.state_name == "Failed", output
    assert "send only what lies in a watch folder" in str(refused.state)
    assert str(outside.parent) not in str(refused.state and refused.state.message)
    the_asset(world, clip)
    assert endings(world) == [READY]


@pytest.mark.prefect
@pytest.mark.slow
async def test_each_host_has_deployments_and_a_queue_of_its_own_for_any_studio(
    nothing_cached: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTFLOW_STUDIO", "north")
    monkeypatch.setenv("POSTFLOW_HOST", "render-2")
    async with get_client() as client:
        await client.create_work_pool(
            WorkPoolCreate(name="postflow", type="process"), overwrite=True
        )
        await prefect("deploy", "--all", "--prefect-file", "postflow/prefect.hosts.yaml")
        for flow in ("ingest", "deliver"):
            found = await client.read_deployment_by_name(f"{flow}/north--render-2")
            assert found.parameters == {"studio": "north"}
            assert found.work_queue_name == "north--render-2"
        ingest = await client.read_deployment_by_name("ingest/north--render-2")
        triggers = [
            each.trigger.model_dump(mode="json")
            for each in await client.read_automations()
            if str(ingest.id) in each.model_dump_json()
        ]
        await client.delete_deployment(ingest.id)
    (trigger,) = triggers
    assert trigger["match"] == {"prefect.resource.id": "postflow.studio.north"}
    assert trigger["match_related"] == calls_for("render-2")
