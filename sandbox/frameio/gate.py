"""The way into every V4 operation: token, rate, query, body; then the operation itself."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from aiohttp import web
from jsonschema import ValidationError as ContractError
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from postflow.sandbox.rates import Allowance, Rate
from postflow.sandbox.refusals import Complaint, Json, Refusal, from_validation, invalid

from .contract import ID, UUID, UUID_ONLY
from .endpoints import Body, Call, Endpoint
from .queries import read_query
from .studio import User

if TYPE_CHECKING:
    from postflow.sandbox.world import World

ALLOWANCE = web.RequestKey("allowance", Allowance)
UNKNOWN = Rate(100, 60)
UNIQUE = "Array items must be unique"
VERSIONS = {"4.0", "experimental", "alpha"}
NOBODY = "nobody"


def enter(world: World, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The aiohttp handler of an operation."""

    async def answer(request: web.Request) -> web.Response:
        status = endpoint.contract.status
        try:
            body = await _answer(world, endpoint, request)
        except Refusal as refusal:
            status, body = refusal.status, refusal.body()
        if broken := _broken(world, endpoint, status, body):
            world.broken.append(broken)
            status, body = 500, Refusal(500, Complaint(broken)).body()
        if body is None:
            return web.Response(status=status)
        return web.json_response(body, status=status)

    return answer


def _broken(world: World, endpoint: Endpoint, status: int, body: Json | None) -> str:
    """How an answer of ours breaks the contract; a fault of the sandbox, never of its caller."""
    if not world.switches.contract:
        return ""
    faults = endpoint.contract.wrong_in_answer(status, body)
    told = "; ".join(f"{fault.json_path} {fault.message}" for fault in faults)
    return f"The sandbox broke the contract of {endpoint.where}: {told}" if faults else ""


async def _answer(world: World, endpoint: Endpoint, request: web.Request) -> Json | None:
    user = world.ims.user_of(request.headers.get("Authorization"))
    _spend(world, endpoint, user, request)
    if request.headers.get("api-version", "4.0") not in VERSIONS:
        raise Refusal(400, Complaint("Unsupported api-version"))
    call = _call(world, endpoint, user, request)
    data = () if endpoint.body is None else (await _read_body(endpoint, endpoint.body, request),)
    call.check_place()
    if world.switches.latency:
        await asyncio.sleep(world.switches.latency)
    return await endpoint.handler(call, *data)


def _spend(world: World, endpoint: Endpoint, user: User, request: web.Request) -> None:
    allowance = world.rates.spend(endpoint.where, user.id, endpoint.contract.rate)
    request[ALLOWANCE] = allowance
    if not allowance.granted:
        raise Refusal(429, Complaint("Rate limit exceeded"))


def _call(world: World, endpoint: Endpoint, user: User, request: web.Request) -> Call:
    ids = dict(request.match_info)
    for name, value in ids.items():
        if not re.fullmatch(UUID if endpoint.where in UUID_ONLY else ID, value):
            raise invalid(f"/{name}", "Invalid format. Expected :uuid")
    asked = read_query(endpoint.contract.query, request.query, world.switches)
    return Call(world, user, request.path, ids, asked)


async def _read_body(endpoint: Endpoint, model: type[Body], request: web.Request) -> Body:
    """By our own models, which know more, and by the contract, which knows all."""
    raw = await request.read()
    required = endpoint.contract.needs_body
    if not raw and not required:
        return model()
    if request.content_type != "application/json":
        raise invalid("/data", "Missing field: data")
    try:
        envelope = _envelope(model, required).model_validate_json(raw)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise Refusal(400) from error
        raise from_validation(error) from error
    if wrong := endpoint.contract.wrong_in_body(json.loads(raw)):
        raise Refusal(422, *(_complaint(fault) for fault in wrong))
    data = getattr(envelope, "data", None)
    return data if isinstance(data, model) else model()


def _complaint(fault: ContractError) -> Complaint:
    pointer = "/" + "/".join(map(str, fault.absolute_path))
    detail = UNIQUE if fault.validator == "uniqueItems" else fault.message
    return Complaint(detail, title="Invalid value", pointer=pointer)


@cache
def _envelope(model: type[Body], required: bool) -> type[BaseModel]:
    config = ConfigDict(extra="forbid", strict=True)
    data: Any = (model, ...) if required else (model | None, None)
    return create_model(f"{model.__name__}Envelope", __config__=config, data=data)


async def add_headers(world: World, request: web.Request, answer: web.StreamResponse) -> None:
    """Rate headers and version on every V4 answer, also where no bucket was touched."""
    allowance = request.get(ALLOWANCE) or _untouched(world, request)
    for name, value in allowance.headers(world.switches.rate_window).items():
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
    return endpoint.contract.rate if endpoint else UNKNOWN


def _who(world: World, request: web.Request) -> str:
    try:
        return world.ims.user_of(request.headers.get("Authorization")).id
    except Refusal:
        return NOBODY
