"""What IMS remembers: credentials, codes, access tokens and refresh tokens."""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from postflow.sandbox.frameio.studio import Studio, User
from postflow.sandbox.refusals import Complaint, Json, Refusal
from postflow.sandbox.switches import Switches

from .credentials import Credential, OAuthError, challenge_met

ROLES = "additional_info.roles"
SERVICE = "frame.s2s.all"


@dataclass(frozen=True)
class Grant:
    """What a token or code stands for. `ends` in seconds since 1970."""

    client_id: str
    user_id: str
    scopes: frozenset[str]
    ends: float
    challenge: str | None = None
    method: str = "plain"

    @property
    def expired(self) -> bool:
        return time.time() >= self.ends


class Ims:
    """All grants. A token that was taken back is not known any more."""

    def __init__(self, studio: Studio, switches: Callable[[], Switches]) -> None:
        self._studio = studio
        self._switches = switches
        self.credentials: dict[str, Credential] = {}
        self._codes: dict[str, Grant] = {}
        self._access: dict[str, Grant] = {}
        self._refresh: dict[str, Grant] = {}

    def register(self, credential: Credential) -> Credential:
        self.credentials[credential.id] = credential
        return credential

    def open_code(
        self, credential: Credential, scopes: frozenset[str], challenge: str | None, method: str
    ) -> str:
        code = "eyJ" + secrets.token_urlsafe(48)
        ends = time.time() + self._switches().code_seconds
        person = self._studio.person.id
        self._codes[code] = Grant(credential.id, person, scopes, ends, challenge, method)
        return code

    def redeem_code(self, credential: Credential, code: str, verifier: str) -> Json:
        """Tokens for a code, which is good once."""
        grant = self._codes.pop(code, None)
        if grant is None or grant.client_id != credential.id:
            raise OAuthError("invalid_grant", "invalid authorization code")
        if grant.expired:
            raise OAuthError("invalid_grant", "authorization code has expired")
        if grant.challenge and not challenge_met(grant.challenge, grant.method, verifier):
            raise OAuthError("invalid_grant", "invalid code_verifier parameter")
        answer = self.issue(credential, self._studio.person, grant.scopes)
        return answer | {"sub": grant.user_id, "id_token": self._jwt({"sub": grant.user_id})}

    def renew(self, credential: Credential, refresh_token: str) -> Json:
        """A fresh pair; by strict rotation the old refresh token is dead from now on."""
        grant = self._refresh.get(refresh_token)
        if grant is None or grant.client_id != credential.id:
            raise OAuthError("invalid_grant", "invalid refresh token")
        if grant.expired:
            raise OAuthError("invalid_grant", "refresh token has expired")
        if self._switches().refresh_rotation == "strict":
            del self._refresh[refresh_token]
        return self.issue(credential, self._studio.user(grant.user_id), grant.scopes)

    def issue(
        self,
        credential: Credential,
        user: User,
        scopes: frozenset[str],
        seconds: float | None = None,
    ) -> Json:
        """An access token, and a refresh token where scope and credential allow one."""
        life = self._switches().token_seconds if seconds is None else seconds
        access_token = self._access_token(credential, user, scopes, life)
        answer: Json = {
            "access_token": access_token,
            "token_type": "bearer",
            "expires_in": int(life),
        }
        if self._may_refresh(credential, scopes):
            answer["refresh_token"] = self._refresh_token(credential, user, scopes)
        return answer

    def _may_refresh(self, credential: Credential, scopes: frozenset[str]) -> bool:
        allowed = self._switches().offline_access and "offline_access" in scopes
        return allowed and (self._switches().refresh_for_public or not credential.public)

    def _access_token(
        self, credential: Credential, user: User, scopes: frozenset[str], life: float
    ) -> str:
        """Shaped like Adobe's: no `exp`; times are strings of milliseconds."""
        token = self._jwt(
            {
                "id": f"{uuid.uuid4()}_ue1",
                "type": "access_token",
                "client_id": credential.id,
                "user_id": user.id,
                "as": "ims-na1",
                "aa_id": user.id,
                "scope": ",".join(sorted(scopes)),
                "created_at": str(int(time.time() * 1000)),
                "expires_in": str(int(life * 1000)),
            }
        )
        self._access[token] = Grant(credential.id, user.id, scopes, time.time() + life)
        return token

    def _refresh_token(self, credential: Credential, user: User, scopes: frozenset[str]) -> str:
        token = self._jwt({"id": f"{uuid.uuid4()}_ue1", "type": "refresh_token"})
        ends = time.time() + self._switches().refresh_seconds
        self._refresh[token] = Grant(credential.id, user.id, scopes, ends)
        return token

    @staticmethod
    def _jwt(payload: Json) -> str:
        header = {"alg": "RS256", "x5u": "ims_na1-key-at-1.cer", "kid": "ims_na1-key-at-1"}
        parts = [json.dumps(part).encode() for part in (header, payload)]
        return ".".join(
            base64.urlsafe_b64encode(part).rstrip(b"=").decode()
            for part in (*parts, secrets.token_bytes(64))
        )

    def revoke(self, token: str) -> None:
        self._access.pop(token, None)
        self._refresh.pop(token, None)

    def expire_access(self) -> None:
        """From now on no access token given out so far is good."""
        self._access.clear()

    def grant_of(self, token: str) -> Grant | None:
        grant = self._access.get(token)
        return None if grant is None or grant.expired else grant

    def user_of(self, authorization: str | None) -> User:
        """Who calls the V4 API. One bare 401 stands for every reason, as in the real one."""
        scheme, _, token = (authorization or "").partition(" ")
        grant = self.grant_of(token) if scheme.lower() == "bearer" else None
        if grant is None or not grant.scopes & {ROLES, SERVICE}:
            raise Refusal(
                401, Complaint("Invalid or missing authorization token", title="Unauthorized")
            )
        return self._studio.user(grant.user_id)
