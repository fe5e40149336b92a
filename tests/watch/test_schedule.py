"""The deployments on their own: by the clock, by clock and event, by `prefect deploy`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.setup import StudioFile, save_studio
from postflow.cli.sandbox_studio import sandbox_studio
from postflow.scan.root import mark_root
from sandbox import Sandbox
from sandbox.clips import clip_path
from tests.support.wait import wait_until_sync
from tests.watch.conftest import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
STUDIO = "clockwork"


@pytest.fixture
async def folder(up: Running, world: Sandbox, tmp_path: Path) -> AsyncIterator[Path]:
    """The watch folder of a studio in the sandbox."""
    folder = tmp_path / "watch"
    folder.mkdir()
    mark_root(folder)
    tables = sandbox_studio(world.describe(), name=STUDIO)
    tables["studio"]["watching"] = {
        "folders": [folder],
        "quiet": 0.5,
        "interval": 0.5,
        "linger": 0.0,
    }
    tables["studio"]["patience"] = {"poll": 0.2}
    with temporary_settings({PREFECT_API_URL: up.api}):
        await save_studio(StudioFile.model_validate(tables))
        yield folder


@contextmanager
def running(up: Running, command: str, *arguments: str, log: Path) -> Iterator[None]:
    """One of the commands that run until they are stopped."""
    with log.open("wb") as stream:
        child = psutil.Popen(
            [sys.executable, "-m", "postflow", command, "--studio", STUDIO, *arguments],
            env=environment(up) | {"POSTFLOW_STATE_DIR": os.environ["POSTFLOW_STATE_DIR"]},
            stdout=stream,
            stderr=stream,
        )
    family: list[psutil.Process] = []
    try:
        yield
        assert child.poll() is None, log.read_text(encoding="utf-8")
    finally:
        if child.poll() is None:
            family = child.children(recursive=True)
            child.terminate()
        _, alive = psutil.wait_procs([child, *family], timeout=60)
        for survivor in alive:
            survivor.kill()
    assert alive == []


def environment(up: Running) -> dict[str, str]:
    return up.environment | {"PREFECT_API_URL": up.api}


def names(world: Sandbox) -> list[str]:
    return [asset["name"] for asset in world.assets() if asset["status"] == "transcoded"]


def test_the_clock_alone_delivers_and_with_the_look_out_each_clip_still_goes_once(
    up: Running, world: Sandbox, folder: Path, tmp_path: Path
) -> None:
    first, second = "SQ07_UNDLM_00152_v001.mov", "SQ07_UNDLM_00153_v001.mov"
    (folder / first).write_bytes(clip_path().read_bytes())
    with running(up, "serve", "--every", "4", log=tmp_path / "serve.log"):
        wait_until_sync(lambda: first in names(world), timeout=90, description="the clock")
        with running(up, "watch", log=tmp_path / "watch.log"):
            (folder / second).write_bytes(clip_path().read_bytes())
            wait_until_sync(lambda: second in names(world), timeout=60, description=second)
            states = {run["state_type"] for run in up.ingest_runs(STUDIO)}
    assert sorted(names(world)) == [first, second]
    assert not states & {"FAILED", "CRASHED"}, "a call that came too early is no failure"


def test_prefect_deploy_registers_both_deployments(up: Running) -> None:
    pool = {"name": "postflow", "type": "process"}
    up.ask("work_pools/", pool)
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(up), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pools = {"work_pools": {"name": {"any_": ["postflow"]}}}
    found = {each["name"]: each for each in up.ask("deployments/filter", pools)}
    assert set(found) == {"deliver", "ingest"}
    ingest = found["ingest"]
    assert ingest["global_concurrency_limit"]["limit"] == 1
    assert ingest["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert [each["schedule"]["interval"] for each in ingest["schedules"]] == [300.0]
    automations = up.ask("automations/filter", {})
    (called,) = [
        each for each in automations if each["actions"][0].get("deployment_id") == ingest["id"]
    ]
    assert called["trigger"]["expect"] == ["postflow.file.ready"]
    assert called["trigger"]["match"] == {"prefect.resource.id": "postflow.studio.main"}
    for each in found.values():
        httpx.delete(f"{up.api}/deployments/{each['id']}").raise_for_status()
