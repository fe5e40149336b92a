"""One clip, from disk to Frame.io to Discord."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from prefect import Task, flow
from prefect.runtime import flow_run
from prefect.states import Cancelled, Failed
from pydantic import SecretStr

from postflow.delivery.by_hand import allowed, as_meant
from postflow.delivery.job import DeliveryJob
from postflow.delivery.record import DeliveryRecord
from postflow.engine.artifacts import leave_refusal, leave_slip, show_in_ui
from postflow.engine.runs import best_effort, tag_run
from postflow.engine.stage import worth_another_attempt
from postflow.engine.stopping import is_of_a_deployment, until_stopped
from postflow.engine.studio import OpenStudio, open_studio
from postflow.errors import PostFlowError, as_ours, engine_told, lies_outside
from postflow.ledger import DELIVERED, ClaimRef, claims, queue
from postflow.media.pinned import changed
from postflow.models import Arrival, Delivery, Shot, Transfer, UploadResult
from postflow.tasks.announce import announce, announce_departure, announce_failure
from postflow.tasks.identify import identify
from postflow.tasks.place import place
from postflow.tasks.stack import stack
from postflow.tasks.transfer import transfer

from .cancelling import until_cancelled, withdrawn

log = logging.getLogger("postflow.deliver")


def _clip_name() -> str:
    return as_meant(Path(str(flow_run.parameters.get("path", "clip")))).name


@flow(name="deliver", flow_run_name=_clip_name)
async def deliver(
    path: Path,
    studio: str | None = None,
    project: str | None = None,
    scene: str | None = None,
    shot: str | None = None,
    transfer: Transfer | None = None,
    claim: ClaimRef | None = None,
) -> Delivery:
    """Deliver one finished clip: once, whole, in the right folder, announced.

    Args:
        path: The clip's whole path on the machine that runs this. Runs of a deployment take it from
            the studio's watch folders, and folders that it allows, only.
        studio: The Studio block with the set-up; “main”, or the only one, when empty.
        project: Another Frame.io project than the studio's, by name or id.
        scene: Sequence or scene, where the file's name does not say it right.
        shot: Shot, where the file's name does not say it right.
        transfer: Another way to Frame.io than the studio's: auto, tunnel or direct.
        claim: Leave this out. An `ingest` run names here the clip that it has taken.
    """
    show_in_ui()
    try:
        return await until_stopped(
            lambda: _deliver(path, studio, project, scene, shot, transfer, claim)
        )
    except PostFlowError as why:
        log.error("%s", why)  # noqa: TRY400 - `why` is for people, without a traceback
        waits = claim is not None and lies_outside(why)
        await leave_refusal(as_meant(path).name, why, waits=waits)
        ended = Cancelled if why.code == queue.CANCELLED else Failed
        return ended(message=str(why), data=why)  # type: ignore[return-value]


async def _deliver(
    path: Path,
    name: str | None,
    project: str | None,
    scene: str | None,
    shot: str | None,
    transfer: Transfer | None,
    claim: ClaimRef | None,
) -> Delivery:
    async with (
        open_studio(name) as studio,
        delivering(studio, await _admitted(studio, path, claim), project, claim) as job,
        until_cancelled(job),
        studio.pictures.made_beside(job.media),
    ):
        job.transfer = transfer
        # 1: what the name means, and so where the clip goes
        job.shot = clip = await identify(studio, job.media, scene=scene, shot=shot)
        await announce_departure(studio, job, clip)
        # 2: its folder in Frame.io
        placing = place.with_options(refresh_cache=not job.record.is_confirmed)
        folder = await placing(studio, clip, project=job.project)
        # 3: whole in that folder, proven
        arrival = await _transfer_with_retries(studio, job)(studio, job, clip, folder)
        # 4: on one stack with its other versions
        stack_id = await _stacked(studio, job, clip, arrival)
        # 5: the reviewers have the link
        delivery = job.delivered(clip, arrival, stack_id)
        await announce(studio, job, delivery)
    await leave_slip(delivery)
    seconds = (delivery.finished - delivery.started).total_seconds()
    log.info("%s is delivered, after %.0f s: %s", job.media.name, seconds, delivery.view_url)
    return delivery


def _transfer_with_retries(
    studio: OpenStudio, job: DeliveryJob
) -> Task[..., Coroutine[Any, Any, Arrival]]:
    """`transfer` with the studio's retries, not its defaults. A clip of a watched folder that
    changes is left to the scan until it has settled again.
    """
    policy = studio.settings.retry_policy
    but = "file.changed" if not job.record.is_by_hand else None
    return transfer.with_options(
        retries=policy.attempts - 1,
        retry_delay_seconds=policy.delays,
        retry_condition_fn=partial(worth_another_attempt, within=policy.total, but=but),
        refresh_cache=not job.record.is_confirmed,
    )


@asynccontextmanager
async def delivering(
    studio: OpenStudio, path: Path, project: str | None = None, claim: ClaimRef | None = None
) -> AsyncIterator[DeliveryJob]:
    """Open the clip's record. An error in the block is announced, and ends the record."""
    job = await _open(studio, path, project or studio.project, claim)
    try:
        yield job
    except Exception as error:
        if not isinstance(error, PostFlowError):
            log.exception("A fault of our own, at %s:", job.media.name)
        why = await studio.volume_error_or(job.media.path, as_ours(error))
        try:
            if why.code != queue.CANCELLED or not await withdrawn(studio, job, why):
                await announce_failure(studio, job, why)
        except Exception:
            await job.record.give_back()
            raise
        if why is not error:
            raise why from error
        raise


