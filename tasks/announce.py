"""Stage: reviewers are told, in one message that changes with the clip."""

from __future__ import annotations

import logging

from prefect import task
from prefect.cache_policies import NO_CACHE

from postflow.delivery.announcements import of_clip, of_ending
from postflow.delivery.job import DeliveryJob
from postflow.delivery.sharing import wish_for, with_known_link
from postflow.discord.cards import failed_card, on_its_way_card, ready_card, waiting_card
from postflow.engine.stage import BACKOFF, worth_another_attempt
from postflow.engine.studio import OpenStudio
from postflow.errors import PostFlowError
from postflow.ledger import Announcement, ShareWish
from postflow.ledger.errors import retry_while_busy
from postflow.models import Delivery, Shot

log = logging.getLogger("postflow.deliver")

# A ledger that is busy or away for some minutes costs no clip its ending.
ASK_AGAIN = 5


# No task of its own: each costs Prefect's server as much as all that this does.
async def announce_departure(studio: OpenStudio, job: DeliveryJob, shot: Shot) -> None:
    """The clip's message says "on its way"; a copy of a clip that was announced has none."""
    media = job.media
    project = await studio.project_name(job.project)
    log.info("%s goes to %s in %s.", media.name, "/".join(shot.folder), project)
    if media.doubt:
        log.warning("Please check %s: the file %s.", media.name, media.doubt)
    card = on_its_way_card(media, shot, project=project)
    message = of_clip(studio.channel, job.record, card)
    if message:
        await retry_while_busy(
            lambda: _announce_unless_elsewhere(job, message),
            f"The departure of {media.name} is to be noted",
        )
        studio.notify()


async def _announce_unless_elsewhere(job: DeliveryJob, message: Announcement) -> None:
    if not await job.record.is_announced_elsewhere():
        await job.record.announce(message)


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
    """The clip is delivered, and its message says "ready", with the member's link; likewise.

    The link for everybody follows, unless it is there already.
    """
    elsewhere = await job.record.is_announced_elsewhere()
    namesake = await job.record.namesake()
    project = await studio.project_name(job.project)
    card = ready_card(delivery, project=project, namesake=namesake)
    share: ShareWish | None = None
    sharing = studio.settings.frameio.share
    if sharing and not elsewhere:
        wish = await wish_for(
            studio.ledger,
            studio.naming,
            sharing,
            project=project,
            shot=delivery.shot,
            folder=delivery.folder,
            run_id=studio.run_id,
        )
        share, card = await with_known_link(studio.ledger, studio.name, sharing, wish, card)
    ready = None if elsewhere else of_clip(studio.channel, job.record, card)
    await job.record.done(ready, share=share)
    studio.notify()
    studio.notify_sharing()


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
    project = await studio.project_name(job.project)
    card = failed_card(job.media, job.shot, why, project=project)
    waiting = waiting_card(job.media, job.shot, why, project=project) if job.shot else None
    await job.record.end(
        why,
        of_ending(studio.channel, studio.run_id, job.record, card, why),
        waiting=of_clip(studio.channel, job.record, waiting) if waiting else None,
    )
    studio.notify()
