"""The addresses of IMS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web
from yarl import URL

from postflow.sandbox.refusals import Json

from .credentials import SERVICE_SCOPES, USER_SCOPES, Credential, OAuthError, identify, read_scopes

if TYPE_CHECKING:
    from postflow.sandbox.world import World

LONGEST_STATE = 4096


def refusal(error: OAuthError) -> web.Response:
    body = {"error": error.error, "error_description": error.description}
    return web.json_response(body, status=error.status)


class ImsRoutes:
    """Handlers over the world's grants."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ims = world.ims

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/ims/authorize/v2", self.authorize, name="ims.authorize", allow_head=False),
            web.post("/ims/token/v3", self.token, name="ims.token"),
            web.post("/ims/revoke", self.revoke, name="ims.revoke"),
            web.post("/ims/validate_token/v1", self.validate, name="ims.validate"),
            web.get("/ims/userinfo/v2", self.userinfo, name="ims.userinfo"),
            web.get("/ims/.well-known/openid-configuration", self.discover, name="ims.discover"),
        ]

    async def authorize(self, request: web.Request) -> web.Response:
        query = request.query
        credential = self._ims.credentials.get(query.get("client_id", ""))
        if credential is None:
            return refusal(OAuthError("invalid_client", "invalid client_id parameter"))
        if len(query.get("state", "")) > LONGEST_STATE:
            return refusal(OAuthError("invalid_request", "state is too long"))
        try:
            answer = {"code": self._consent(credential, query)}
        except OAuthError as error:
            answer = {"error": error.error, "error_description": error.description}
        if "state" in query:
            answer["state"] = query["state"]
        target = URL(credential.redirect(query.get("redirect_uri"))).update_query(answer)
        return web.Response(status=302, headers={"Location": str(target)})

    def _consent(self, credential: Credential, query: Mapping[str, str]) -> str:
        scopes = read_scopes(query.get("scope", "openid"))
        challenge = query.get("code_challenge")
        self._check_request(credential, query, scopes)
        self._check_person(query)
        return self._ims.open_code(
            credential, scopes, challenge, query.get("code_challenge_method", "plain")
        )

    @staticmethod
    def _check_request(
        credential: Credential, query: Mapping[str, str], scopes: frozenset[str]
    ) -> None:
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "response_type must be code")
        if not scopes <= USER_SCOPES:
            raise OAuthError("invalid_scope", "scope not allowed for this client")
        if credential.public and not query.get("code_challenge"):
            raise OAuthError("invalid_request", "code_challenge is required for public clients")

    def _check_person(self, query: Mapping[str, str]) -> None:
        consent = self._world.switches.consent
        if consent == "denied":
            raise OAuthError("access_denied", "the user did not consent")
        if consent == "signed_out" and query.get("prompt") == "none":
            raise OAuthError("login_required", "the user is not signed in")

    async def token(self, request: web.Request) -> web.Response:
        form = await self._form(request)
        try:
            credential = self._identify(request, form)
            return web.json_response(self._exchange(credential, form))
        except OAuthError as error:
            return refusal(error)

    def _exchange(self, credential: Credential, form: Mapping[str, str]) -> Json:
        match form.get("grant_type"):
            case "authorization_code":
                verifier = form.get("code_verifier", "")
                return self._ims.redeem_code(credential, form.get("code", ""), verifier)
            case "refresh_token":
                return self._ims.renew(credential, form.get("refresh_token", ""))
            case "client_credentials":
                return self._serve(credential, read_scopes(form.get("scope", "")))
        raise OAuthError("unsupported_grant_type", "grant_type is not supported")

    def _serve(self, credential: Credential, scopes: frozenset[str]) -> Json:
        if credential.public:
            raise OAuthError("unauthorized_client", "client_credentials needs a secret")
        if not scopes or not scopes <= SERVICE_SCOPES:
            raise OAuthError("invalid_scope", "invalid scope parameter")
        return self._ims.issue(credential, self._world.studio.service, scopes)

    async def revoke(self, request: web.Request) -> web.Response:
        form = await self._form(request)
        try:
            self._identify(request, form)
        except OAuthError as error:
            return refusal(error)
        self._ims.revoke(form.get("token", ""))
        return web.Response()

    async def validate(self, request: web.Request) -> web.Response:
        form = await self._form(request)
        grant = self._ims.grant_of(form.get("token", ""))
        if grant is None or grant.client_id != form.get("client_id"):
            return web.json_response({"valid": False, "reason": "invalid_token"})
        token = {"client_id": grant.client_id, "scope": ",".join(sorted(grant.scopes))}
        return web.json_response({"valid": True, "token": token | {"user_id": grant.user_id}})

    async def userinfo(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").partition(" ")[2]
        grant = self._ims.grant_of(token)
        if grant is None:
            return refusal(OAuthError("invalid_token", "invalid access token", 401))
        user = self._world.studio.user(grant.user_id)
        return web.json_response({"sub": user.id, "name": user.name, "email": user.email})

    async def discover(self, _request: web.Request) -> web.Response:
        ims = f"{self._world.url}/ims"
        return web.json_response(
            {
                "issuer": self._world.url,
                "authorization_endpoint": f"{ims}/authorize/v2",
                "token_endpoint": f"{ims}/token/v3",
                "userinfo_endpoint": f"{ims}/userinfo/v2",
                "revocation_endpoint": f"{ims}/revoke",
                "scopes_supported": sorted(USER_SCOPES | SERVICE_SCOPES),
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256", "plain"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_basic",
                    "client_secret_post",
                ],
            }
        )

    def _identify(self, request: web.Request, form: Mapping[str, str]) -> Credential:
        authorization = request.headers.get("Authorization")
        return identify(self._ims.credentials, authorization, request.query, form)

    @staticmethod
    async def _form(request: web.Request) -> dict[str, str]:
        posted = await request.post()
        return {key: value for key, value in posted.items() if isinstance(value, str)}
