"""Unfinished runs of `ingest` whose process is gone give their slot back, and no other does."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.runtime import flow_run
from prefect.states import Pending, Running
from prefect.types.entrypoint import EntrypointType

from postflow.engine import crashed_runs
from postflow.engine.crashed_runs import CrashDetector
from postflow.engine.runs import LEASE, SIGNATURE, tag_run
from postflow.ledger import Ledger, leases, roots
from postflow.ledger.process import ProcessMark, this_process
from postflow.sandbox import Sandbox
from tests.journeys.studios import save
from tests.ledger.ground import add

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_api")]

HERE = this_process()


@pytest.mark.parametrize(
    ("process", "state"),
    [
        pytest.param(HERE, StateType.RUNNING, id="alive"),
        pytest.param(
            HERE.model_copy(update={"born": HERE.born - 1}), StateType.CRASHED, id="pid-is-reused"
        ),
        pytest.param(
            HERE.model_copy(update={"machine": "other", "born": 0.0}),
            StateType.RUNNING,
            id="other-machine",
        ),
    ],
)
@pytest.mark.parametrize("name", ["ingest", "deliver"])
async def test_only_a_run_whose_very_process_is_gone_is_buried(
    process: ProcessMark, state: StateType, name: str
) -> None:
    @flow(name=name)
    def run_of(studio: str | None) -> None: ...

    async with get_client() as client:
        run = await client.create_flow_run(run_of, parameters={"studio": None}, state=Running())
        await client.update_flow_run_labels(run.id, {SIGNATURE: process.model_dump_json()})
        await CrashDetector("main", None).round()
        assert (await client.read_flow_run(run.id)).state_type is state


@pytest.mark.parametrize(
    ("tags", "state"), [(["postflow"], StateType.CRASHED), ([], StateType.RUNNING)]
)
async def test_a_run_that_never_signed_is_buried_unless_it_is_another_programs(
    monkeypatch: pytest.MonkeyPatch, tags: list[str], state: StateType
) -> None:
    """Many a flow is called `ingest`."""
    monkeypatch.setattr(crashed_runs, "UNSIGNED", -1.0)

    @flow(name="ingest")
    def somebodys() -> None: ...

    detector = CrashDetector("main", None)
    async with get_client() as client:
        run = await client.create_flow_run(somebodys, state=Running(), tags=tags)
        for _ in range(2):
            await detector.round()
        assert (await client.read_flow_run(run.id)).state_type is state


async def test_a_run_signs_for_the_process_it_is() -> None:
    @flow(name="ingest")
    async def ingest() -> tuple[object, StateType | None]:
        await tag_run()
        await CrashDetector("main", None).round()
        async with get_client() as client:
            run = await client.read_flow_run(UUID(str(flow_run.id)))
        return run.labels[SIGNATURE], run.state_type

    assert await ingest() == (HERE.model_dump_json(), StateType.RUNNING)


@flow(name="ingest")
async def slotted(studio: str = "main") -> None: ...


@pytest.fixture
async def deployment() -> DeploymentResponse:
    """With the one slot that `serve` gives it."""
    name = f"slots-{uuid4().hex[:8]}"
    made = await slotted.ato_deployment(
        name=name,
        parameters={"studio": name},
        concurrency_limit=1,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    async with get_client() as client:
        return await client.read_deployment(await made.aapply())


async def taken(deployment: DeploymentResponse) -> int:
    async with get_client() as client:
        read = await client.read_deployment(deployment.id)
    assert read.global_concurrency_limit
    return read.global_concurrency_limit.active_slots


async def begun(client: PrefectClient, deployment: DeploymentResponse) -> FlowRun:
    run = await client.create_flow_run_from_deployment(deployment.id)
    states: tuple[State[None], ...] = (Pending(), Running())
    for state in states:
        await client.set_flow_run_state(run.id, state)
    assert await taken(deployment) == 1
    return run


@pytest.mark.parametrize("lasts", [True, False])
async def test_a_run_of_another_host_is_dead_when_its_lease_in_the_ledger_is_over(
    deployment: DeploymentResponse, lasts: bool
) -> None:
    """Prefect's own lease on the slot would last for five minutes."""
    elsewhere = HERE.model_copy(update={"machine": "other"}).model_dump_json()
    detector = CrashDetector(deployment.parameters["studio"], None)
    async with get_client() as client:
        run = await begun(client, deployment)
        await client.update_flow_run_labels(run.id, {SIGNATURE: elsewhere, LEASE: "run-1"})
        with Ledger.open() as ledger:
            if lasts:
                leases.start(ledger, "run-1")
            await detector.round()
            assert await taken(deployment) == 1, "it may have ended in order just now"
            await detector.round()
        read = await client.read_flow_run(run.id)
    assert read.state_type is (StateType.RUNNING if lasts else StateType.CRASHED)
    assert await taken(deployment) == int(lasts)


async def test_a_watcher_whose_clips_wait_frees_the_slot_of_a_lost_host(
    world: Sandbox,
    deployment: DeploymentResponse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where workers carry the clips, no `serve` does."""
    from postflow.engine.studio import open_studio
    from postflow.flows.calling import Caller

    for pause in ("LOOK_AGAIN", "ASK_AGAIN"):
        monkeypatch.setattr(f"postflow.flows.calling.{pause}", 0.0)
    elsewhere = HERE.model_copy(update={"machine": "other"}).model_dump_json()
    name = await save(world, name=deployment.parameters["studio"], provider="loopback")
    async with get_client() as client, open_studio(name) as studio:
        root = await studio.ledger.run(roots.add, name, tmp_path)
        await studio.ledger.run(add, root, "SQ07_UNDLM_00001_v001.mov")
        run = await begun(client, deployment)
        await client.update_flow_run_labels(run.id, {SIGNATURE: elsewhere, LEASE: "gone"})
        caller = Caller(studio)
        for _ in range(2):
            assert await taken(deployment) == 1
            await caller.call({root.id: tmp_path})
    assert await taken(deployment) == 0


async def test_a_slot_that_no_run_holds_is_given_back(deployment: DeploymentResponse) -> None:
    """As after a full disk, which costs Prefect its lease: the slot would be taken for ever."""
    assert deployment.global_concurrency_limit
    name = deployment.global_concurrency_limit.name
    detector = CrashDetector(deployment.parameters["studio"], None)
    async with get_client() as client:
        await client.increment_concurrency_slots([name], 1, mode="concurrency")
    await detector.round()
    assert await taken(deployment) == 1, "a run may be about to begin"
    await detector.round()
    assert await taken(deployment) == 0
