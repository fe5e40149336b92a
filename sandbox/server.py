"""All services behind one port, with faults and the journal around them."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from postflow.sandbox.frameio.api import add_api
from postflow.sandbox.frameio.gate import add_headers, drained
from postflow.sandbox.ims.credentials import OAuthError
from postflow.sandbox.ims.routes import ImsRoutes
from postflow.sandbox.ims.routes import refusal as oauth_refusal

from .control import Control
from .faults import Fault
from .pages import Pages
from .parts import PartError
from .refusals import PHRASES, Refusal

if TYPE_CHECKING:
    from .world import World

LARGEST_BODY = 64 << 20
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
UNLOGGED = ("sandbox.", "page.")
FAULTLESS = (*UNLOGGED, "discord.")  # Discord takes its faults itself
GATEWAY = (502, 503, 504)
OAUTH_ERRORS = {400: "invalid_grant", 401: "invalid_client", 429: "slow_down"}
PART_ERRORS = {403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown"}


def application(world: World) -> web.Application:
    """The whole world as one aiohttp application."""
    app = web.Application(
        middlewares=[_journal(world), _faults(world)], client_max_size=LARGEST_BODY
    )
    add_api(world, app)
    for service in (ImsRoutes(world), world.parts, world.discord, Control(world), Pages(world)):
        app.router.add_routes(service.routes())

    async def dress(request: web.Request, answer: web.StreamResponse) -> None:
        if request.path.startswith("/v4/"):
            await add_headers(world, request, answer)

    app.on_response_prepare.append(dress)
    return app


def operation(request: web.Request) -> str:
    """The name of the operation a request is for, as faults and the journal use it."""
    if request.path.startswith("/api/"):
        return f"discord.{request.method.lower()}"
    name = request.match_info.route.name
    return name.partition(":")[0] if name else f"{request.method} {request.path}"


def _journal(world: World) -> Middleware:
    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        op, began = operation(request), time.time()
        status: int | None = None
        try:
            answer = await handler(request)
            transport = request.transport
            status = None if transport is None or transport.is_closing() else answer.status
            return answer
        except web.HTTPException as refused:
            status = refused.status
            raise
        finally:
            if not op.startswith(UNLOGGED):
                world.journal.note(request, op, status, began)

    return note


def _faults(world: World) -> Middleware:
    @web.middleware
    async def strike(request: web.Request, handler: Handler) -> web.StreamResponse:
        op = operation(request)
        if op.startswith(FAULTLESS):
            return await handler(request)
        return await _before(world, op, request) or await _after(world, op, request, handler)

    return strike


async def _before(world: World, op: str, request: web.Request) -> web.Response | None:
    """What goes wrong before the operation has any effect."""
    faults = world.faults
    if delay := faults.take(op, "delay"):
        await faults.last(delay)
    if faults.take(op, "token_expiry"):
        world.ims.expire_access()
    if faults.take(op, "reset"):
        return _cut(request)
    fault = faults.take(op, "status", "rate_limited")
    return None if fault is None else refuse(world, request, op, fault)


async def _after(
    world: World, op: str, request: web.Request, handler: Handler
) -> web.StreamResponse:
    """Let the operation happen; the answer may be late, lost, or another one by option `code`."""
    answer = await handler(request)
    if late := world.faults.take(op, "late_answer"):
        await world.faults.last(late)
    lost = world.faults.take(op, "lost_answer")
    if lost is None:
        return answer
    return refuse(world, request, op, lost) if "code" in lost.options else _cut(request)


def _cut(request: web.Request) -> web.Response:
    """Cut the connection so that the client sees a reset and no answer."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        transport.abort()
    return web.Response()


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
    headers = (
        drained(world, request, where).headers(world.switches.rate_window)
        if status == 429
        else None
    )
    return web.json_response(Refusal(status).body(), status=status, headers=headers)


def _oauth(status: int, fault: Fault) -> web.Response:
    error = str(fault.options.get("error", OAUTH_ERRORS.get(status, "internal_error")))
    description = str(fault.options.get("error_description", "Please try again later"))
    return oauth_refusal(OAuthError(error, description, status))


def _phrase(status: int) -> str:
    return PHRASES.get(status, "Error")
