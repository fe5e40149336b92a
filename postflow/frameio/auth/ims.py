"""Adobe's identity service (IMS), over its OAuth endpoints.

Paths and parameters: Adobe Developer Console guides, "User Authentication" and "Server to Server".
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from postflow.errors import Retry
from postflow.frameio.models import or_else
from postflow.models import FrozenModel

from .errors import BY_ERROR, UNREACHABLE, UNREADABLE, error_of, refusal
from .tokens import REFRESH_LIFE, Tokens, now

# Without additional_info.roles every Frame.io call answers 401, token valid or not.
USER_SCOPES = ("openid", "email", "profile", "offline_access", "additional_info.roles")
SERVICE_SCOPES = ("openid", "AdobeID", "frame.s2s.all")


class Credential(FrozenModel):
    """Who we are to Adobe.

    web: OAuth Web App, a person signs in and the app keeps a secret. native: OAuth Native App or
    Single-Page App, PKCE instead of a secret. service: OAuth Server-to-Server, nobody signs in; for
    accounts run from Adobe's Admin Console.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    kind: Literal["web", "native", "service"] = "web"
    client_id: str
    client_secret: SecretStr | None = None

    @property
    def is_service(self) -> bool:
        return self.kind == "service"

    @property
    def scopes(self) -> tuple[str, ...]:
        return SERVICE_SCOPES if self.is_service else USER_SCOPES

    def form(self) -> dict[str, str]:
        """The form for the token endpoint, secret included."""
        form = {"client_id": self.client_id}
        if self.client_secret:
            form["client_secret"] = self.client_secret.get_secret_value()
        return form


IMS_URL = "https://ims-na1.adobelogin.com"
_ANSWER_SECONDS = 30.0
# Of what is asked only to say sooner what is wrong.
_LOOK_SECONDS = 5.0
_NOT_WELCOME = (400, 401)
_ATTEMPTS = 3
HOUR, DAY = 3600, 86_400


class Grant(BaseModel):
    """The answer of the token endpoint. `expires_in` in seconds, an hour where it says nothing of
    use: the last refresh token was spent for this pair, which must not be lost.
    """

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    access_token: str
    refresh_token: str | None = None
    expires_in: Annotated[int, Field(ge=0, le=DAY), or_else(HOUR)] = HOUR
    scope: str = ""

    def tokens(self) -> Tokens:
        return Tokens.model_validate(
            {
                "access_token": self.access_token,
                "refresh_token": self.refresh_token or None,
                "expires_at": now() + timedelta(seconds=self.expires_in),
                "renewable_until": now() + REFRESH_LIFE if self.refresh_token else None,
                "scopes": split_scopes(self.scope) or scopes_in(self.access_token),
            }
        )


class AdobeIms:
    """Calls to IMS. Each opens its own connection: they are a handful a day."""

    def __init__(
        self, url: str = IMS_URL, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._transport = transport

    def authorize_url(
        self, credential: Credential, *, redirect_uri: str, state: str, verifier: str
    ) -> str:
        """Where a person's browser goes to sign in (authorization code with PKCE S256)."""
        query = {
            "client_id": credential.client_id,
            "redirect_uri": redirect_uri,
            "scope": ",".join(credential.scopes),
            "state": state,
            "response_type": "code",
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        return str(httpx.URL(f"{self.url}/ims/authorize/v2", params=query))

    async def demand_welcome(self, authorize_url: str) -> None:
        """Raises `Fatal` where Adobe refuses that address: the browser alone would show why, and
        never come back. What says nothing clear, or is not reached, is left to the browser.
        """
        async with httpx.AsyncClient(transport=self._transport, timeout=_LOOK_SECONDS) as http:
            with suppress(httpx.RequestError):
                answer = await http.get(authorize_url)
                if answer.status_code in _NOT_WELCOME and error_of(answer) in BY_ERROR:
                    raise refusal(answer)

    async def exchange(self, credential: Credential, *, code: str, verifier: str) -> Tokens:
        """Turn the one-time code of a redirect into tokens."""
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        return await self._grant(form, credential)

    async def refresh(self, credential: Credential, refresh_token: str) -> Tokens:
        """A new pair; the old refresh token is spent. Without a new one the old one stays good."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._grant(form, credential)

    async def client_credentials(self, credential: Credential) -> Tokens:
        """A service account's access token. There is never a refresh token."""
        form = {"grant_type": "client_credentials", "scope": ",".join(credential.scopes)}
        return await self._grant(form, credential)

    async def _grant(self, form: Mapping[str, str], credential: Credential) -> Tokens:
        answer = await self._post({**form, **credential.form()})
        try:
            return Grant.model_validate_json(answer.content).tokens()
        except ValidationError as error:
            raise UNREADABLE() from error

    async def _post(self, form: Mapping[str, str]) -> httpx.Response:
        attempts = AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS),
            retry=retry_if_exception_type(Retry),
            wait=wait_random_exponential(multiplier=0.5, max=5),
            reraise=True,
        )
        async with httpx.AsyncClient(transport=self._transport, timeout=_ANSWER_SECONDS) as http:
            return await attempts(self._answer, http, form)

    async def _answer(self, http: httpx.AsyncClient, form: Mapping[str, str]) -> httpx.Response:
        try:
            answer = await http.post(f"{self.url}/ims/token/v3", data=form)
        except httpx.RequestError as error:
            raise UNREACHABLE(url=self.url) from error
        if not answer.is_success:
            raise refusal(answer)
        return answer


def challenge(verifier: str) -> str:
    """PKCE S256 (RFC 7636, section 4.2)."""
    digest = sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def new_verifier() -> str:
    """A PKCE verifier of 64 characters."""
    return secrets.token_urlsafe(48)


def scopes_in(access_token: str) -> tuple[str, ...]:
    """The scopes that Adobe wrote into the token; its replies leave them out. () if unreadable.

    Good for a hint to a person only: nothing is verified.
    """
    try:
        body = access_token.split(".")[1]
        payload = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return split_scopes(str(payload["scope"]))
    except (IndexError, ValueError, KeyError, TypeError):
        return ()


def split_scopes(text: str) -> tuple[str, ...]:
    """IMS separates scopes by commas or by spaces."""
    return tuple(text.replace(",", " ").split())
