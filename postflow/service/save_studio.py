"""From a studio's file to its blocks."""

from __future__ import annotations

from typing import Any, TypeVar

from prefect.blocks.core import Block
from prefect.blocks.fields import SecretDict
from prefect.client.orchestration import PrefectClient, get_client
from pydantic import ValidationError

from postflow.blocks.adobe import AdobeTokens
from postflow.blocks.base import part_name
from postflow.blocks.discord import DiscordWebhook
from postflow.blocks.frameio import FrameioAccount
from postflow.blocks.host import Host, own_name
from postflow.blocks.studio import Studio
from postflow.blocks.tunnel import Tunnel
from postflow.ledger.opening import is_shared
from postflow.problems import problems, unknown_keys
from postflow.state import this_host

from .studio_file import StudioFile, StudioSection, unreadable

B = TypeVar("B", bound=Block)


async def save_studio(file: StudioFile, built: Studio | None = None) -> Studio:
    """Create or replace the blocks of a studio, their types included, once all of it is right.
    `built`: what `studio_of` has made of the file.

    A saved sign-in of the same credential is kept, and so is the part of each host that the file
    does not name, but for this one's.
    """
    name, studio = file.studio.name, built or studio_of(file)
    studio.get_naming()
    hosts = _hosts(file, studio)
    async with get_client() as client:
        await _keep_sign_in(studio.adobe, part_name(name, "adobe"), client)
        for part in ("adobe", "frameio", "tunnel", "discord"):
            if block := getattr(studio, part):
                await block.asave(part_name(name, part), overwrite=True, client=client)
        for host, own in hosts.items():
            await own.asave(own_name(name, host), overwrite=True, client=client)
        await studio.asave(name, overwrite=True, client=client)
    studio.remember(name)
    return studio


def _hosts(file: StudioFile, studio: Studio) -> dict[str, Host]:
    """The parts of this host and of those that the file names, where hosts can share the ledger."""
    if not is_shared(file.studio.ledger):
        return {}
    tables: dict[str, dict[str, Any]] = {this_host(): {}} | file.studio.hosts
    return {host: _host(host, studio, table) for host, table in tables.items()}


def _host(name: str, studio: Studio, table: dict[str, Any]) -> Host:
    place = ("studio", "hosts", name)
    try:
        host = _block(Host, table, *place)
        own = Host.of(studio, **{each: getattr(host, each) for each in table})
        own.change(studio.model_copy())
    except ValidationError as error:
        raise unreadable(problems(error, Studio, place)) from None
    return own


def studio_of(file: StudioFile) -> Studio:
    """Its blocks, not saved yet. Raises Fatal `studio.file`."""
    section = file.studio
    adobe = _block(AdobeTokens, file.adobe, "adobe")
    same = (Studio.model_fields.keys() & StudioSection.model_fields.keys()) - {"alarms"}
    return Studio(
        frameio=_block(FrameioAccount, file.frameio, "frameio", adobe=adobe),
        tunnel=_block(Tunnel, file.tunnel, "tunnel") if file.tunnel is not None else None,
        discord=_block(DiscordWebhook, file.discord, "discord") if file.discord else None,
        alarms=SecretDict(
            {str(n): alarm.url.get_secret_value() for n, alarm in enumerate(section.alarms, 1)}
        ),
        **{name: getattr(section, name) for name in same},
    )


def _block(kind: type[B], table: dict[str, Any], *place: str, **parts: Block) -> B:
    known = kind.model_fields.keys() - parts
    if unknown := table.keys() - known:
        raise unreadable(unknown_keys(unknown, known, place))
    try:
        return kind(**table, **parts)
    except ValidationError as error:
        raise unreadable(problems(error, kind, place)) from None


async def _keep_sign_in(adobe: AdobeTokens, name: str, client: PrefectClient) -> None:
    try:
        saved: AdobeTokens = await AdobeTokens.aload(name, client=client)
    except ValueError:
        return
    tokens = saved.get_tokens()
    if tokens and saved.client_id == adobe.client_id and adobe.access_token is None:
        adobe.keep(tokens)
