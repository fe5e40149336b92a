"""Where reviewers are told."""

from __future__ import annotations

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from postflow.discord import DiscordClient

from .overrides import secret_from_environment


class DiscordWebhook(Block):
    """A Discord channel's webhook.

    Example:
        ```python
        webhook = await DiscordWebhook.aload("main")
        async with webhook.get_client() as discord:
            await discord.check()
        ```
    """

    _block_type_name: ClassVar[str] = "PostFlow Discord Webhook"
    _block_type_slug: ClassVar[str] = "postflow-discord-webhook"
    _description: ClassVar[str] = "The Discord channel in which PostFlow announces clips."

    url: SecretStr = Field(
        title="Webhook URL",
        description="Discord: channel settings, Integrations, Webhooks, Copy URL. "
        "POSTFLOW_DISCORD_WEBHOOK_URL overrides it.",
        examples=["https://discord.com/api/webhooks/<id>/<token>"],
    )

    def get_client(self) -> DiscordClient:
        return DiscordClient(secret_from_environment("POSTFLOW_DISCORD_WEBHOOK_URL") or self.url)
