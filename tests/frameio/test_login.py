"""Signing in through a browser, with the sandbox as Adobe."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from postflow.errors import Fatal, Retry
from postflow.frameio import AdobeIms, Credential, Tokens
from postflow.frameio.auth.ims import challenge
from postflow.frameio.auth.login import LoginAttempt, begin_login, callback_page, wait_for_browser
from postflow.sandbox import Sandbox
from tests.frameio.connecting import native, web
from tests.support.wait import wait_until

NATIVE = "adobe+0123abcd://adobeid/{client_id}"


def local_redirect() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"https://localhost:{probe.getsockname()[1]}/callback"


def attempt_at(world: Sandbox, redirect_uri: str) -> LoginAttempt:
    return begin_login(AdobeIms(world.url), web(world), redirect_uri)


async def redirected(url: str) -> str:
    """Where Adobe sends the browser that opens `url`."""
    async with httpx.AsyncClient() as http:
        return (await http.get(url)).headers["location"]


async def browse(url: str) -> httpx.Response:
    """Open `url` and follow it to our page, trusting its certificate as the person does."""
    async with httpx.AsyncClient(verify=False) as http:
        return await http.get(await redirected(url))


async def address_in(shown: list[str]) -> str:
    await wait_until(lambda: shown, description="the address to open")
    return shown[0]


def as_credential(world: Sandbox, kind: str) -> Credential:
    return web(world) if kind == "web" else native(world)


@pytest.mark.parametrize("kind", ["web", "native"])
async def test_a_browser_signs_in_through_the_https_page(world: Sandbox, kind: str) -> None:
    ims = AdobeIms(world.url)
    attempt = begin_login(ims, as_credential(world, kind), local_redirect())
    shown: list[str] = []
    waiting = asyncio.create_task(wait_for_browser(attempt, ims, show=shown.append))
    page = await browse(await address_in(shown))
    tokens = await waiting
    assert page.status_code == 200
    assert "close this page" in page.text
    assert await granted_scopes(world, tokens, attempt.credential) == set(attempt.credential.scopes)
    assert tokens.refresh_token is not None


async def test_an_unknown_client_is_told_before_any_browser_is_waited_for(world: Sandbox) -> None:
    ims, known = AdobeIms(world.url), web(world)
    await ims.demand_welcome(begin_login(ims, known, local_redirect()).url)
    unknown = known.model_copy(update={"client_id": "0" * 32})
    with pytest.raises(Fatal) as refused:
        await ims.demand_welcome(begin_login(ims, unknown, local_redirect()).url)
    assert refused.value.code == "adobe.client_refused"


async def test_what_cannot_be_asked_is_left_to_the_browser() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        await AdobeIms().demand_welcome(f"http://127.0.0.1:{nobody.getsockname()[1]}/")


async def granted_scopes(world: Sandbox, tokens: Tokens, credential: Credential) -> set[str]:
    token = tokens.access_token.get_secret_value()
    form = {"client_id": credential.client_id, "token": token}
    async with httpx.AsyncClient() as http:
        answer = (await http.post(f"{world.url}/ims/validate_token/v1", data=form)).json()
    assert answer["valid"]
    return set(answer["token"]["scope"].split(","))


@pytest.mark.parametrize("wrapping", ["{}", "  {}\n", '"{}"', "'{}'", "<{}>"])
async def test_a_pasted_address_signs_in(world: Sandbox, wrapping: str) -> None:
    attempt = attempt_at(world, "https://localhost:8914/callback")
    pasted = wrapping.format(await redirected(attempt.url))
    tokens = await attempt.finish(AdobeIms(world.url), attempt.code_from(pasted))
    assert tokens.refresh_token is not None


async def test_a_pasted_address_may_be_broken_over_lines(world: Sandbox) -> None:
    attempt = attempt_at(world, "https://localhost:8914/callback")
    address = await redirected(attempt.url)
    broken = f"{address[:60]}\n{address[60:90]}  \r\n{address[90:]}"
    assert attempt.code_from(broken) == attempt.code_from(address)


async def test_the_silent_default_redirect_signs_in_when_pasted(world: Sandbox) -> None:
    """Adobe goes to the default address when ours is not registered; the code is good."""
    attempt = attempt_at(world, "https://not-registered.example/callback")
    address = await redirected(attempt.url)
    assert "not-registered" not in address
    tokens = await attempt.finish(AdobeIms(world.url), attempt.code_from(address))
    assert tokens.refresh_token is not None


def test_a_native_app_returns_to_its_own_scheme() -> None:
    credential = Credential(kind="native", client_id="abc")
    redirect_uri = NATIVE.format(client_id="abc")
    attempt = begin_login(AdobeIms("https://ims.example"), credential, redirect_uri)
    assert attempt.code_from(f"{redirect_uri}?code=xyz&state={attempt.state}") == "xyz"


def test_the_address_to_open_asks_for_all_that_frameio_needs(world: Sandbox) -> None:
    attempt = attempt_at(world, "https://localhost:8914/callback")
    query = {key: values[0] for key, values in parse_qs(urlsplit(attempt.url).query).items()}
    assert query["client_id"] == world.client_id
    assert query["redirect_uri"] == "https://localhost:8914/callback"
    assert query["code_challenge"] == challenge(attempt.verifier)
    assert query["code_challenge_method"] == "S256"
    assert {"offline_access", "additional_info.roles"} <= set(query["scope"].split(","))
    assert world.client_secret not in attempt.url
    assert attempt.verifier not in f"{attempt.url} {attempt!r}"


def test_pkce_challenge_is_that_of_the_rfc() -> None:
    """The example of RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        ("?code=abc&state=of-another-attempt", "adobe.state_mismatch"),
        ("?code=abc", "adobe.state_mismatch"),
        ("", "adobe.no_code"),
        ("?state={state}", "adobe.no_code"),
        ("?error=access_denied&state={state}", "adobe.access_denied"),
        ("?error=invalid_scope&state={state}", "adobe.scope_refused"),
        ("?error=<script>&state={state}", "adobe.refused"),
    ],
)
def test_an_address_that_is_of_no_use_is_explained(world: Sandbox, tail: str, code: str) -> None:
    attempt = attempt_at(world, "https://localhost:8914/callback")
    with pytest.raises(Fatal) as raised:
        attempt.code_from("https://localhost:8914/callback" + tail.format(state=attempt.state))
    assert raised.value.code == code
    assert raised.value.hint
    assert "<" not in str(raised.value)


