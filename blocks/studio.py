"""A studio's whole set-up, composed of the other blocks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from prefect.blocks.core import Block
from prefect.blocks.fields import SecretDict
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from pydantic import ConfigDict, Field, HttpUrl, SecretStr, ValidationError, model_validator

from postflow.bandwidth import Bandwidth
from postflow.errors import Fatal, engine_trouble
from postflow.feeds import Alarm, Hook, Sink
from postflow.language import Language, of_system
from postflow.ledger.opening import is_shared
from postflow.models import Transfer
from postflow.naming import Naming
from postflow.problems import problems
from postflow.settings import (
    LimitedHours,
    Rate,
    RetryPolicy,
    Watching,
    bytes_a_second,
    limit_at,
)
from postflow.state import meant_studio, remember_studio

from .adobe import AdobeTokens
from .base import StudioPart, find_prefect, icon, secret_from_environment
from .discord import DiscordWebhook
from .frameio import FrameioAccount
from .host import Host, own_name
from .tunnel import Tunnel


class Studio(StudioPart, Block):
    """All that PostFlow knows of a studio. Flows take its name: as a parameter of a flow, a block
    is stored masked.

    Example:
        ```python
        import asyncio

        from postflow import open_studio

        async def main():
            async with open_studio("main") as studio:
                print((await studio.find_project(studio.project)).name)

        asyncio.run(main())
        ```
    """

    _block_type_name: ClassVar[str] = "PostFlow Studio"
    _block_type_slug: ClassVar[str] = "postflow-studio"
    _logo_url: ClassVar[HttpUrl] = icon("prefect")
    _documentation_url: ClassVar[HttpUrl] = HttpUrl("https://docs.prefect.io/v3/concepts/blocks")
    _description: ClassVar[str] = (
        "A studio's whole set-up: Frame.io, Adobe, tunnel, Discord, names and folders. "
        "Made by `postflow setup`, verified by `postflow check`."
    )

    frameio: FrameioAccount = Field(
        title="Frame.io", description="Where clips go, and who signs in."
    )
    tunnel: Tunnel | None = Field(
        default=None,
        title="Tunnel",
        description="How Frame.io reaches the clips; empty where they are sent directly.",
    )
    transfer: Transfer = Field(
        default="auto",
        description="auto: through the tunnel, and directly where there is none, where none can be "
        "had just now, and above 50 GB. tunnel, direct: that way only.",
    )
    language: Language = Field(
        default_factory=of_system,
        description="Of messages in Discord, and of the page of clips. The system's by default.",
    )
    limit: Rate = Field(
        default="none",
        description="Most that clips may take of the uplink: 50 MB/s, 400 Mbit/s, or none. It "
        "holds for each process that sends.",
    )
    bandwidth: tuple[LimitedHours, ...] = Field(
        default=(),
        title="Limits by hours",
        description="Other limits at some hours; the first that fits holds.",
    )
    discord: DiscordWebhook | None = Field(
        default=None, title="Discord", description="Where clips are announced; may be empty."
    )
    naming: str = Field(
        default="undlm",
        description="A shipped set of naming rules; `rules`, when given, replace it.",
        examples=["undlm", "wip_byshot"],
    )
    rules: list[dict[str, Any]] = Field(
        default_factory=list,
        title="Naming rules",
        description="Rules of the studio's own, in order; `postflow setup --example` shows one.",
    )
    watching: Watching = Field(
        default_factory=Watching, description="Watch folders, and how much is done at once."
    )
    ledger: SecretStr | None = Field(
        default=None,
        description="postgresql:// address of the ledger, where several hosts work together. "
        "Empty: a file on this machine's own disk.",
        examples=["postgresql://postflow:…@db.studio.example/postflow"],
    )
    ping: SecretStr | None = Field(
        default=None,
        description="An address that the watcher calls after a scan, at most once a minute, so "
        "that a service outside can tell when the machine is down.",
        examples=["https://hc-ping.com/…"],
    )
    # A list of secrets would be shown by Prefect's API.
    alarms: SecretDict = Field(
        default_factory=lambda: SecretDict({}),
        description="Who else is told of what does not go by itself, by any name: addresses as "
        "Apprise writes them, for Slack, Teams, e-mail, ntfy.",
    )
    hook: Hook | None = Field(
        default=None, description="A program that is told of each delivery and failure."
    )
    retry_policy: RetryPolicy = Field(
        default_factory=RetryPolicy, description="How often and how long a transfer is tried."
    )

    @model_validator(mode="after")
    def _tunnel_is_there(self) -> Self:
        if self.transfer == "tunnel" and self.tunnel is None:
            raise ValueError("transfer = tunnel needs a tunnel")
        return self

    model_config = ConfigDict(hide_input_in_errors=True)

    @property
    def document_name(self) -> str:
        """The name it is saved under."""
        return self._block_document_name or "main"

    @property
    def adobe(self) -> AdobeTokens:
        return self.frameio.adobe

    @property
    def sinks(self) -> list[Sink]:
        """All who are told, beside Discord."""
        return [*self.get_alarms(), *([self.hook] if self.hook else [])]

    def get_alarms(self) -> list[Alarm]:
        return [Alarm(url=url) for url in self.alarms.get_secret_value().values()]

    def get_naming(self) -> Naming:
        """The compiled rules. Raises Fatal `naming.rules` when they are unsafe or ambiguous."""
        return Naming.of(self.naming, self.rules)

    def get_bandwidth(self) -> Bandwidth:
        """For all clips of a process to share."""
        limits = {self.limit, *(hours.limit for hours in self.bandwidth)}
        if not any(map(bytes_a_second, limits)):
            return Bandwidth()
        return Bandwidth(lambda: limit_at(datetime.now().astimezone(), self.limit, self.bandwidth))

    def remember(self, name: str) -> None:
        """For `postflow name` and the shell's completion. An address may hold a password."""
        ledger = self.ledger.get_secret_value() if self.ledger else None
        is_file = not is_shared(self.ledger)
        facts = {"naming": self.naming, "rules": self.rules}
        remember_studio(name, facts | ({"ledger": ledger} if is_file else {}))


