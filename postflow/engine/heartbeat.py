"""Each watcher says that it is alive, and Prefect's server tells people when it stops.

The message is the server's own, by a proactive automation, and so needs no watcher and no runner.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import httpx
from prefect import get_client
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.events import emit_event
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from pydantic import SecretStr

from postflow.blocks.discord import DiscordWebhook
from postflow.blocks.studio import Studio
from postflow.discord.card import Card
from postflow.discord.cards import FAILED, notice_card
from postflow.errors import PostFlowError
from postflow.feeds import Alarm
from postflow.language import N_, _, spoken, told
from postflow.state import this_host

from .runs import SERVER_FAILS

log = logging.getLogger("postflow.watch")

BEAT = "postflow.watch.heartbeat"
ENDED = "postflow.watch.ended"
EVERY = 60.0
SILENT_FOR = timedelta(minutes=10)
PING_LIMIT = 10.0


class Heartbeat:
    """Says that the watcher of one studio on this machine lives: by an event, and a call of
    `ping`, at most once in `every` seconds.
    """

    def __init__(self, studio: str, ping: SecretStr | None, *, every: float = EVERY) -> None:
        self._studio = studio
        self._resource = {
            "prefect.resource.id": f"{_watcher(studio)}.{this_host()}",
            "prefect.resource.name": f"studio {studio} on {this_host()}",
        }
        self._ping = ping
        self._every = every
        self._beat_at = float("-inf")
        self._calling: asyncio.Task[None] | None = None

    def beat(self) -> None:
        """A scan has ended."""
        if time.monotonic() - self._beat_at < self._every:
            return
        self._beat_at = time.monotonic()
        emit_event(BEAT, resource=self._resource)
        if self._ping and (self._calling is None or self._calling.done()):
            self._calling = asyncio.create_task(_call(self._ping), name="ping")

    @asynccontextmanager
    async def telling(
        self, webhook: DiscordWebhook | None, alarms: Sequence[Alarm] = ()
    ) -> AsyncIterator[None]:
        """The server tells when it stops, unless somebody ends the watcher."""
        if webhook or alarms:
            try:
                await tell_of_silence(self._studio, webhook, alarms)
            except SERVER_FAILS as error:
                text = "Nobody is told when this watcher dies: the automation was not saved (%s)."
                log.warning(text, type(error).__name__)
        emit_event(BEAT, resource=self._resource)  # one whose first scan hangs is missed, too
        try:
            yield
        finally:
            emit_event(ENDED, resource=self._resource)
            if self._calling:
                self._calling.cancel()


async def _call(ping: SecretStr) -> None:
    """The address may be a secret, so nothing that quotes it is logged."""
    try:
        async with httpx.AsyncClient(timeout=PING_LIMIT, follow_redirects=True) as client:
            (await client.get(ping.get_secret_value())).raise_for_status()
    except Exception as error:
        log.warning("The ping was not taken (%s).", type(error).__name__)


async def tell_people(studios: Collection[Studio], title: str, text: str) -> None:
    """Past the outbox, which may never be sent. Each once: several studios may share one."""
    channels = {
        each.discord.get_url().get_secret_value(): (each.discord, each.language)
        for each in studios
        if each.discord
    }
    for channel, language in channels.values():
        try:
            with spoken(language):
                card = notice_card(told(title), told(text))
            async with channel.get_client() as discord:
                await discord.post(card)
        except PostFlowError as error:
            log.warning("Discord was not told: %s", error)
    alarms = {alarm: each.language for each in studios for alarm in each.get_alarms()}
    for alarm, language in alarms.items():
        try:
            with spoken(language):
                said = told(title), told(text)
            await alarm.tell(*said)
        except PostFlowError as error:
            log.warning("%s", error)


async def tell_of_silence(
    studio: str,
    webhook: DiscordWebhook | None,
    alarms: Sequence[Alarm] = (),
    *,
    after: timedelta = SILENT_FOR,
) -> None:
    """Have the server tell the studio's channel and alarms when no scan has ended for so long."""
    # Of the blocks that every Prefect server knows, the one that takes any address of Apprise's.
    blocks: dict[str, NotificationBlock] = {
        f"postflow-{studio}-{alarm.name}": SlackWebhook(url=alarm.url, notify_type="failure")
        for alarm in alarms
    }
    if webhook:
        blocks[f"postflow-{studio}"] = _block(studio, webhook)
    ids = [await block.asave(name, overwrite=True) for name, block in blocks.items()]
    automation = _automation(studio, ids, after)
    async with get_client() as client:
        found = await client.read_automations_by_name(automation.name)
        if found:
            await client.update_automation(found[0].id, automation)
        else:
            await client.create_automation(automation)


def _automation(studio: str, blocks: Sequence[UUID], after: timedelta) -> AutomationCore:
    """Sends a notification by each of the blocks."""
    minutes = after.total_seconds() / 60
    silent = N_(
        "No scan of studio {studio} has ended for {minutes:g} minutes. See whether its machine is "
        "up, and whether `postflow up` or `postflow watch` runs there."
    )
    return AutomationCore(
        name=f"PostFlow: the watcher of {studio} is silent",
        description="Made by `postflow watch`; tells people that nobody looks any more.",
        trigger=EventTrigger(
            expect={BEAT, ENDED},
            after={BEAT},
            match={"prefect.resource.id": f"{_watcher(studio)}.*"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=after,
        ),
        actions=[
            SendNotification(
                block_document_id=each,
                subject=_("Nobody looks at the watched folders"),
                body=told(N_(silent, studio=studio, minutes=minutes)),
            )
            for each in blocks
        ],
    )


def _block(studio: str, webhook: DiscordWebhook) -> CustomWebhookNotificationBlock:
    message = Card(title="{{subject}}", colour=FAILED, description="{{body}}")
    return CustomWebhookNotificationBlock(
        name=f"postflow-{studio}",
        url="{{url}}",
        json_data=message.payload(),
        secrets={"url": webhook.get_url().get_secret_value()},
    )


def _watcher(studio: str) -> str:
    return f"postflow.watcher.{studio}"
