"""Where reviewers are told."""

from __future__ import annotations

from typing import Any, ClassVar

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, HttpUrl, SecretStr, ValidationError, ValidationInfo, field_validator

from postflow.discord import DiscordClient
from postflow.discord.webhook import Routes
from postflow.problems import problems

from .base import StudioPart, icon, secret_from_environment


class DiscordWebhook(StudioPart, CredentialsBlock):
    """A Discord channel's webhook.

    Example:
        ```python
        import asyncio

        from postflow.blocks import DiscordWebhook

        async def main():
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
        title="Name of posts",
        description="Where the channel is a forum: the name of the post that a message goes to; "
        "the first of that name makes it. "
        "May hold {sequence}, {shot}, {version}, {file}, {project} and {day}.",
        examples=["{sequence} {shot}", "{sequence}", "{day}"],
    )
    tags: list[str] = Field(
        default_factory=list,
        title="Tags of new posts",
        description="Ids of the forum's tags that each new post gets, at most five.",
    )
    threads: dict[str, str] = Field(
        default_factory=dict,
        title="Threads by sequence",
        description="Ids of threads that there are, of any channel, for the clips of a sequence.",
        examples=[{"SQ07": "1234567890"}],
    )
    roles: dict[str, str] = Field(
        default_factory=dict,
        title="Roles by sequence",
        description="Ids of roles (Discord's developer mode, Copy Role ID) that are notified of "
        "a sequence's clips that are ready.",
        examples=[{"SQ07": "1234567890"}],
    )

    @field_validator("thread_id", "thread_name", "tags", "threads", "roles")
    @classmethod
    def _is_a_right_route(cls, value: Any, info: ValidationInfo) -> Any:
        """By field: an error of the whole would show the webhook."""
        try:
            _routes(**{**info.data, str(info.field_name): value})
        except ValidationError as error:
            told = problems(error, Routes)
            raise ValueError(told.removeprefix(str(info.field_name)).lstrip(": ")) from None
        return value

    def get_url(self) -> SecretStr:
        """The webhook's address, the environment's first."""
        return secret_from_environment("POSTFLOW_DISCORD_WEBHOOK_URL") or self.url

    def get_client(self) -> DiscordClient:
        return DiscordClient(self.get_url(), routes=_routes(**self.model_dump()))


def _routes(**fields: Any) -> Routes:
    return Routes(**{name: fields[name] for name in Routes.model_fields if fields.get(name)})
