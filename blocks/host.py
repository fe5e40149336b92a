"""What is one host's own, where several deliver for a studio."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from prefect.blocks.core import Block
from pydantic import BaseModel, Field, HttpUrl, SecretStr

from postflow.outlet.tunnel import MaybePublicUrl
from postflow.settings import Rate, Watching
from postflow.state import this_host

from .base import StudioPart, icon
from .tunnel import Tunnel

if TYPE_CHECKING:
    from .studio import Studio

WATCHING = ("folders", "ignore_in", "at_once")
TUNNEL = ("provider", "authtoken", "domain", "ngrok_path", "base_url", "port")
# NGROK_AUTHTOKEN and POSTFLOW_NGROK_PATH are the tunnel's.
OVERRIDES = ("folders", "at_once", "limit", "domain", "base_url", "port")


class Host(StudioPart, Block):
    """One host's part of a studio, saved as STUDIO--HOST. What is empty is as the studio says.

    Example:
        ```python
        import asyncio

        from postflow.blocks import Host

        async def main():
            host = Host(folders=["/mnt/post/EXPORTS"], at_once=2)
            await host.asave("main--render-2", overwrite=True)
            print((await Host.aload("main--render-2")).at_once)

        asyncio.run(main())
        ```
    """

    _block_type_name: ClassVar[str] = "PostFlow Host"
    _block_type_slug: ClassVar[str] = "postflow-host"
    _logo_url: ClassVar[HttpUrl] = icon("prefect")
    _documentation_url: ClassVar[HttpUrl] = HttpUrl("https://docs.prefect.io/v3/concepts/blocks")
    _description: ClassVar[str] = (
        "What is one host's own of a studio that several hosts deliver for: where it has the "
        "volumes, and its tunnel. The host's environment overrides it."
    )

    folders: tuple[Path, ...] | None = Field(
        default=None,
        description="Where this host has the watch folders. POSTFLOW_FOLDERS overrides it, with "
        "colons between the paths.",
    )
    missing: tuple[Path, ...] | None = Field(
        default=None,
        description="Those of the folders that `postflow up` has not found on this host yet, and "
        "looks for.",
    )
    ignore_in: dict[Path, tuple[str, ...]] | None = Field(
        default=None, description="Names that are passed over in one of these folders only."
    )
    at_once: int | None = Field(
        default=None,
        description="Clips on their way at once from this host. POSTFLOW_AT_ONCE overrides it.",
    )
    limit: Rate | None = Field(
        default=None,
        description="Most that clips may take of this host's uplink. POSTFLOW_LIMIT overrides it.",
    )
    provider: Literal["ngrok", "static", "loopback"] | None = Field(
        default=None, description="This host's kind of tunnel."
    )
    authtoken: SecretStr | None = Field(
        default=None,
        title="ngrok authtoken",
        description="Where the host has one of its own. NGROK_AUTHTOKEN overrides it.",
    )
    domain: str | None = Field(
        default=None,
        description="Reserved with ngrok for this host alone. POSTFLOW_DOMAIN overrides it.",
    )
    ngrok_path: Path | None = Field(default=None, description="This host's ngrok agent.")
    base_url: MaybePublicUrl = Field(
        default=None,
        title="Public address",
        description="For static: the address that leads to this host. POSTFLOW_BASE_URL overrides "
        "it.",
    )
    port: int | None = Field(
        default=None,
        description="For static: the loopback port that it leads to. POSTFLOW_PORT overrides it.",
    )

    @classmethod
    def of(cls, studio: Studio, **own: Any) -> Self:
        """Complete, so that nothing that another host changes in the studio changes this one."""
        found = _given(studio.watching, WATCHING) | {"limit": studio.limit}
        return cls(**(found | _given(studio.tunnel, TUNNEL) | own))

    def overridden(self) -> Self:
        """This part with what the environment says instead, where it says something."""
        said = {name: os.environ.get(f"POSTFLOW_{name.upper()}") for name in OVERRIDES}
        given: dict[str, Any] = {name: value for name, value in said.items() if value}
        if "folders" in given:
            given |= {"folders": given["folders"].split(os.pathsep), "missing": None}
        return type(self)(**(_given(self, type(self).model_fields) | given))

    def change(self, studio: Studio) -> None:
        """The studio as it is on this host. Raises ValidationError where that is not right."""
        if own := _given(self, WATCHING):
            studio.watching = Watching.model_validate(dict(studio.watching) | own)
        if self.limit is not None:
            studio.limit = self.limit
        if own := _given(self, TUNNEL):
            studio.tunnel = Tunnel(**(_given(studio.tunnel, Tunnel.model_fields) | own))


def _given(source: BaseModel | None, names: Iterable[str]) -> dict[str, Any]:
    """The fields of these names that are not empty."""
    found = ((name, getattr(source, name, None)) for name in names)
    return {name: value for name, value in found if value is not None}


def own_name(studio: str, host: str | None = None) -> str:
    """What a host's block, deployments and work queue are called: of this one, if none is named.

    With one hyphen, host `c` of studio `a-b` would be called as host `b-c` of studio `a`.
    """
    return f"{studio}--{this_host() if host is None else host}"