@pytest.mark.parametrize("pasted", ["", "abc", "eyJjb2RlIjoi", "https://[", "\x00"])
def test_something_else_pasted_is_explained(world: Sandbox, pasted: str) -> None:
    attempt = attempt_at(world, "https://localhost:8914/callback")
    with pytest.raises(Fatal) as raised:
        attempt.code_from(pasted)
    assert raised.value.code == "adobe.no_code"
    assert "default" in raised.value.hint


async def test_a_code_works_once(world: Sandbox) -> None:
    attempt, ims = attempt_at(world, "https://localhost:8914/callback"), AdobeIms(world.url)
    code = attempt.code_from(await redirected(attempt.url))
    await attempt.finish(ims, code)
    with pytest.raises(Fatal) as raised:
        await attempt.finish(ims, code)
    assert raised.value.code == "adobe.code_refused"
    assert code not in str(raised.value)


async def test_a_refused_consent_ends_the_wait_with_the_reason() -> None:
    with Sandbox(consent="denied") as world:
        ims, attempt = AdobeIms(world.url), attempt_at(world, local_redirect())
        shown: list[str] = []
        waiting = asyncio.create_task(wait_for_browser(attempt, ims, show=shown.append))
        page = await browse(await address_in(shown))
        with pytest.raises(Fatal) as raised:
            await waiting
    assert page.status_code == 400
    assert raised.value.code == "adobe.access_denied"


