"""Where in Frame.io a studio's clips go."""

from __future__ import annotations

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import Field

from .schema import SchemaOnce


class FrameioAccount(SchemaOnce, Block):
    """A Frame.io account and the project that clips go to.

    Example:
        ```python
        account = await FrameioAccount.aload("main")
        ```
    """

    _block_type_name: ClassVar[str] = "PostFlow Frame.io Account"
    _block_type_slug: ClassVar[str] = "postflow-frameio-account"
    _description: ClassVar[str] = "The Frame.io V4 account and project that PostFlow delivers to."

    project: str = Field(description="Name or id of the Frame.io project.", examples=["UNDERLAMES"])
    account: str | None = Field(
        default=None, description="Name or id of the account; needed when you are in several."
    )
    workspace: str | None = Field(
        default=None,
        description="Name or id of the workspace; needed when two hold a project of that name.",
    )
    base_url: str = Field(
        default="https://api.frame.io",
        title="API address",
        description="Only the sandbox uses another one.",
    )
