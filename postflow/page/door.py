"""Who comes in: this machine's names only, with one of two passwords, and no foreign page's forms.

A session is a cookie that proves itself: the role, when it ends, and a HMAC by the password. So it
outlasts a restart, and ends with the password.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum

from aiohttp import web

from postflow.servers import LOOPBACK

COOKIE = "postflow"
# Seconds.
A_WEEK = 7 * 86_400
TOKEN = "token"

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Role(StrEnum):
    """What somebody may do: `read` looks only."""

    ACT = "act"
    READ = "read"


class Door:
    """The two passwords, and what is made of them."""

    def __init__(self, password: str, reading_password: str) -> None:
        self._passwords = {Role.ACT: password, Role.READ: reading_password}

    def role_for(self, password: str) -> Role | None:
        """Whose password it is; “postflow:”, which leads it, may be left out."""
        given = password.strip().encode()
        known = [
            role
            for role, its in self._passwords.items()
            for whole in (its, its.partition(":")[2] or its)
            if _same(whole.encode(), given)
        ]
        return known[0] if known else None

    def session(self, role: Role) -> str:
        """A new one, to be kept by the browser."""
        about = f"{role}.{int(time.time()) + A_WEEK}.{secrets.token_hex(8)}"
        return f"{about}.{self._mac(role, about)}"

    def role_in(self, session: str) -> Role | None:
        """The role of a session that is ours and has not ended."""
        about, _, mac = session.rpartition(".")
        role, _, rest = about.partition(".")
        if role not in set(Role) or not _same(self._mac(Role(role), about).encode(), mac.encode()):
            return None
        return Role(role) if int(rest.partition(".")[0]) > time.time() else None

    def token(self, session: str) -> str:
        """What each form of that session carries."""
        return self._mac(Role.ACT, f"form {session}")

    def _mac(self, role: Role, text: str) -> str:
        told = f"page {text}".encode()
        return hmac.new(self._passwords[role].encode(), told, hashlib.sha256).hexdigest()

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Nothing is answered to a foreign host name, nothing done for a foreign page."""
        if _name_of(request.host) not in LOOPBACK:
            raise web.HTTPMisdirectedRequest(text="Invalid host header")
        if request.method not in {"GET", "HEAD"}:
            self._demand_own_page(request)
            await _demand_form(request)
        return await handler(request)

    def _demand_own_page(self, request: web.Request) -> None:
        """Browsers say which page a form is of; whoever says nothing is no browser."""
        if request.headers.get("Origin") != f"http://{request.host}":
            raise web.HTTPForbidden(text="This form is of another page.")

    async def demand(self, request: web.Request, role: Role = Role.READ) -> Role:
        """Who asks. Raises HTTPSeeOther to the sign-in, or HTTPForbidden.

        For acting the form has to carry the session's token, too.
        """
        session = request.cookies.get(COOKIE, "")
        found = self.role_in(session)
        if found is None:
            raise web.HTTPSeeOther("/sign-in")
        if role is Role.ACT:
            if found is not Role.ACT:
                raise web.HTTPForbidden(text="This password is for looking only.")
            form = await request.post()
            if not _same(self.token(session).encode(), str(form.get(TOKEN, "")).encode()):
                raise web.HTTPForbidden(text="This form is out of date.")
        return found


async def _demand_form(request: web.Request) -> None:
    """aiohttp keeps what it has read."""
    try:
        await request.post()
    except (ValueError, LookupError) as error:  # an unknown charset, no boundary, no UTF-8
        raise web.HTTPBadRequest(text="This is no form.") from error


def _name_of(host: str) -> str:
    """Without the port."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _same(one: bytes, other: bytes) -> bool:
    return hmac.compare_digest(one, other)


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """To each answer that is no error of ours; a signal of aiohttp."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
