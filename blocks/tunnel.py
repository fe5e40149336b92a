"""How Frame.io reaches our media server."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, HttpUrl, SecretStr, model_validator

from postflow.outlet.ngrok.provider import NgrokProvider
from postflow.outlet.tunnel import MaybePublicUrl, StaticProvider, TunnelProvider
from postflow.state import state_dir

from .base import StudioPart, icon, secret_from_environment


class Tunnel(StudioPart, CredentialsBlock):
    """The public address of the media server: ngrok, or an address of the studio's own.

    Example:
        ```python
        import asyncio

        from postflow.blocks import Tunnel

        async def main():
            block = await Tunnel.aload("main-tunnel")
            async with block.get_client().open("http://127.0.0.1:8000") as tunnel:
                print(tunnel.public_url)

        asyncio.run(main())
        ```
    """

    _block_type_name: ClassVar[str] = "PostFlow Tunnel"
    _block_type_slug: ClassVar[str] = "postflow-tunnel"
    _logo_url: ClassVar[HttpUrl] = icon("ngrok")
    _documentation_url: ClassVar[HttpUrl] = HttpUrl("https://ngrok.com/docs")
    _description: ClassVar[str] = (
        "How Frame.io reaches the clips on this machine: through ngrok, or through a public "
        "address that already leads here."
    )

    provider: Literal["ngrok", "static", "loopback"] = Field(
        default="ngrok",
        description="ngrok: opened for each transfer. static: your own domain or reverse proxy. "
        "loopback: no tunnel, for the sandbox.",
    )
    authtoken: SecretStr | None = Field(
        default=None,
        title="ngrok authtoken",
        description="From dashboard.ngrok.com, Your Authtoken. NGROK_AUTHTOKEN overrides it.",
    )
    domain: str | None = Field(
        default=None,
        description="A domain reserved with ngrok, which keeps the address over reconnects.",
        examples=["studio-name.ngrok.app"],
    )
    ngrok_path: Path | None = Field(
        default=None,
        title="ngrok agent",
        description="The agent's path (3.30 or newer); found on PATH when empty. "
        "POSTFLOW_NGROK_PATH overrides it.",
    )
    base_url: MaybePublicUrl = Field(
        default=None,
        title="Public address",
        description="For static: the public address that leads to this machine's media server.",
        examples=["https://media.studio.example"],
    )
    port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="For static: the loopback port that the public address leads to.",
    )

    @model_validator(mode="after")
    def _static_needs_an_address(self) -> Tunnel:
        if self.provider == "static" and not (self.base_url and self.port):
            raise ValueError("a static tunnel needs base_url and port")
        return self

    def get_client(self) -> TunnelProvider:
        """The provider that opens the tunnel; nothing is opened yet."""
        if self.provider != "ngrok":
            return StaticProvider(base_url=self.base_url if self.provider == "static" else None)
        return NgrokProvider(
            ngrok_path=self.ngrok_path,
            authtoken=secret_from_environment("NGROK_AUTHTOKEN") or self.authtoken,
            domain=self.domain,
            state_dir=state_dir(),
        )
