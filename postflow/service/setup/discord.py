"""The channel that is told, which shows a first message."""

from __future__ import annotations

from pydantic import SecretStr

from postflow.discord import DiscordClient
from postflow.discord.card import Card
from postflow.discord.cards import READY
from postflow.language import N_, _

from .draft import ASIDE
from .prompts import Desk

HOW = N_(
    "In Discord: the channel's settings → Integrations → Webhooks → New webhook → Copy webhook URL."
)


def take_channel(desk: Desk) -> None:
    desk.explain(HOW)
    url = desk.ask.secret(N_("Webhook URL (empty: nobody is told):"), judge=_is_address)
    if not url:
        desk.draft.drop("discord")
        desk.draft.put(ASIDE, channel=_("none"))
        return
    name = desk.run(_say_hello(SecretStr(url)))
    desk.draft.put("discord", url=url)
    desk.draft.put(ASIDE, channel=name)
    desk.proven(N_("A first message stands in the channel of “{name}”: look.", name=name))


def _is_address(answer: str) -> str | None:
    is_one = not answer.strip() or answer.strip().startswith(("https://", "http://"))
    return None if is_one else N_("That is no address. Leave it empty to go without.")


def _hello() -> Card:
    return Card(
        title=_("PostFlow is being set up"),
        colour=READY,
        description=_("Clips that are ready for review will be announced here."),
    )


async def _say_hello(url: SecretStr) -> str:
    async with DiscordClient(url) as discord:
        name = await discord.check()
        await discord.post(_hello())
    return name
