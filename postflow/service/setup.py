"""From a studio's TOML file to its blocks."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Self, TypeVar

from prefect.blocks.core import Block
from prefect.client.orchestration import PrefectClient, get_client
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from postflow.blocks.adobe import AdobeTokens
from postflow.blocks.base import part_name, problems
from postflow.blocks.discord import DiscordWebhook
from postflow.blocks.frameio import FrameioAccount
from postflow.blocks.studio import Studio
from postflow.blocks.tunnel import Tunnel
from postflow.errors import Fatal
from postflow.settings import (
    LimitedHours,
    Rate,
    RetryPolicy,
    Transfer,
    Watching,
    refuse_old_names,
)

B = TypeVar("B", bound=Block)


class StudioSection(BaseModel):
    """`[studio]` of the file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    _current_names = model_validator(mode="before")(refuse_old_names)

    name: str = Field(default="main", pattern=r"^[a-z0-9][a-z0-9-]*$")
    naming: str = "undlm"
    rules: list[dict[str, Any]] = Field(default_factory=list)
    limit: Rate = "none"
    bandwidth: tuple[LimitedHours, ...] = ()
    watching: Watching = Field(default_factory=Watching)
    ledger: SecretStr | None = None
    ping: SecretStr | None = None
    transfer: Transfer = "auto"
    retry_policy: RetryPolicy = Field(default_factory=RetryPolicy)


class StudioFile(BaseModel):
    """The whole file: one table for each block."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    studio: StudioSection = Field(default_factory=StudioSection)
    frameio: dict[str, Any]
    adobe: dict[str, Any]
    tunnel: dict[str, Any] | None = None
    discord: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _tunnel_is_there(self) -> Self:
        if self.studio.transfer == "tunnel" and self.tunnel is None:
            raise ValueError("transfer = tunnel needs a table [tunnel], which may be empty")
        return self


def read_studio_file(path: Path) -> StudioFile:
    """Raises Fatal `studio.file`, which names the line or field and never a value."""
    try:
        return StudioFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _unreadable(str(path), str(error)) from error
    except ValidationError as error:
        raise _unreadable(str(path), problems(error)) from None


async def save_studio(file: StudioFile) -> Studio:
    """Create or replace the blocks of a studio, their types included, once all of it is right.

    A saved sign-in of the same credential is kept.
    """
    name, studio = file.studio.name, _studio(file)
    studio.get_naming()
    async with get_client() as client:
        await _keep_sign_in(studio.adobe, part_name(name, "adobe"), client)
        for part in ("adobe", "frameio", "tunnel", "discord"):
            if block := getattr(studio, part):
                await block.asave(part_name(name, part), overwrite=True, client=client)
        await studio.asave(name, overwrite=True, client=client)
    return studio


def _studio(file: StudioFile) -> Studio:
    section = file.studio
    adobe = _block(AdobeTokens, file.adobe, "adobe")
    return Studio(
        frameio=_block(FrameioAccount, file.frameio, "frameio", adobe=adobe),
        tunnel=_block(Tunnel, file.tunnel, "tunnel") if file.tunnel is not None else None,
        transfer=section.transfer,
        discord=_block(DiscordWebhook, file.discord, "discord") if file.discord else None,
        naming=section.naming,
        rules=section.rules,
        limit=section.limit,
        bandwidth=section.bandwidth,
        watching=section.watching,
        ledger=section.ledger,
        ping=section.ping,
        retry_policy=section.retry_policy,
    )


def _block(kind: type[B], table: dict[str, Any], section: str, **parts: Block) -> B:
    unknown = set(table) - (set(kind.model_fields) - set(parts))
    if unknown:
        raise _unreadable(f"[{section}]", f"unknown: {', '.join(sorted(unknown))}")
    try:
        return kind(**table, **parts)
    except ValidationError as error:
        raise _unreadable(f"[{section}]", problems(error)) from None


async def _keep_sign_in(adobe: AdobeTokens, name: str, client: PrefectClient) -> None:
    try:
        saved: AdobeTokens = await AdobeTokens.aload(name, client=client)
    except ValueError:
        return
    tokens = saved.get_tokens()
    if tokens and saved.client_id == adobe.client_id and adobe.access_token is None:
        adobe.keep(tokens)


def _unreadable(where: str, why: str) -> Fatal:
    return Fatal(
        f"The studio file does not load: {where}: {why}.",
        hint="See docs/configuration.md for every table and field.",
        code="studio.file",
    )
