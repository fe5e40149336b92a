"""One clip, from disk to Frame.io to Discord."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run
from pydantic import SecretStr

from postflow.delivery.record import DeliveryRecord
from postflow.engine.allowed_paths import as_meant
from postflow.engine.artifacts import leave_slip
from postflow.engine.logs import show_in_ui
from postflow.engine.stopping import is_of_a_deployment, until_stopped
from postflow.engine.studio import OpenStudio, open_studio
from postflow.errors import Fatal, PostFlowError, Retry, as_ours, engine_trouble
from postflow.models import Arrival, Delivery, Folder, MediaFile, Shot, UploadResult
from postflow.tasks.announce import announce, announce_departure, announce_failure
from postflow.tasks.identify import identify
from postflow.tasks.place import place
from postflow.tasks.stack import stack
from postflow.tasks.transfer import transfer

log = logging.getLogger("postflow.deliver")


def _clip_name() -> str:
    return as_meant(Path(str(flow_run.parameters.get("path", "clip")))).name


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
        path: The clip, on a disk of the machine that runs this; in a watch folder of the studio,
            or one that it allows, where the run is a deployment's.
        studio: The Studio block with the set-up.
        project: Another Frame.io project than the studio's, by name or id.
        scene: Sequence or scene, where the file's name does not say it right.
        shot: Shot, likewise.
    """
    show_in_ui()
    return await until_stopped(lambda: _deliver(path, studio, project, scene, shot))


async def _deliver(
    path: Path, studio: str, project: str | None, scene: str | None, shot: str | None
) -> Delivery:
    async with open_studio(studio) as live:
        if is_of_a_deployment():
            path = await live.allowed(path)
        delivery = await _attempts(live, path, project or live.project, scene, shot)
    await leave_slip(delivery)
    seconds = (delivery.finished - delivery.started).total_seconds()
    log.info("%s is delivered, after %.0f s: %s", path.name, seconds, delivery.view_url)
    return delivery


async def _attempts(
    live: OpenStudio, path: Path, project: str, scene: str | None, shot: str | None
) -> Delivery:
    """Again if the file was changed meanwhile; of a watched one the look-out judges that anew."""
    once = path in live.claims
    for _ in range(1, live.retry_policy.attempts):
        try:
            return await _travel(live, path, project, scene, shot)
        except Retry as error:
            if once or error.code != "file.changed":
                raise
            log.warning("%s", error)
            await asyncio.sleep(live.retry_policy.poll)
    return await _travel(live, path, project, scene, shot)


async def _travel(
    live: OpenStudio, path: Path, project: str, scene: str | None, shot: str | None
) -> Delivery:
    started = datetime.now(tz=UTC)
    media = await live.probe_media(path)
    record = await live.open_record(media)
    clip: Shot | None = None
    try:
        clip = await identify(live, media, scene=scene, shot=shot)
        log.info("%s goes to %s in %s.", media.name, "/".join(clip.folder), project)
        if media.doubt:
            log.warning("Please check %s: the file %s.", media.name, media.doubt)
        await announce_departure(live, media, clip, project=project, record=record)
        delivery = await _into_frameio(
            live, media, clip, project=project, record=record, started=started
        )
        await announce(live, delivery, project=project, record=record)
        return delivery
    except Exception as error:
        if not isinstance(error, PostFlowError):
            log.exception("A fault of our own, at %s:", media.name)
        why = await live.unless_away(media.path, as_ours(error))
        try:
            await announce_failure(live, media, clip, why, project=project, record=record)
        except Exception:
            await record.give_back()
            raise
        if why is not error:
            raise why from error
        raise


async def _into_frameio(
    live: OpenStudio,
    media: MediaFile,
    clip: Shot,
    *,
    project: str,
    record: DeliveryRecord,
    started: datetime,
) -> Delivery:
    folder, arrival = await _placed_and_whole(
        live, media, clip, project=project, record=record, started=started
    )
    await record.arrived(folder, clip, arrival.remote)
    return Delivery(
        media=arrival.media,
        shot=clip,
        folder=folder,
        remote=arrival.remote,
        adopted=arrival.adopted,
        stack_id=await _stacked(live, arrival, clip, folder, record),
        started=started,
        finished=datetime.now(tz=UTC),
    )


async def _placed_and_whole(
    live: OpenStudio,
    media: MediaFile,
    clip: Shot,
    *,
    project: str,
    record: DeliveryRecord,
    started: datetime,
) -> tuple[Folder, Arrival]:
    folder = await place(live, clip, project=project)
    try:
        arrival = await transfer(live, media, clip, folder, record=record)
        if arrival.at < started:
            arrival = await _confirmed(live, arrival)
    except Fatal as error:
        if error.code != "frameio.not_found":
            raise
        log.warning("What was cached for %s is gone from Frame.io; starting afresh.", media.name)
        live.frameio.folders.forget(folder)
        folder = await place.with_options(refresh_cache=True)(live, clip, project=project)
        afresh = transfer.with_options(refresh_cache=True)
        arrival = await afresh(live, media, clip, folder, record=record)
    return folder, arrival


async def _confirmed(live: OpenStudio, arrival: Arrival) -> Arrival:
    """A cached arrival is a memory: Frame.io is asked whether the file is still there."""
    remote = await live.frameio.files.show(arrival.remote.account_id, arrival.remote.id)
    return arrival.model_copy(update={"remote": remote, "adopted": True})


async def _stacked(
    live: OpenStudio, arrival: Arrival, clip: Shot, folder: Folder, record: DeliveryRecord
) -> str | None:
    """A clip that could not be stacked is delivered all the same, and stacked by a later run."""
    try:
        return await stack(live, arrival, clip, folder, record=record)
    except PostFlowError as error:
        yet = " yet" if record.not_stacked(error) else ""
        log.warning("%s is delivered but not%s stacked: %s", arrival.media.name, yet, error)
        return None


async def upload_file_to_frameio(
    file_path: str | Path,
    discord_webhook_url: str | None = None,
    project_name: str | None = None,
    scene_name: str | None = None,
    shot_name: str | None = None,
    studio: str = "main",
) -> UploadResult:
    """Deliver a clip. Foreseeable failures are in the result, with their remedy; nothing is raised.

    What is None is the studio's, or read from the file's name.
    """
    webhook = SecretStr(discord_webhook_url) if discord_webhook_url else None
    try:
        async with open_studio(studio, discord_webhook=webhook) as live:
            delivery = await deliver(
                Path(file_path),
                studio=studio,
                project=project_name,
                scene=scene_name,
                shot=shot_name,
            )
    except PostFlowError as error:
        return _failed(error)
    except Exception as error:
        if (trouble := engine_trouble(error)) is None:
            raise
        return _failed(trouble)
    return UploadResult(
        success=True,
        view_url=delivery.view_url,
        file_id=delivery.file_id,
        folder_id=delivery.folder_id,
        project_id=delivery.project_id,
        not_told=live.not_told.get(delivery.media.name),
    )


def _failed(error: PostFlowError) -> UploadResult:
    return UploadResult(success=False, error=error.message, hint=error.hint, code=error.code)
