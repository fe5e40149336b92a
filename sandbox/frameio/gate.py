"""The way into every V4 operation: token, rate, query, body; then the operation itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from sandbox.frameio.endpoints import Body, Call, Endpoint
from sandbox.frameio.queries import read_query
from sandbox.frameio.studio import User
from sandbox.rates import READS, Allowance, Rate
from sandbox.refusals import Complaint, Json, Refusal, from_validation, invalid

if TYPE_CHECKING:
    from sandbox.world import World

ALLOWANCE = web.RequestKey("allowance", Allowance)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
VERSIONS = {"4.0", "experimental", "alpha"}
NOBODY = "nobody"


def enter(world: World, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The aiohttp handler of an operation."""

    async def answer(request: web.Request) -> web.Response:
        try:
            body = await _answer(world, endpoint, request)
        except Refusal as refusal:
            return web.json_response(refusal.body(), status=refusal.status)
        if body is None:
            return web.Response(status=endpoint.status)
        return web.json_response(body, status=endpoint.status)

    return answer


async def _answer(world: World, endpoint: Endpoint, request: web.Request) -> Json | None:
    user = world.ims.user_of(request.headers.get("Authorization"))
    _spend(world, endpoint, user, request)
    if request.headers.get("api-version", "4.0") not in VERSIONS:
        raise Refusal(400, Complaint("Unsupported api-version"))
    call = _call(world, endpoint, user, request)
    call.check_place()
    if world.switches.latency:
        await asyncio.sleep(world.switches.latency)
    if endpoint.body is None:
        return await endpoint.handler(call)
    return await endpoint.handler(call, await _read_body(endpoint.body, request))


def _spend(world: World, endpoint: Endpoint, user: User, request: web.Request) -> None:
    allowance = world.rates.spend(endpoint.where, user.id, endpoint.rate)
    request[ALLOWANCE] = allowance
    if not allowance.granted:
        raise Refusal(429, Complaint("Rate limit exceeded"))


def _call(world: World, endpoint: Endpoint, user: User, request: web.Request) -> Call:
    ids = dict(request.match_info)
    for name, value in ids.items():
        if not UUID.fullmatch(value):
            raise invalid(f"/{name}", "Invalid format. Expected :uuid")
    asked = read_query(endpoint.query, request.query, strict=world.switches.strict_query)
    return Call(world, user, request.path, ids, asked)


async def _read_body(model: type[Body], request: web.Request) -> Body:
    if request.content_type != "application/json":
        raise invalid("/data", "Missing field: data")
    try:
        envelope = _envelope(model).model_validate_json(await request.read())
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise Refusal(400) from error
        raise from_validation(error) from error
    data = getattr(envelope, "data", None)
    if not isinstance(data, model):
        raise invalid("/data", "Missing field: data")
    return data


@cache
def _envelope(model: type[Body]) -> type[BaseModel]:
    config = ConfigDict(extra="forbid", strict=True)
    return create_model(f"{model.__name__}Envelope", __config__=config, data=(model, ...))


async def add_headers(world: World, request: web.Request, answer: web.StreamResponse) -> None:
    """Rate headers and version on every V4 answer, also where no bucket was touched."""
    allowance = request.get(ALLOWANCE) or _untouched(world, request)
    for name, value in allowance.headers().items():
        answer.headers.setdefault(name, value)
    answer.headers["api-version"] = "4.0"


def _untouched(world: World, request: web.Request) -> Allowance:
    where = request.match_info.route.name or NOBODY
    return world.rates.peek(where, _who(world, request), rate_of(world, where))


def drained(world: World, request: web.Request, where: str) -> Allowance:
    """The bucket of this call, emptied: what a forced 429 announces."""
    return world.rates.fill(where, _who(world, request), rate_of(world, where))


def rate_of(world: World, where: str) -> Rate:
    endpoint = world.endpoints.get(where)
    return endpoint.rate if endpoint else READS


def _who(world: World, request: web.Request) -> str:
    try:
        return world.ims.user_of(request.headers.get("Authorization")).id
    except Refusal:
        return NOBODY
