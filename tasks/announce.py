"""Stage: reviewers are told, in one message that changes with the clip."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.opening import OpenStudio
from postflow.discord import DiscordClient
from postflow.discord.card import Card, failed_card, on_its_way_card, ready_card
from postflow.errors import PostFlowError
from postflow.models import Delivery, MediaFile, Shot

from .stage import stage


@stage("announce departure", subject=lambda given: given["media"].revision)
async def announce_departure(
    live: OpenStudio, media: MediaFile, shot: Shot, *, project: str
) -> str | None:
    """The id of the message "on its way"; None without Discord."""
    return await _tell(live.discord, on_its_way_card(media, shot, project=project), None)


@stage("announce", subject=lambda given: given["delivery"].file_id)
async def announce(
    live: OpenStudio, delivery: Delivery, *, project: str, message_id: str | None
) -> str | None:
    """The message now says "ready", with the link."""
    return await _tell(live.discord, ready_card(delivery, project=project), message_id)


@task(name="announce failure", task_run_name="announce failure", cache_policy=NO_CACHE)
async def announce_failure(
    live: OpenStudio,
    media: MediaFile,
    shot: Shot | None,
    error: PostFlowError,
    *,
    project: str,
    message_id: str | None,
) -> str | None:
    """The message now says what failed and what a person can do."""
    return await _tell(live.discord, failed_card(media, shot, error, project=project), message_id)


async def _tell(discord: DiscordClient | None, card: Card, message_id: str | None) -> str | None:
    if discord is None:
        return None
    if message_id is None:
        return await discord.post(card)
    return await discord.edit(message_id, card)
