"""Stage: reviewers are told, in one message that changes with the clip."""

from __future__ import annotations

import logging
from contextlib import suppress

from prefect import task
from prefect.cache_policies import NO_CACHE

from postflow.delivery.job import DeliveryJob
from postflow.delivery.record import DeliveryRecord
from postflow.discord.cards import (
    Card,
    failed_card,
    notice_card,
    on_its_way_card,
    ready_card,
    waiting_card,
)
from postflow.engine.stage import BACKOFF, worth_another_attempt
from postflow.engine.studio import OpenStudio
from postflow.errors import PostFlowError
from postflow.ledger import Announcement, Claimed
from postflow.models import Delivery, Shot

log = logging.getLogger("postflow.deliver")

# A ledger that is busy or away for some minutes costs no clip its ending.
ASK_AGAIN = 5


@task(
    name="announce departure",
    task_run_name="announce departure",
    retries=ASK_AGAIN,
    retry_delay_seconds=BACKOFF,
    retry_condition_fn=worth_another_attempt,
    timeout_seconds=600,
    cache_policy=NO_CACHE,
)
async def announce_departure(studio: OpenStudio, job: DeliveryJob, shot: Shot) -> None:
    """The clip's message says "on its way"; a copy of a clip that was announced has none."""
    media = job.media
    log.info("%s goes to %s in %s.", media.name, "/".join(shot.folder), job.project)
    if media.doubt:
        log.warning("Please check %s: the file %s.", media.name, media.doubt)
    message = _announcement(studio, job.record, on_its_way_card(media, shot, project=job.project))
    if message and not await job.record.is_told_elsewhere():
        await job.record.announce(message)
        studio.notify()


@task(
    name="announce",
    task_run_name="announce",
    retries=ASK_AGAIN,
    retry_delay_seconds=BACKOFF,
    retry_condition_fn=worth_another_attempt,
    timeout_seconds=600,
    cache_policy=NO_CACHE,
)
async def announce(studio: OpenStudio, job: DeliveryJob, delivery: Delivery) -> None:
    """The clip is delivered, and its message says "ready", with the link; likewise."""
    told = await job.record.is_told_elsewhere()
    namesake = await job.record.namesake()
    card = ready_card(delivery, project=job.project, namesake=namesake)
    await job.record.done(None if told else _announcement(studio, job.record, card))
    studio.notify()


@task(
    name="announce failure",
    task_run_name="announce failure",
    retries=ASK_AGAIN,
    retry_delay_seconds=BACKOFF,
    retry_condition_fn=worth_another_attempt,
    timeout_seconds=600,
    cache_policy=NO_CACHE,
)
async def announce_failure(studio: OpenStudio, job: DeliveryJob, why: PostFlowError) -> None:
    """The clip does not arrive. Its message says what a person can do.

    What is no clip's own fault is told once, in a message of its own, and the clip waits. Of one
    that is tried again the message it has says so.
    """
    card = failed_card(job.media, job.shot, why, project=job.project)
    waiting = waiting_card(job.media, job.shot, why, project=job.project) if job.shot else None
    await job.record.end(
        why,
        _ending(studio, job.record, card, why),
        waiting=_announcement(studio, job.record, waiting) if waiting else None,
    )
    studio.notify()


def told_of_failure(studio: OpenStudio, claim: Claimed, why: PostFlowError) -> Announcement | None:
    """What the message says of a clip that was claimed, and did not get as far as its own run."""
    card = failed_card(claim.media, _shot(studio, claim), why, project=studio.project)
    return _ending(studio, DeliveryRecord(studio.ledger, claim, by_hand=False), card, why)


def _shot(studio: OpenStudio, claim: Claimed) -> Shot | None:
    """None where the name itself is the trouble."""
    with suppress(Exception):
        return studio.naming.identify(claim.name)
    return None


def _ending(
    studio: OpenStudio, record: DeliveryRecord, card: Card, why: PostFlowError
) -> Announcement | None:
    if not record.waits_for(why):
        return _announcement(studio, record, card)
    if studio.discord is None or record.key is None:
        return None
    key = f"{studio.channel}/waits-{studio.run_id}-{record.key}"
    text = f"{why} What waits for that goes by itself then."
    return notice_card("Clips are not delivered for now", text).announcement(key, studio.channel)


def _announcement(studio: OpenStudio, record: DeliveryRecord, card: Card) -> Announcement | None:
    """Nothing is told of clips that were told of before, and of those in a batch's one message."""
    if studio.discord is None or record.key is None or record.is_of_a_batch:
        return None
    return card.announcement(f"{studio.channel}/{record.key}", studio.channel)
