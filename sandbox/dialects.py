"""How each service of the world puts a refusal: the same status, four ways to say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from postflow.sandbox.frameio.gate import drained
from postflow.sandbox.ims.credentials import OAuthError
from postflow.sandbox.ims.routes import refusal as oauth_refusal

from .faults import Fault
from .parts import PartError
from .refusals import PHRASES, Refusal

if TYPE_CHECKING:
    from .world import World

GATEWAY = (502, 503, 504)
OAUTH_ERRORS = {400: "invalid_grant", 401: "invalid_client", 429: "slow_down"}
PART_ERRORS = {403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown"}


def refuse(world: World, request: web.Request, where: str, fault: Fault) -> web.Response:
    """The answer an armed `status` or `rate_limited` asks for, in the words of its service."""
    status = 429 if fault.what == "rate_limited" else int(fault.options.get("code", 500))
    if "body" in fault.options:
        return web.json_response(fault.options["body"], status=status)
    if where.startswith("ims."):
        return _oauth(status, fault)
    if where == "parts.put":
        return PartError(status, PART_ERRORS.get(status, "Error"), _phrase(status)).answer()
    if status in GATEWAY and world.switches.gateway_body == "html":
        page = f"<html><body><h1>{status} {_phrase(status)}</h1></body></html>"
        return web.Response(status=status, text=page, content_type="text/html")
    headers = drained(world, request, where).headers() if status == 429 else None
    return web.json_response(Refusal(status).body(), status=status, headers=headers)


def _oauth(status: int, fault: Fault) -> web.Response:
    error = str(fault.options.get("error", OAUTH_ERRORS.get(status, "internal_error")))
    description = str(fault.options.get("error_description", "Please try again later"))
    return oauth_refusal(OAuthError(error, description, status))


def _phrase(status: int) -> str:
    return PHRASES.get(status, "Error")
