"""Signing in with Adobe in a browser, and the page on https://localhost that it ends at."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import html
import secrets
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import httpx
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from postflow.errors import Fatal

from .errors import (
    CODE_REFUSED,
    LOGIN_TIMEOUT,
    NO_CODE,
    NOT_LOCAL,
    PORT_TAKEN,
    STATE_MISMATCH,
    explained,
)
from .ims import AdobeIms, Credential, new_verifier
from .tokens import Tokens

REDIRECT_URI = "https://localhost:8914/callback"
_CERTIFICATE_LIFE = timedelta(days=1)
_WRAPPING = " \t\r\n'\"<>“”"
# Anybody can call the page: these say only that the caller was not Adobe.
_STRANGERS = {STATE_MISMATCH.code, NO_CODE.code}
_PAGE = (
    "<!doctype html><meta charset=utf-8><title>PostFlow</title>"
    "<body style='font:1.2rem sans-serif;margin:15vh auto;max-width:34rem'><p>{text}</p>"
)


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """One sign-in under way. `url` is for the browser; `state` ties the answer to it."""

    credential: Credential
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
            raise NO_CODE(redirect_uri=self.redirect_uri)
        if not hmac.compare_digest(query.get("state", "").encode(), self.state.encode()):
            raise STATE_MISMATCH()
        return query["code"]

    async def finish(self, ims: AdobeIms, code: str) -> Tokens:
        """Exchange the code for tokens. It works once, within some minutes."""
        try:
            return await ims.exchange(self.credential, code=code, verifier=self.verifier)
        except Fatal as refused:
            if refused.code != "adobe.signed_out":
                raise
            raise CODE_REFUSED() from refused


def begin_login(
    ims: AdobeIms, credential: Credential, redirect_uri: str = REDIRECT_URI
) -> LoginAttempt:
    """A new sign-in. `redirect_uri` must match a pattern registered for the credential."""
    state, verifier = secrets.token_urlsafe(24), new_verifier()
    url = ims.authorize_url(credential, redirect_uri=redirect_uri, state=state, verifier=verifier)
    return LoginAttempt(credential, redirect_uri, url, state, verifier)


class Callback:
    """Waits for the redirect of one sign-in."""

    def __init__(self, attempt: LoginAttempt) -> None:
        self._attempt = attempt
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def code(self) -> str:
        """The one-time code. Raises `Fatal` where Adobe sent the browser back with an error."""
        return await asyncio.shield(self._code)

    async def answer(self, request: web.Request) -> web.Response:
        """What the browser shows. Anybody can call it, so only the right state ends the wait."""
        try:
            code = self._attempt.code_from(str(request.url))
        except Fatal as error:
            if error.code not in _STRANGERS and self._is_ours(request) and not self._code.done():
                self._code.set_exception(error)
            return _page(str(error), status=400)
        if not self._code.done():
            self._code.set_result(code)
        return _page("PostFlow has Adobe's answer. You can close this page.")

    def _is_ours(self, request: web.Request) -> bool:
        return request.query.get("state", "") == self._attempt.state


@contextlib.asynccontextmanager
async def callback_page(attempt: LoginAttempt) -> AsyncIterator[Callback]:
    """Serve the attempt's redirect URI on the loopback interface, for as long as it is entered."""
    target = httpx.URL(attempt.redirect_uri)
    if target.scheme != "https" or target.host not in {"localhost", "127.0.0.1"}:
        raise NOT_LOCAL(redirect_uri=attempt.redirect_uri)
    callback = Callback(attempt)
    app = web.Application()
    app.router.add_get(target.path, callback.answer)
    runner = web.AppRunner(app, access_log=None)  # its lines would hold the code
    await runner.setup()
    try:
        context = await asyncio.to_thread(localhost_tls)
        site = web.TCPSite(runner, "127.0.0.1", target.port or 443, ssl_context=context)
        await _listen(site, target.port or 443)
        yield callback
    finally:
        await runner.cleanup()


async def wait_for_browser(
    attempt: LoginAttempt,
    ims: AdobeIms,
    *,
    show: Callable[[str], object] | None = None,
    limit: float = 300.0,
) -> Tokens:
    """The whole sign-in. Once we listen, `show` gets the address to open, in a thread, since
    some browsers only return when they are closed. `limit` is in seconds.

    Raises `Fatal`: adobe.login_timeout, adobe.port_taken, or why Adobe refused.
    """
    try:
        async with asyncio.timeout(limit), callback_page(attempt) as callback:
            if show is not None:
                await asyncio.to_thread(show, attempt.url)
            return await attempt.finish(ims, await callback.code())
    except TimeoutError as error:
        raise LOGIN_TIMEOUT(redirect_uri=attempt.redirect_uri) from error


async def _listen(site: web.TCPSite, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        raise PORT_TAKEN(port=port, reason=error.strerror) from error


def _page(text: str, status: int = 200) -> web.Response:
    body = _PAGE.format(text=html.escape(text))
    return web.Response(text=body, content_type="text/html", status=status)


def _query_of(redirected: str, redirect_uri: str) -> dict[str, str]:
    address = "".join(redirected.split()).strip(_WRAPPING)
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise NO_CODE(redirect_uri=redirect_uri) from error
    return dict(url.params) or dict(httpx.QueryParams(url.fragment))


def localhost_tls() -> ssl.SSLContext:
    """A server context for localhost and 127.0.0.1. Browsers warn: nobody has signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = _certificate(key).public_bytes(Encoding.PEM)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # The ssl module reads files only; the folder is 0700 and gone at once.
    with tempfile.TemporaryDirectory(prefix="postflow-") as folder:
        both = Path(folder, "localhost.pem")
        both.write_bytes(secret + public)
        context.load_cert_chain(both)
    return context


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _CERTIFICATE_LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
