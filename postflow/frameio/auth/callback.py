"""The page on https://localhost that Adobe sends the browser back to."""

from __future__ import annotations

import asyncio
import contextlib
import html
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import httpx
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from postflow.errors import Fatal

from .ims import AdobeIms
from .login import LoginAttempt
from .tokens import Tokens

_LIFETIME = timedelta(days=1)


def localhost_tls() -> ssl.SSLContext:
    """A server context for localhost and 127.0.0.1. Browsers warn: nobody has signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = _certificate(key).public_bytes(Encoding.PEM)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # The ssl module reads files only; the folder is 0700 and gone at once.
    with tempfile.TemporaryDirectory(prefix="postflow-") as folder:
        both = Path(folder, "localhost.pem")
        both.touch(mode=0o600)
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
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


_PAGE = (
    "<!doctype html><meta charset=utf-8><title>PostFlow</title>"
    "<body style='font:1.2rem sans-serif;margin:15vh auto;max-width:34rem'><p>{text}</p>"
)
_STRANGERS = {"adobe.state_mismatch", "adobe.no_code"}


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
        raise Fatal(
            f"PostFlow cannot listen at {attempt.redirect_uri}.",
            hint="Use a redirect URI like https://localhost:8914/callback, or paste the address.",
            code="adobe.redirect_not_local",
        )
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
        raise Fatal(
            f"Adobe did not send the browser back to {attempt.redirect_uri} in time.",
            hint="If the browser ended elsewhere, register this redirect URI for the credential, "
            "or paste the address that it shows: `postflow login --paste`.",
            code="adobe.login_timeout",
        ) from error


async def _listen(site: web.TCPSite, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        raise Fatal(
            f"Port {port} on this machine is taken ({error.strerror}).",
            hint="Close what uses it, or choose another redirect URI and register it.",
            code="adobe.port_taken",
        ) from error


def _page(text: str, status: int = 200) -> web.Response:
    body = _PAGE.format(text=html.escape(text))
    return web.Response(text=body, content_type="text/html", status=status)
