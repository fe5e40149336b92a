"""The credentials made in the Adobe Developer Console, and how a client shows it has one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

USER_SCOPES = frozenset(
    {"openid", "AdobeID", "email", "profile", "offline_access", "additional_info.roles"}
)
SERVICE_SCOPES = frozenset({"openid", "AdobeID", "frame.s2s.all"})


class OAuthError(Exception):
    """An answer of the OAuth kind: `{"error": ..., "error_description": ...}`."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True)
class Credential:
    """A client. Without `secret` it is public and needs PKCE."""

    id: str
    secret: str | None
    redirects: tuple[str, ...]
    default_redirect: str

    @property
    def public(self) -> bool:
        return self.secret is None

    def redirect(self, wanted: str | None) -> str:
        """The wanted address if a registered pattern fits; else, silently, the default."""
        fits = wanted is not None and any(re.fullmatch(p, wanted) for p in self.redirects)
        return wanted if fits and wanted is not None else self.default_redirect


def confidential(url: str) -> Credential:
    """A web app, which is also the server-to-server credential; redirects are HTTPS only."""
    return Credential(
        id=uuid.uuid4().hex,
        secret="p8e-" + secrets.token_urlsafe(24),
        redirects=(r"https://(localhost|127\.0\.0\.1)(:\d+)?(/.*)?",),
        default_redirect=f"{url}/signed-in",
    )


def public(url: str) -> Credential:
    """A native app with PKCE; besides its own scheme it may use the sandbox's page."""
    client_id = uuid.uuid4().hex
    native = f"adobe+{hashlib.sha256(client_id.encode()).hexdigest()[:40]}://adobeid/{client_id}"
    localhost = r"https://(localhost|127\.0\.0\.1)(:\d+)?(/.*)?"
    return Credential(
        id=client_id,
        secret=None,
        redirects=(re.escape(native), localhost),
        default_redirect=f"{url}/signed-in",
    )


def read_scopes(text: str) -> frozenset[str]:
    """Scopes stand apart by spaces or by commas."""
    return frozenset(part for part in re.split(r"[\s,]+", text) if part)


def identify(
    credentials: Mapping[str, Credential],
    authorization: str | None,
    query: Mapping[str, str],
    form: Mapping[str, str],
) -> Credential:
    """Who calls the token endpoint: by Basic, by the body, or by a bare client_id if public."""
    client_id, secret = _basic(authorization) or (
        form.get("client_id") or query.get("client_id") or "",
        form.get("client_secret"),
    )
    credential = credentials.get(client_id)
    if credential is None:
        raise OAuthError("invalid_client", "invalid client_id parameter")
    if not credential.public and not secrets.compare_digest(credential.secret or "", secret or ""):
        raise OAuthError("invalid_client", "invalid client_secret parameter", 401)
    return credential


def _basic(authorization: str | None) -> tuple[str, str] | None:
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OAuthError("invalid_client", "malformed Authorization header", 401) from error
    return client_id, secret


def challenge_met(challenge: str, method: str, verifier: str) -> bool:
    """PKCE, RFC 7636; the default method is plain."""
    if method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return secrets.compare_digest(challenge.encode(), verifier.encode())
