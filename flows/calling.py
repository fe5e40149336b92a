"""Calls `ingest` by an event, where clips wait that no run takes up."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from prefect import get_client
from prefect.client.schemas.objects import DeploymentStatus
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events import emit_event

from postflow.blocks.host import own_name
from postflow.engine.crashed_runs import CrashDetector
from postflow.engine.runs import SERVER_FAILS, deployments_of
from postflow.engine.studio import OpenStudio
from postflow.errors import engine_trouble
from postflow.ledger import claims, hosts, stack_queue
from postflow.state import this_host

log = logging.getLogger("postflow.watch")

READY = "postflow.file.ready"
CALLED = "called"
CALL_AGAIN = 15.0
# Seconds between two looks for the dead; one that ends in order is over long before the second.
LOOK_AGAIN = 5.0
# Seconds between two looks for a free slot, while all are taken: they cost Prefect's server most of
# what a clip does, and runs that last take what waits.
ASK_AGAIN = 2.0
NEVER = float("-inf")


def calls_for(host: str) -> dict[str, str]:
    """What an event is related to that calls this host."""
    return {"prefect.resource.id": f"postflow.host.{host}", "prefect.resource.role": CALLED}


class Slot(NamedTuple):
    """A deployment of `ingest`, and its host; None where it is of no single one."""

    host: str | None
    is_free: bool


class Caller:
    """Calls `ingest` if clips, or their stacks, wait that no run takes up."""

    def __init__(self, studio: OpenStudio) -> None:
        self._studio = studio
        self._detector = CrashDetector(studio.name, studio.settings.ledger)
        self._called_at = self._looked_at = self._all_taken_at = NEVER

    async def call(self, folders: Mapping[int, Path]) -> None:
        """A call that nobody hears is made again after a while."""
        studio = self._studio
        waiting = await studio.ledger.run(claims.ready_in, studio.name, folders=folders)
        stacks = await studio.ledger.run(stack_queue.due, studio.name)
        if not (waiting or stacks):
            self._called_at = self._all_taken_at = NEVER
        elif time.monotonic() - self._all_taken_at < ASK_AGAIN:
            return
        elif (called := await self._to_be_called(waiting)) is None:
            self._called_at = NEVER
            self._all_taken_at = time.monotonic()
            await self._free_slots()
        elif time.monotonic() - self._called_at >= CALL_AGAIN:
            many = sum(waiting.values())
            log.info("Clips that are ready: %d, that wait for their stack: %d.", many, stacks)
            there = sorted(str(folders[root]) for root in waiting if root in folders)
            emit_event(
                READY,
                resource={"prefect.resource.id": f"postflow.studio.{studio.name}"},
                related=[calls_for(host) for host in sorted(called)],
                payload={
                    "studio": studio.name,
                    "waiting": many,
                    "stacks": stacks,
                    "roots": there,
                },
            )
            self._called_at = time.monotonic()

    async def _to_be_called(self, waiting: Collection[int]) -> set[str] | None:
        """Hosts that can do it and have a slot free; None where all slots are taken.

        While Prefect's server does not answer, it is this one.
        """
        slots = await _slots(self._studio.name)
        if not slots:
            return {this_host()}
        known = await self._studio.ledger.run(hosts.known, self._studio.name)
        return to_be_called(slots, known, waiting)

    async def _free_slots(self) -> None:
        """A host that is lost holds its slot for five minutes of Prefect's, its clips for one."""
        if time.monotonic() - self._looked_at < LOOK_AGAIN:
            return
        self._looked_at = time.monotonic()
        try:
            await self._detector.round()
        except SERVER_FAILS as error:
            log.warning("%s", engine_trouble(error) or error)


def to_be_called(
    slots: Iterable[Slot], known: Iterable[hosts.Host], waiting: Collection[int]
) -> set[str] | None:
    """Hosts with a free slot; None where there is none to call.

    Other hosts are left out whose own watcher calls them, or that had, when they were last heard
    of, none of the folders in which clips wait.
    """
    others = [each for each in known if each.name != this_host()]
    watched = {each.name for each in others if each.lives and each.part == "watch"}
    reach: dict[str, set[int]] = {}
    for each in others:
        reach.setdefault(each.name, set()).update(each.folders)
    lacking = {name for name, roots in reach.items() if waiting and not roots & set(waiting)}
    excused = watched | lacking
    free = {slot.host for slot in slots if slot.is_free and slot.host not in excused}
    return {host for host in free if host} if free else None


async def _slots(studio: str) -> list[Slot]:
    """Slots of the studio's deployments of `ingest` that are served; of all, if none seems to be.

    Empty while Prefect's server does not answer.
    """
    try:
        async with get_client() as client:
            mine = await deployments_of(client, studio)
    except SERVER_FAILS as error:
        log.warning("%s", engine_trouble(error) or error)
        return []
    served = [each for each in mine if each.status != DeploymentStatus.NOT_READY]
    return [_slot(each, studio) for each in served or mine]


def _slot(deployment: DeploymentResponse, studio: str) -> Slot:
    of_a_host, _, host = deployment.name.partition(own_name(studio, ""))
    limit = deployment.global_concurrency_limit
    is_free = limit is None or limit.active_slots < limit.limit
    return Slot(None if of_a_host else host or None, is_free)
