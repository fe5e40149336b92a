"""Unfinished runs of `ingest` whose process is gone give their slot back, and no other does."""

from __future__ import annotations

from uuid import UUID

import pytest
from prefect import flow, get_client
from prefect.client.schemas.objects import StateType
from prefect.runtime import flow_run
from prefect.states import Running

from postflow.ledger.process import ProcessMark, this_process
from tasks.dead_runs import SIGNATURE, bury_dead_runs, sign_run

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
async def test_only_a_run_whose_very_process_is_gone_is_buried(
    process: ProcessMark, state: StateType
) -> None:
    @flow(name="ingest")
    def ingest() -> None: ...

    async with get_client() as client:
        run = await client.create_flow_run(ingest, state=Running())
        await client.update_flow_run_labels(run.id, {SIGNATURE: process.model_dump_json()})
        await bury_dead_runs()
        assert (await client.read_flow_run(run.id)).state_type is state


async def test_a_run_signs_for_the_process_it_is() -> None:
    @flow(name="ingest")
    async def ingest() -> tuple[object, StateType | None]:
        await sign_run()
        await bury_dead_runs()
        async with get_client() as client:
            run = await client.read_flow_run(UUID(str(flow_run.id)))
        return run.labels[SIGNATURE], run.state_type

    assert await ingest() == (HERE.model_dump_json(), StateType.RUNNING)
