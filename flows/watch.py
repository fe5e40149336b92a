"""The watcher: scans the watch folders for as long as it runs, and calls `ingest` by an event."""

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

from postflow.engine.heartbeat import Heartbeat
from postflow.engine.studio import OpenStudio, open_studio
from postflow.errors import PostFlowError, engine_trouble
from postflow.folder.notices import Notices, Outage
from postflow.folder.wakeup import Wakeup, wakeup
from postflow.folder.watchers import FolderWatchers, folder_watchers
from postflow.frameio.auth.sign_in import keep_signed_in
from postflow.ledger import claims, stack_queue

log = logging.getLogger("postflow.watch")

READY = "postflow.file.ready"
CALL_AGAIN = 15.0
NEVER = float("-inf")
MOST = 200


async def watch(name: str = "main") -> None:
    """Until cancelled. A lost volume stops the scan of its folder, and a person is told."""
    logging.getLogger("postflow").setLevel(logging.INFO)
    async with open_studio(name) as studio:
        notices = Notices(studio.ledger, studio.channel, studio.run_id)
        outage = Outage(studio.discord)
        called_at = NEVER
        heartbeat = Heartbeat(name, studio.settings.ping)
        async with (
            wakeup(*studio.settings.watching.folders) as events,
            folder_watchers(
                studio.ledger, name, studio.settings.watching, wakeup=events
            ) as watchers,
            keep_signed_in(studio.sign_in, notices.tell),
            heartbeat.telling(studio.settings.discord),
        ):
            while True:
                silent = _take(watchers, notices, events, heartbeat)
                try:
                    await notices.hand_over()
                    called_at = await _call(studio, called_at, watchers.folders)
                    studio.notify()
                except PostFlowError as error:
                    log.warning("%s", error)
                    silent = str(error)
                await outage.observe(silent)
                await watchers.wait(studio.settings.watching.interval)


def _take(
    watchers: FolderWatchers, notices: Notices, events: Wakeup, heartbeat: Heartbeat
) -> str | None:
    """What the scans came to. Returns why the ledger did not answer, if it did not."""
    for report in watchers.reports():
        heartbeat.beat()
        if notices.take(report):
            events.rearm(report.folder)
    for text in events.news():
        notices.tell("A watched folder is looked at by the clock only", text)
    return next((each.alarm for each in watchers.last.values() if each.trouble == "ledger"), None)


async def _call(studio: OpenStudio, called_at: float, folders: Mapping[int, Path]) -> float:
    """Call `ingest` if clips, or their stacks, wait that no run takes up; when a call was last made
    and not heard.
    """
    waiting = await studio.ledger.run(claims.ready, studio.name, folders=folders)
    stacks = await studio.ledger.run(stack_queue.due, studio.name)
    if not (waiting or stacks) or await _is_taken(studio.name):
        return NEVER
    if time.monotonic() - called_at < CALL_AGAIN:
        return called_at
    log.info("Clips that are ready: %d, that wait for their stack: %d.", waiting, stacks)
    emit_event(
        READY,
        resource={"prefect.resource.id": f"postflow.studio.{studio.name}"},
        payload={"studio": studio.name, "waiting": waiting, "stacks": stacks},
    )
    return time.monotonic()


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
