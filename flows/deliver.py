"""One clip, from disk to Frame.io to Discord."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from blocks.opening import OpenStudio, open_studio
from postflow.errors import Fatal, PostFlowError
from postflow.media import look_at
from postflow.models import Arrival, Delivery, Folder, MediaFile, Shot
from tasks.announce import announce, announce_departure, announce_failure
from tasks.identify import identify
from tasks.place import place
from tasks.run_logs import show_in_ui
from tasks.slip import leave_slip
from tasks.transfer import transfer

log = logging.getLogger("postflow.deliver")


def _clip_name() -> str:
    return Path(str(flow_run.parameters.get("path", "clip"))).name


@flow(name="deliver", flow_run_name=_clip_name)
async def deliver(
    path: Path,
    studio: str = "main",
    project: str | None = None,
    scene: str | None = None,
    shot: str | None = None,
) -> Delivery:
    """Deliver one finished clip: once, whole, in the right folder, announced.

    Args:
        path: The clip, on a disk of the machine that runs this.
        studio: The Studio block with the set-up.
        project: Another Frame.io project than the studio's, by name or id.
        scene: Sequence or scene, where the file's name does not say it right.
        shot: Shot, likewise.
    """
    show_in_ui()
    started = datetime.now(tz=UTC)
    async with open_studio(studio) as live:
        project = project or live.project
        media = await look_at(path)
        clip = await identify(live, media, scene=scene, shot=shot)
        log.info("%s goes to %s in %s.", media.name, "/".join(clip.folder), project)
        message_id = await _courtesy(announce_departure(live, media, clip, project=project))
        try:
            folder, arrival = await _into_frameio(
                live, media, clip, project=project, started=started
            )
        except PostFlowError as error:
            await _courtesy(
                announce_failure(live, media, clip, error, project=project, message_id=message_id)
            )
            raise
        delivery = Delivery(
            media=arrival.media,
            shot=clip,
            folder=folder,
            remote=arrival.remote,
            adopted=arrival.adopted,
            started=started,
            finished=datetime.now(tz=UTC),
            message_id=message_id,
        )
        await _courtesy(announce(live, delivery, project=project, message_id=message_id))
    await leave_slip(delivery)
    seconds = (delivery.finished - delivery.started).total_seconds()
    log.info("%s is delivered, after %.0f s: %s", media.name, seconds, delivery.view_url)
    return delivery


async def _into_frameio(
    live: OpenStudio, media: MediaFile, clip: Shot, *, project: str, started: datetime
) -> tuple[Folder, Arrival]:
    folder = await place(live, clip, project=project)
    try:
        arrival = await transfer(live, media, folder)
        if arrival.at < started:
            arrival = await _confirmed(live, arrival)
    except Fatal as error:
        if error.code != "frameio.not_found":
            raise
        log.warning("What was cached for %s is gone from Frame.io; starting afresh.", media.name)
        folder = await place.with_options(refresh_cache=True)(live, clip, project=project)
        arrival = await transfer.with_options(refresh_cache=True)(live, media, folder)
    return folder, arrival


async def _confirmed(live: OpenStudio, arrival: Arrival) -> Arrival:
    """A cached arrival is a memory: Frame.io is asked whether the file is still there."""
    remote = await live.frameio.file(arrival.remote.account_id, arrival.remote.id)
    return arrival.model_copy(update={"remote": remote, "adopted": True})


async def _courtesy(telling: Awaitable[str | None]) -> str | None:
    """Telling people never undoes a delivery: a failure to tell is logged and shown in the UI."""
    try:
        return await telling
    except PostFlowError as error:
        log.warning("Discord was not told: %s", error)
        return None