async def test_a_stranger_at_the_page_changes_nothing(world: Sandbox) -> None:
    """Any web page can send a browser to localhost; only the right state counts."""
    attempt = attempt_at(world, local_redirect())
    async with callback_page(attempt) as callback:
        for tail in ("?code=evil&state=guess", "?error=access_denied&state=guess", "?x=1", ""):
            async with httpx.AsyncClient(verify=False) as http:
                page = await http.get(attempt.redirect_uri + tail)
            assert page.status_code == 400
        right = await redirected(attempt.url)
        async with httpx.AsyncClient(verify=False) as http:
            await http.get(right)
        assert await callback.code() == attempt.code_from(right)


async def test_nobody_signs_in_within_the_limit(world: Sandbox) -> None:
    attempt = attempt_at(world, local_redirect())
    with pytest.raises(Fatal) as raised:
        await wait_for_browser(attempt, AdobeIms(world.url), limit=0.2)
    assert raised.value.code == "adobe.login_timeout"
    assert "redirect URI" in raised.value.hint


async def test_a_taken_port_is_named(world: Sandbox) -> None:
    attempt = attempt_at(world, local_redirect())
    async with callback_page(attempt):
        with pytest.raises(Fatal, match=str(httpx.URL(attempt.redirect_uri).port)) as raised:
            await wait_for_browser(attempt, AdobeIms(world.url))
    assert raised.value.code == "adobe.port_taken"


@pytest.mark.parametrize("uri", ["https://studio.example/callback", "http://localhost:8914/x"])
async def test_only_https_on_localhost_can_be_listened_to(world: Sandbox, uri: str) -> None:
    with pytest.raises(Fatal) as raised:
        await wait_for_browser(attempt_at(world, uri), AdobeIms(world.url))
    assert raised.value.code == "adobe.redirect_not_local"


async def test_the_port_is_free_again_after_cancellation(world: Sandbox) -> None:
    attempt = attempt_at(world, local_redirect())
    shown: list[str] = []
    ims = AdobeIms(world.url)
    waiting = asyncio.create_task(wait_for_browser(attempt, ims, show=shown.append))
    await address_in(shown)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with callback_page(attempt):
        pass


async def test_the_certificate_is_good_for_localhost_by_name_and_number(world: Sandbox) -> None:
    """A client that trusts exactly this certificate finds nothing wrong with it."""
    attempt = attempt_at(world, local_redirect())
    port = httpx.URL(attempt.redirect_uri).port or 443
    async with callback_page(attempt):
        for host in ("localhost", "127.0.0.1"):
            pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
            trusting = ssl.create_default_context(cadata=pem)
            async with httpx.AsyncClient(verify=trusting) as http:
                page = await http.get(f"https://{host}:{port}/callback")
            assert page.status_code == 400


async def test_adobe_out_of_order_can_be_retried(world: Sandbox) -> None:
    attempt = attempt_at(world, "https://localhost:8914/callback")
    code = attempt.code_from(await redirected(attempt.url))
    world.fault("status", where="ims.token", code=502, times=3)
    with pytest.raises(Retry):
        await attempt.finish(AdobeIms(world.url), code)


async def test_logs_hold_neither_code_nor_state_nor_verifier(
    world: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.ERROR, "httpx")  # it is the test's browser that logs its addresses
    ims, attempt = AdobeIms(world.url), attempt_at(world, local_redirect())
    shown: list[str] = []
    waiting = asyncio.create_task(wait_for_browser(attempt, ims, show=shown.append))
    address = await redirected(await address_in(shown))
    async with httpx.AsyncClient(verify=False) as http:
        await http.get(address)
    caplog.set_level(logging.INFO, "httpx")
    tokens = await waiting
    secrets = [attempt.code_from(address), attempt.state, attempt.verifier]
    secrets.append(tokens.access_token.get_secret_value())
    assert not [secret for secret in secrets if secret in caplog.text]
