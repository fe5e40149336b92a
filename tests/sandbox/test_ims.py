"""Adobe IMS: three ways to sign in, rotation, expiry, scopes."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from postflow.sandbox import Sandbox
from tests.sandbox.caller import Caller, service_token

SCOPES = "openid email profile offline_access additional_info.roles"
REDIRECT = "https://localhost:8443/callback"


def authorize(world: Sandbox, **query: str) -> tuple[str, dict[str, str]]:
    """Where IMS sends the browser, and with what."""
    asked = {
        "client_id": world.client_id,
        "redirect_uri": REDIRECT,
        "scope": SCOPES,
        "state": "s3cret",
        "response_type": "code",
        **query,
    }
    answer = httpx.get(f"{world.url}/ims/authorize/v2", params=asked)
    assert answer.status_code == 302, answer.text
    target = urlsplit(answer.headers["location"])
    given = {key: values[0] for key, values in parse_qs(target.query).items()}
    return target._replace(query="").geturl(), given


def token(world: Sandbox, *, basic: bool = False, **form: str) -> httpx.Response:
    secret = {"client_id": world.client_id, "client_secret": world.client_secret}
    auth = httpx.BasicAuth(world.client_id, world.client_secret) if basic else None
    body = form if basic or "client_id" in form else {**secret, **form}
    return httpx.post(f"{world.url}/ims/token/v3", data=body, auth=auth)


def refresh(world: Sandbox, refresh_token: str) -> httpx.Response:
    return token(world, grant_type="refresh_token", refresh_token=refresh_token)


def me(world: Sandbox, access_token: str) -> int:
    headers = {"Authorization": f"Bearer {access_token}"}
    return httpx.get(f"{world.url}/v4/me", headers=headers).status_code


@pytest.mark.parametrize("basic", [True, False])
def test_web_app_signs_in_with_a_code(world: Sandbox, basic: bool) -> None:
    where, given = authorize(world)
    assert (where, given["state"]) == (REDIRECT, "s3cret")

    tokens = token(world, basic=basic, grant_type="authorization_code", code=given["code"]).json()

    assert set(tokens) == {
        "access_token",
        "refresh_token",
        "token_type",
        "expires_in",
        "sub",
        "id_token",
    }
    assert tokens["expires_in"] == 86399
    assert me(world, tokens["access_token"]) == 200


def test_code_is_good_once(world: Sandbox) -> None:
    code = authorize(world)[1]["code"]

    first = token(world, grant_type="authorization_code", code=code)
    second = token(world, grant_type="authorization_code", code=code)

    assert first.status_code == 200
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")


def test_expired_code_is_refused() -> None:
    with Sandbox(code_seconds=0) as world:
        code = authorize(world)[1]["code"]
        answer = token(world, grant_type="authorization_code", code=code)

    assert answer.json()["error"] == "invalid_grant"
    assert "expired" in answer.json()["error_description"]


@pytest.mark.parametrize(
    "redirect",
    ["http://localhost:8443/callback", "https://evil.example/", "https://localhost.evil.example/"],
)
def test_unregistered_redirect_silently_goes_to_the_default(world: Sandbox, redirect: str) -> None:
    where, given = authorize(world, redirect_uri=redirect)

    assert where == f"{world.url}/signed-in"
    assert given["code"]
    assert "Signed in" in httpx.get(where, params=given).text


@pytest.mark.parametrize("method", ["S256", "plain"])
def test_public_client_signs_in_with_pkce(world: Sandbox, method: str) -> None:
    verifier = secrets.token_urlsafe(48)
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    challenge = digest.rstrip(b"=").decode() if method == "S256" else verifier
    _, given = authorize(
        world,
        client_id=world.public_client_id,
        code_challenge=challenge,
        code_challenge_method=method,
    )
    form: dict[str, Any] = {
        "grant_type": "authorization_code",
        "code": given["code"],
        "client_id": world.public_client_id,
    }

    assert token(world, **form, code_verifier=verifier).status_code == 200


def test_wrong_verifier_is_refused_and_spends_the_code(world: Sandbox) -> None:
    _, given = authorize(world, client_id=world.public_client_id, code_challenge="right")
    form: dict[str, Any] = {
        "grant_type": "authorization_code",
        "code": given["code"],
        "client_id": world.public_client_id,
    }

    answers = [token(world, **form, code_verifier=verifier) for verifier in ("wrong", "right")]

    assert [answer.status_code for answer in answers] == [400, 400]


def test_public_client_cannot_go_without_pkce(world: Sandbox) -> None:
    assert authorize(world, client_id=world.public_client_id)[1]["error"] == "invalid_request"


def test_unknown_scope_is_told_to_the_redirect(world: Sandbox) -> None:
    _, given = authorize(world, scope="openid everything")

    assert (given["error"], given["state"]) == ("invalid_scope", "s3cret")


def test_person_who_declines_is_told_to_the_redirect() -> None:
    with Sandbox(consent="denied") as world:
        assert authorize(world)[1]["error"] == "access_denied"
    with Sandbox(consent="signed_out") as world:
        assert authorize(world, prompt="none")[1]["error"] == "login_required"
        assert "code" in authorize(world)[1]


def test_state_has_a_longest_length(world: Sandbox) -> None:
    query = {"client_id": world.client_id, "response_type": "code", "state": "x" * 4097}

    assert httpx.get(f"{world.url}/ims/authorize/v2", params=query).status_code == 400


def test_service_signs_in_and_never_gets_a_refresh_token(world: Sandbox) -> None:
    tokens = service_token(world)

    assert "refresh_token" not in tokens
    with Caller(world, tokens["access_token"]) as caller:
        assert caller.http.get("/v4/me").json()["data"]["name"] == "Service Account User"


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 400, "invalid_client"),
        ({"scope": "everything"}, 400, "invalid_scope"),
        ({"scope": ""}, 400, "invalid_scope"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_wrong_service_sign_ins(
    world: Sandbox, change: dict[str, str], status: int, error: str
) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": world.client_id,
        "client_secret": world.client_secret,
        "scope": "openid,AdobeID,frame.s2s.all",
        **change,
    }
    answer = httpx.post(f"{world.url}/ims/token/v3", data=form)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"]


def test_refresh_gives_a_fresh_pair_and_kills_the_old_token(world: Sandbox) -> None:
    first = world.tokens()

    second = refresh(world, first["refresh_token"]).json()
    again = refresh(world, first["refresh_token"])

    assert set(second) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert second["refresh_token"] != first["refresh_token"]
    assert me(world, second["access_token"]) == me(world, first["access_token"]) == 200
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert refresh(world, second["refresh_token"]).status_code == 200


def test_switch_leaves_a_used_refresh_token_alive() -> None:
    with Sandbox(refresh_rotation="lenient") as world:
        old = world.tokens()["refresh_token"]
        assert [refresh(world, old).status_code for _ in range(3)] == [200, 200, 200]


def test_expired_refresh_token_says_so() -> None:
    with Sandbox(refresh_seconds=0) as world:
        answer = refresh(world, world.tokens()["refresh_token"])

    assert "expired" in answer.json()["error_description"]


def test_expired_access_token_is_401_and_can_be_refreshed(world: Sandbox) -> None:
    tokens = world.tokens(expires_in=0)

    assert me(world, tokens["access_token"]) == 401
    fresh = refresh(world, tokens["refresh_token"]).json()
    assert me(world, fresh["access_token"]) == 200


@pytest.mark.parametrize(
    ("switches", "scope"),
    [({}, "openid additional_info.roles"), ({"offline_access": False}, SCOPES)],
)
def test_refresh_token_is_silently_absent(switches: dict[str, Any], scope: str) -> None:
    with Sandbox(**switches) as world:
        code = authorize(world, scope=scope)[1]["code"]
        tokens = token(world, grant_type="authorization_code", code=code).json()

    assert "refresh_token" not in tokens
    assert tokens["access_token"]


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoked_token_is_dead(world: Sandbox, which: str) -> None:
    tokens = world.tokens()
    form = {
        "client_id": world.client_id,
        "client_secret": world.client_secret,
        "token": tokens[which],
    }

    revoked = httpx.post(f"{world.url}/ims/revoke", data=form)

    assert (revoked.status_code, revoked.content) == (200, b"")
    if which == "access_token":
        assert me(world, tokens["access_token"]) == 401
    else:
        assert refresh(world, tokens["refresh_token"]).status_code == 400


def test_introspection_and_userinfo(world: Sandbox) -> None:
    access = world.tokens()["access_token"]
    headers = {"Authorization": f"Bearer {access}"}
    url = f"{world.url}/ims/validate_token/v1"

    good = httpx.post(url, data={"client_id": world.client_id, "token": access}).json()
    bad = httpx.post(url, data={"client_id": world.client_id, "token": "x"})
    person = httpx.get(f"{world.url}/ims/userinfo/v2", headers=headers).json()

    assert good["valid"] is True
    assert (bad.status_code, bad.json()["valid"]) == (200, False)
    assert person["email"] == "operator@studio.example"


def test_access_token_is_shaped_like_adobes(world: Sandbox) -> None:
    """No `exp`; times are strings of milliseconds; the scope stands apart by commas."""
    payload = world.tokens()["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

    assert "exp" not in claims
    assert claims["expires_in"] == "86399000"
    assert claims["created_at"].isdecimal()
    assert "additional_info.roles" in claims["scope"].split(",")


def test_discovery_names_the_addresses(world: Sandbox) -> None:
    found = httpx.get(f"{world.url}/ims/.well-known/openid-configuration").json()

    assert found["token_endpoint"] == f"{world.url}/ims/token/v3"
    assert found["authorization_endpoint"] == f"{world.url}/ims/authorize/v2"