async def _open(studio: OpenStudio, path: Path, project: str, ref: ClaimRef | None) -> DeliveryJob:
    """The clip as the disk has it, and the claim on it, or one that is made now.

    One that was delivered by a run that died is what it was then: the disk is asked no more.
    """
    claim = await studio.ledger.run(claims.read_claim, ref) if ref else None
    if claim and claim.state in DELIVERED:
        media = claim.media
    else:
        media = await studio.probe_media(path, by_hand=claim is None)
    if claim is None:
        record = await studio.open_by_hand(media)
    elif (claim.revision, claim.size) == (media.revision, media.size):
        record = DeliveryRecord(studio.ledger, claim, by_hand=False)
    else:
        await studio.abandon(claim, why := changed(media))
        raise why
    return DeliveryJob(media, record, project=project)


async def _admitted(studio: OpenStudio, path: Path, claim: ClaimRef | None) -> Path:
    """The clip's path. A run that is not part of an `ingest` run is tagged, so that it is found
    should its process die; one of a deployment, for which anybody may ask Prefect's server, sends
    only what the studio allows.
    """
    if claim is None:
        async with best_effort("which process this run is"):
            await tag_run(studio)
    watching = studio.settings.watching
    folders = (*watching.folders, *watching.allow)
    return await allowed(path, folders) if is_of_a_deployment() else path


async def _stacked(
    studio: OpenStudio, job: DeliveryJob, clip: Shot, arrival: Arrival
) -> str | None:
    """A clip that is not stacked now is delivered all the same, and stacked by a later run."""
    try:
        return await stack(studio, job, clip, arrival)
    except PostFlowError as error:
        yet = " yet" if job.record.not_stacked(error) else ""
        log.warning("%s is delivered but not%s stacked: %s", job.media.name, yet, error)
        return None


async def upload_file_to_frameio(
    file_path: str | Path,
    discord_webhook_url: str | None = None,
    project_name: str | None = None,
    scene_name: str | None = None,
    shot_name: str | None = None,
    studio: str | None = None,
) -> UploadResult:
    """Deliver a clip. Foreseeable failures are in the result, with their remedy; nothing is raised.

    What is None is the studio's, or read from the file's name.
    """
    webhook = SecretStr(discord_webhook_url) if discord_webhook_url else None
    try:
        with engine_told():
            async with open_studio(studio, discord_webhook=webhook) as opened:
                delivery = await deliver(
                    Path(file_path),
                    studio=opened.name,
                    project=project_name,
                    scene=scene_name,
                    shot=shot_name,
                )
    except PostFlowError as why:
        return UploadResult(success=False, error=why.message, hint=why.hint, code=why.code)
    return UploadResult(
        success=True,
        view_url=delivery.view_url,
        file_id=delivery.file_id,
        folder_id=delivery.folder_id,
        project_id=delivery.project_id,
        not_told=opened.not_told.get(delivery.media.name),
    )
