"""Adobe's identity service, as far as other tests do not reach it."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import httpx
import pytest

from postflow.errors import Fatal, PostFlowError, Retry
from postflow.frameio import AdobeIms
from postflow.frameio.auth.ims import SERVICE_SCOPES, scopes_in, split_scopes
from postflow.sandbox import Sandbox
from tests.frameio.connecting import service


def token_with(payload: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    return f"head.{body}.signature"


async def test_the_granted_scopes_are_known_from_the_token(world: Sandbox) -> None:
    tokens = await AdobeIms(world.url).client_credentials(service(world))
    assert set(tokens.scopes) == set(SERVICE_SCOPES)
    assert tokens.refresh_token is None


@pytest.mark.parametrize(
    ("token", "scopes"),
    [
        (token_with({"scope": "openid,email"}), ("openid", "email")),
        (token_with({"scope": ""}), ()),
        (token_with({}), ()),
        (token_with(["scope"]), ()),
        ("head.%%%.signature", ()),
        ("opaque", ()),
        ("", ()),
    ],
)
def test_a_token_of_any_shape_can_be_looked_into(token: str, scopes: tuple[str, ...]) -> None:
    assert scopes_in(token) == scopes


@pytest.mark.parametrize("text", ["a,b c", "a b,c", " a, b ,c "])
def test_scopes_may_stand_apart_by_commas_or_spaces(text: str) -> None:
    assert split_scopes(text) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (httpx.Response(200, text="<html>hotel"), Retry, "adobe.unreadable"),
        (httpx.Response(200, json=["canary"]), Retry, "adobe.unreadable"),
        (httpx.Response(200, json={"refresh_token": "canary"}), Retry, "adobe.unreadable"),
        (httpx.Response(302, headers={"location": "http://hotel"}), Retry, "adobe.unreadable"),
        (httpx.Response(429, json={}), Retry, "adobe.busy"),
        (httpx.Response(400, json={"error": "invalid_scope"}), Fatal, "adobe.scope_refused"),
        (httpx.Response(400, json={"error": "unauthorized_client"}), Fatal, "adobe.client_refused"),
        (httpx.Response(400, json={"error": "canary that is\nnew"}), Fatal, "adobe.refused"),
        (httpx.Response(403, text="<html>"), Retry, "adobe.unreadable"),
        (httpx.Response(400, json=["x"]), Retry, "adobe.unreadable"),
    ],
)
async def test_an_answer_that_is_no_token_is_explained(
    world: Sandbox, answer: httpx.Response, kind: type[PostFlowError], code: str
) -> None:
    ims = AdobeIms("https://ims.example", transport=httpx.MockTransport(lambda _: answer))
    with pytest.raises(kind) as raised:
        await ims.client_credentials(service(world))
    assert raised.value.code == code
    assert raised.value.hint
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("life", [None, "soon", -1, 86_399_000, 10**30, ...], ids=str)
async def test_a_pair_is_not_lost_for_an_odd_lifetime(world: Sandbox, life: object) -> None:
    """The refresh token was spent for it."""
    answer = {"access_token": "new", "refresh_token": "next", "expires_in": life}
    body = {key: value for key, value in answer.items() if value is not ...}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    tokens = await AdobeIms("https://ims.example", transport=transport).refresh(
        service(world), "old"
    )
    assert tokens.refresh_token is not None
    assert tokens.lasts(timedelta(minutes=30))
    assert not tokens.lasts(timedelta(days=2))
