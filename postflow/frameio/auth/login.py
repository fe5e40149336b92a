"""Signing in with Adobe in a browser: the address to open, and what comes back from it."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

import httpx

from postflow.errors import Fatal

from .errors import explained
from .ims import AdobeIms, UserCredential, new_verifier
from .tokens import Tokens

REDIRECT_URI = "https://localhost:8914/callback"
_WRAPPING = " \t\r\n'\"<>“”"


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """One sign-in under way. `url` is for the browser; `state` ties the answer to it."""

    credential: UserCredential
    redirect_uri: str
    url: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    def code_from(self, redirected: str) -> str:
        """The one-time code in the address that the browser ended at, as pasted by a person.

        Raises `Fatal` with a reason: no address, refused by Adobe, or of another attempt.
        """
        query = _query_of(redirected, self.redirect_uri)
        if query.get("error"):
            raise explained(query["error"])
        if not query.get("code"):
            raise _no_code(self.redirect_uri)
        if not hmac.compare_digest(query.get("state", "").encode(), self.state.encode()):
            raise Fatal(
                "This address belongs to another sign-in.",
                hint="Run `postflow login` again, and use the address of the newest attempt.",
                code="adobe.state_mismatch",
            )
        return query["code"]

    async def finish(self, ims: AdobeIms, code: str) -> Tokens:
        """Exchange the code for tokens. It works once, within some minutes."""
        try:
            return await ims.exchange(self.credential, code=code, verifier=self.verifier)
        except Fatal as refused:
            if refused.code != "adobe.signed_out":
                raise
            raise Fatal(
                "Adobe does not accept the code of this sign-in.",
                hint="It works once and for a few minutes only: run `postflow login` again.",
                code="adobe.code_refused",
            ) from refused


def begin_login(
    ims: AdobeIms, credential: UserCredential, redirect_uri: str = REDIRECT_URI
) -> LoginAttempt:
    """A new sign-in. `redirect_uri` must match a pattern registered for the credential."""
    state, verifier = secrets.token_urlsafe(24), new_verifier()
    url = ims.authorize_url(credential, redirect_uri=redirect_uri, state=state, verifier=verifier)
    return LoginAttempt(credential, redirect_uri, url, state, verifier)


def _query_of(redirected: str, redirect_uri: str) -> dict[str, str]:
    address = "".join(redirected.split()).strip(_WRAPPING)
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise _no_code(redirect_uri) from error
    return dict(url.params) or dict(httpx.QueryParams(url.fragment))


def _no_code(redirect_uri: str) -> Fatal:
    return Fatal(
        "There is no sign-in code in this address.",
        hint="Paste the whole address that the browser ended at. If it is another than "
        f"{redirect_uri}, register that as a redirect URI of the Adobe credential: Adobe goes to "
        "the default one without saying so.",
        code="adobe.no_code",
    )
