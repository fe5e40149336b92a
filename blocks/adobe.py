"""Who we are to Adobe, and the tokens that prove it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, HttpUrl, SecretStr

from postflow.errors import Fatal, PostFlowError
from postflow.frameio.auth.ims import IMS_URL, AdobeIms, Credential
from postflow.frameio.auth.login import REDIRECT_URI
from postflow.frameio.auth.renewal import TokenSource
from postflow.frameio.auth.sign_in import why_to_sign_in
from postflow.frameio.auth.tokens import Tokens
from postflow.http import PrivateAddress
from postflow.state import state_dir

from .base import StudioPart, icon, secret_from_environment


class AdobeTokens(StudioPart, CredentialsBlock):
    """The Adobe credential of a studio and its current tokens, which renew themselves.

    Example:
        ```python
        import asyncio

        from postflow.blocks import AdobeTokens

        async def main():
            block = await AdobeTokens.aload("main-adobe")
            sign_in = block.get_client()
            access_token = await sign_in.token()
            await sign_in.aclose()
            print("An access token of", len(access_token), "characters.")

        asyncio.run(main())
        ```
    """

    _block_type_name: ClassVar[str] = "PostFlow Adobe Tokens"
    _block_type_slug: ClassVar[str] = "postflow-adobe-tokens"
    _logo_url: ClassVar[HttpUrl] = icon("adobe")
    _documentation_url: ClassVar[HttpUrl] = HttpUrl("https://developer.adobe.com/console")
    _description: ClassVar[str] = (
        "The Adobe credential and tokens with which PostFlow signs in to Frame.io. "
        "Filled by `postflow login`; do not edit the tokens by hand."
    )

    kind: Literal["web", "native", "service"] = Field(
        default="web",
        title="Credential type",
        description="As created in the Adobe Developer Console: OAuth Web App, Native App or SPA "
        "(native), or OAuth Server-to-Server (service).",
        examples=["web"],
    )
    client_id: str = Field(
        title="Client ID",
        description="The credential's client ID.",
        examples=["0123456789abcdef0123456789abcdef"],
    )
    client_secret: SecretStr | None = Field(
        default=None,
        title="Client secret",
        description="Web App and Server-to-Server only. POSTFLOW_ADOBE_CLIENT_SECRET overrides it.",
    )
    redirect_uri: str = Field(
        default=REDIRECT_URI,
        title="Redirect URI",
        description="Exactly as registered with Adobe. HTTPS even on localhost.",
        examples=[REDIRECT_URI],
    )
    ims_url: PrivateAddress = Field(
        default=IMS_URL,
        title="Adobe IMS address",
        description="Only the sandbox uses another one.",
    )
    access_token: SecretStr | None = Field(default=None, description="Set by PostFlow.")
    refresh_token: SecretStr | None = Field(default=None, description="Set by PostFlow.")
    expires_at: datetime | None = Field(default=None, description="Set by PostFlow.")
    renewable_until: datetime | None = Field(default=None, description="Set by PostFlow.")
    scopes: list[str] = Field(
        default_factory=list, description="Set by PostFlow: what was granted."
    )

    def get_credential(self) -> Credential:
        """What Adobe knows of us, the environment's secret first. Raises Fatal."""
        if self.kind == "native":
            return Credential(kind="native", client_id=self.client_id)
        secret = secret_from_environment("POSTFLOW_ADOBE_CLIENT_SECRET") or self.client_secret
        if secret is None:
            raise Fatal(
                "The Adobe credential ({kind}) has no client secret.",
                hint="Set it in the AdobeTokens block or in POSTFLOW_ADOBE_CLIENT_SECRET.",
                code="adobe.credential",
                kind=self.kind,
            )
        return Credential(kind=self.kind, client_id=self.client_id, client_secret=secret)

    def get_tokens(self) -> Tokens | None:
        """The pair as last saved; None before the first sign-in."""
        if self.access_token is None or self.expires_at is None:
            return None
        return Tokens(**{name: getattr(self, name) for name in Tokens.model_fields})

    def keep(self, tokens: Tokens) -> None:
        """In the place of the pair it has; it is not saved yet."""
        for name in Tokens.model_fields:
            setattr(self, name, getattr(tokens, name))
        self.scopes = list(tokens.scopes)

    def get_client(self) -> TokenSource:
        """Access tokens that renew themselves and are saved in this block."""
        return TokenSource(
            self.get_credential(),
            BlockTokenStore(self.document_name),
            AdobeIms(self.ims_url),
            state_dir=state_dir(),
            name=self.document_name,
        )

    async def why_to_sign_in(self) -> PostFlowError | None:
        """Why a person has to sign in, now or within days; None while nobody has to."""
        try:
            return await why_to_sign_in(self.get_client())
        except PostFlowError as error:
            return error

    @property
    def document_name(self) -> str:
        """The name it is saved under."""
        return self._block_document_name or "main-adobe"


class BlockTokenStore:
    """A token pair kept in the AdobeTokens block of that name."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def load(self) -> Tokens | None:
        block: AdobeTokens = await AdobeTokens.aload(self._name)
        return block.get_tokens()

    async def save(self, tokens: Tokens) -> None:
        block: AdobeTokens = await AdobeTokens.aload(self._name)
        block.keep(tokens)
        await block.asave(self._name, overwrite=True)