async def load_studio(name: str | None = None) -> Studio:
    """The studio of that name, or the one that is meant where there is none, as it is on this host.

    Raises Fatal `studio.missing`, `studio.several` or `studio.invalid`.
    """
    name = name or meant_studio(await _studios())
    try:
        studio: Studio = await Studio.aload(name)
        part = await load_part(name) if is_shared(studio.ledger) else None
        (part or Host()).overridden().change(studio)
    except RuntimeError as error:
        # Prefect's own message would quote the value, which may be a secret.
        invalid = error.__cause__
        if not isinstance(invalid, ValidationError):
            raise
        raise _invalid(name, invalid) from None
    except ValidationError as error:
        raise engine_trouble(error) or _invalid(name, error) from None
    except ValueError as error:
        if trouble := engine_trouble(error):
            raise trouble from None
        raise Fatal(
            "There is no studio called {name!r} on this Prefect server.",
            hint="Name another one ({known}), or make it with `postflow setup`. If another machine "
            "has it: `postflow up --join URL`, with the address of the Prefect server there.",
            code="studio.missing",
            name=name,
            known=", ".join(await _studios()) or "there is none yet",
        ) from error
    studio.remember(name)
    webhook = secret_from_environment("POSTFLOW_DISCORD_WEBHOOK_URL")
    if webhook and studio.discord is None:
        studio.discord = DiscordWebhook(url=webhook)
    return studio


async def load_part(studio: str) -> Host | None:
    """This host's part of the studio, if it has one."""
    try:
        part: Host = await Host.aload(own_name(studio))
    except ValueError as error:
        if engine_trouble(error):
            raise
        return None
    return part


def _invalid(name: str, why: ValidationError) -> Fatal:
    return Fatal(
        "Studio {name!r} does not load: {problems}.",
        hint="Mend its blocks in Prefect's UI, or run `postflow setup --file` again.",
        code="studio.invalid",
        name=name,
        problems=problems(why, Studio),
    )


async def _studios() -> list[str]:
    """All that Prefect's server has."""
    find_prefect()
    async with get_client() as client:
        try:
            found = await client.read_block_documents_by_type(Studio.get_block_type_slug())
        except ObjectNotFound:
            return []
    return sorted(each.name for each in found if each.name)
