"""Where reviewers are told."""

from __future__ import annotations

from typing import Any, ClassVar

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, HttpUrl, SecretStr, ValidationError, ValidationInfo, field_validator

from postflow.discord import DiscordClient
from postflow.discord.webhook import Thread

from .base import StudioPart, icon, problems, secret_from_environment


class DiscordWebhook(StudioPart, CredentialsBlock):
    """A Discord channel's webhook.

    Example:
        ```python
        import asyncio

        from postflow.blocks import DiscordWebhook

        async def main() -> None:
            block = await DiscordWebhook.aload("main-discord")
            async with block.get_client() as discord:
                print(await discord.check())

        asyncio.run(main())
        ```
    """

    _block_type_name: ClassVar[str] = "PostFlow Discord Webhook"
    _block_type_slug: ClassVar[str] = "postflow-discord-webhook"
    _logo_url: ClassVar[HttpUrl] = icon("discord")
    _documentation_url: ClassVar[HttpUrl] = HttpUrl(
        "https://support.discord.com/hc/en-us/articles/228383668-Intro-to-Webhooks"
    )
    _description: ClassVar[str] = "The Discord channel in which PostFlow announces clips."

    url: SecretStr = Field(
        title="Webhook URL",
        description="Discord: channel settings, Integrations, Webhooks, Copy URL. "
        "POSTFLOW_DISCORD_WEBHOOK_URL overrides it.",
        examples=["https://discord.com/api/webhooks/<id>/<token>"],
    )

    thread_id: str | None = Field(
        default=None,
        coerce_numbers_to_str=True,
        title="Thread",
        description="Id of the thread or forum post for all messages: in Discord's developer mode, "
        "Copy Thread ID.",
    )
    thread_name: str | None = Field(
        default=None,
        title="Name of new posts",
        description="Where the channel is a forum: the name of the post that each message makes. "
        "May hold {sequence}, {shot}, {version}, {file} and {project}.",
        examples=["{sequence} {shot} {version}"],
    )

    @field_validator("thread_id", "thread_name")
    @classmethod
    def _is_a_right_thread(cls, value: str | None, info: ValidationInfo) -> str | None:
        """By field: an error of the whole would show the webhook."""
        try:
            _thread(**{**info.data, str(info.field_name): value})
        except ValidationError as error:
            raise ValueError(problems(error).partition(": ")[2]) from None
        return value

    def get_url(self) -> SecretStr:
        """The webhook's address, the environment's first."""
        return secret_from_environment("POSTFLOW_DISCORD_WEBHOOK_URL") or self.url

    def get_client(self) -> DiscordClient:
        return DiscordClient(self.get_url(), thread=_thread(self.thread_id, self.thread_name))


def _thread(thread_id: str | None = None, thread_name: str | None = None, **_: Any) -> Thread:
    return Thread(id=thread_id or None, name=thread_name or None)
