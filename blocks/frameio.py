"""Where in Frame.io a studio's clips go."""

from __future__ import annotations

from typing import ClassVar

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, HttpUrl

from postflow.frameio import FrameioClient, TokenSource
from postflow.frameio.client import FRAMEIO_URL
from postflow.http import PrivateAddress
from postflow.settings import Sharing
from postflow.state import lock_dir

from .adobe import AdobeTokens
from .base import StudioPart, icon


class FrameioAccount(StudioPart, CredentialsBlock):
    """A Frame.io account, who signs in to it, and the project that clips go to.

    Example:
        ```python
        import asyncio

        from postflow.blocks import FrameioAccount

        async def main():
            block = await FrameioAccount.aload("main-frameio")
            async with block.get_client() as frameio:
                project = await frameio.projects.find(block.project, block.account, block.workspace)
                print(project.name, project.id)

        asyncio.run(main())
        ```
    """

    _block_type_name: ClassVar[str] = "PostFlow Frame.io Account"
    _block_type_slug: ClassVar[str] = "postflow-frameio-account"
    _logo_url: ClassVar[HttpUrl] = icon("adobecreativecloud")
    _documentation_url: ClassVar[HttpUrl] = HttpUrl("https://developer.adobe.com/frameio/")
    _description: ClassVar[str] = "The Frame.io V4 account and project that PostFlow delivers to."

    adobe: AdobeTokens = Field(title="Adobe", description="Who signs in.")
    project: str = Field(description="Name or id of the Frame.io project.", examples=["UNDERLAMES"])
    account: str | None = Field(
        default=None, description="Name or id of the account; needed when you are in several."
    )
    workspace: str | None = Field(
        default=None,
        description="Name or id of the workspace; needed when two hold a project of that name.",
    )
    share: Sharing | None = Field(
        default=None,
        title="Share links",
        description="Links for people who are no members of the project; empty: none are made.",
    )
    base_url: PrivateAddress = Field(
        default=FRAMEIO_URL,
        title="API address",
        description="Only the sandbox uses another one.",
    )

    def get_client(self, sign_in: TokenSource | None = None) -> FrameioClient:
        """The account's client; open it with `async with`."""
        tokens = sign_in or self.adobe.get_client()
        return FrameioClient(tokens, base_url=self.base_url, lock_dir=lock_dir())
