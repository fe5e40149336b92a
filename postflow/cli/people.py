"""Who hears that a part of `postflow up` does not last: all the studios' channels."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from postflow.discord.cards import notice_card
from postflow.errors import Fatal, PostFlowError
from postflow.service.console import err
from postflow.service.supervisor import Part

if TYPE_CHECKING:
    from postflow.blocks.discord import DiscordWebhook


class People:
    """Told past the outbox, which a part that does not last might never send."""

    def __init__(self) -> None:
        self._channels: dict[str, DiscordWebhook] = {}
        self._told: set[str] = set()

    def add(self, channel: DiscordWebhook | None) -> None:
        """A studio's; several may share one."""
        if channel:
            self._channels[channel.get_url().get_secret_value()] = channel

    def look_after(self, part: Part) -> None:
        """Have the part look, and tell once while it ends again and again. Raises as `look`."""
        try:
            part.look()
        except Fatal as error:
            self._tell("PostFlow has stopped", str(error))
            raise
        if not part.trouble:
            self._told.discard(part.name)
        elif part.name not in self._told:
            self._told.add(part.name)
            self._tell("A part of PostFlow does not last", part.trouble)

    def _tell(self, title: str, text: str) -> None:
        for channel in self._channels.values():
            try:
                asyncio.run(_post(channel, title, text))
            except PostFlowError as error:
                err.print(f"Discord was not told: {error}", markup=False)


async def _post(channel: DiscordWebhook, title: str, text: str) -> None:
    async with channel.get_client() as discord:
        await discord.post(notice_card(title, text))
