"""Calls `ingest` by an event, where clips wait that no run takes up."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
from prefect import get_client
from prefect.client.schemas import filters, sorting
from prefect.events import emit_event
from prefect.exceptions import PrefectException

from postflow.engine.crashed_runs import CrashDetector
from postflow.engine.studio import OpenStudio
from postflow.errors import engine_trouble
from postflow.ledger import claims, stack_queue

log = logging.getLogger("postflow.watch")

READY = "postflow.file.ready"
CALL_AGAIN = 15.0
# Seconds between two looks for the dead; one that ends in order is over long before the second.
LOOK_AGAIN = 5.0
NEVER = float("-inf")
MOST = 200


class Caller:
    """Calls `ingest` if clips, or their stacks, wait that no run takes up."""

    def __init__(self, studio: OpenStudio) -> None:
        self._studio = studio
        self._detector = CrashDetector(studio.name, studio.settings.ledger)
        self._called_at = self._looked_at = NEVER

    async def call(self, folders: Mapping[int, Path]) -> None:
        """A call that nobody hears is made again after a while."""
        studio = self._studio
        waiting = await studio.ledger.run(claims.ready, studio.name, folders=folders)
        stacks = await studio.ledger.run(stack_queue.due, studio.name)
        if not (waiting or stacks):
            self._called_at = NEVER
        elif await _is_taken(studio.name):
            self._called_at = NEVER
            await self._free_slots()
        elif time.monotonic() - self._called_at >= CALL_AGAIN:
            log.info("Clips that are ready: %d, that wait for their stack: %d.", waiting, stacks)
            emit_event(
                READY,
                resource={"prefect.resource.id": f"postflow.studio.{studio.name}"},
                payload={"studio": studio.name, "waiting": waiting, "stacks": stacks},
            )
            self._called_at = time.monotonic()

    async def _free_slots(self) -> None:
        """A host that is lost holds its slot for five minutes of Prefect's, its clips for one."""
        if time.monotonic() - self._looked_at < LOOK_AGAIN:
            return
        self._looked_at = time.monotonic()
        try:
            await self._detector.round()
        except (httpx.HTTPError, PrefectException) as error:
            log.warning("%s", engine_trouble(error) or error)


async def _is_taken(studio: str) -> bool:
    """Is every slot of `ingest` taken, so that another call would be cancelled? Hosts may have a
    deployment each.

    While Prefect's server does not answer, it is not.
    """
    flow = filters.FlowFilter(name=filters.FlowFilterName(any_=["ingest"]))
    try:
        async with get_client() as client:
            deployments = await client.read_deployments(
                flow_filter=flow, sort=sorting.DeploymentSort.NAME_ASC, limit=MOST
            )
    except (httpx.HTTPError, PrefectException) as error:
        log.warning("%s", engine_trouble(error) or error)
        return False
    mine = [each for each in deployments if each.parameters.get("studio") == studio]
    slots = [each.global_concurrency_limit for each in mine]
    taken = [slot is not None and slot.active_slots >= slot.limit for slot in slots]
    return bool(taken) and all(taken)
