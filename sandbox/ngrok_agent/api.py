"""The agent's local API, in the shapes of `/api/endpoints` (3.30 and later) and `/api/tunnels`."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from . import logfmt
from .endpoints import Endpoint, Endpoints, Refused
from .session import Session

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Strike = Callable[[Mapping[str, Any]], Awaitable[None]]


class Api:
    """`strike` is called with each fault posted to `/standin/faults`, which is ours alone."""

    def __init__(self, session: Session, endpoints: Endpoints, strike: Strike) -> None:
        self._session = session
        self._endpoints = endpoints
        self._strike = strike

    def application(self) -> web.Application:
        application = web.Application(middlewares=[_logged, _json_errors])
        rooms = ["tunnels", "endpoints"] if self._session.knows_endpoints else ["tunnels"]
        for room in rooms:
            application.router.add_get(f"/api/{room}", self._list)
            application.router.add_post(f"/api/{room}", self._create)
            application.router.add_get(f"/api/{room}/{{name:.+}}", self._show)
            application.router.add_delete(f"/api/{room}/{{name:.+}}", self._delete)
        application.router.add_get("/api/status", self._status)
        application.router.add_post("/standin/faults", self._fault)
        return application

    async def _list(self, request: web.Request) -> web.Response:
        room = _room(request)
        shown = [_shown(endpoint, room) for endpoint in self._endpoints.all()]
        return web.json_response({room: shown, "uri": f"/api/{room}"})

    async def _create(self, request: web.Request) -> web.Response:
        room = _room(request)
        body = await request.json()
        endpoint = await self._endpoints.add(_from_tunnel(body) if room == "tunnels" else body)
        return web.json_response(endpoint.as_tunnel(room), status=201)

    async def _show(self, request: web.Request) -> web.Response:
        endpoint = self._endpoints.get(request.match_info["name"])
        if endpoint is None:
            raise web.HTTPNotFound
        return web.json_response(endpoint.as_tunnel(_room(request)))

    async def _delete(self, request: web.Request) -> web.Response:
        if not await self._endpoints.remove(request.match_info["name"]):
            raise web.HTTPNotFound
        return web.Response(status=204)

    async def _status(self, _: web.Request) -> web.Response:
        legs = [{"region": "us", "latency": "1ms"}] if self._session.online else []
        return web.json_response(
            {
                "status": self._session.status,
                "agent_version": self._session.version,
                "session": {"legs": legs},
                "uri": "/api/status",
            }
        )

    async def _fault(self, request: web.Request) -> web.Response:
        await self._strike(await request.json())
        return web.Response(status=204)


def _room(request: web.Request) -> str:
    return request.path.split("/")[2]


def _shown(endpoint: Endpoint, room: str) -> dict[str, Any]:
    return endpoint.as_tunnel(room) if room == "tunnels" else endpoint.as_endpoint()


def _from_tunnel(body: Mapping[str, Any]) -> dict[str, Any]:
    addr = str(body.get("addr") or "")
    upstream = addr if "://" in addr else f"http://127.0.0.1:{addr}"
    return {"name": body.get("name"), "upstream": {"url": upstream}}


@web.middleware
async def _logged(request: web.Request, handler: Handler) -> web.StreamResponse:
    call = secrets.token_hex(8)
    logfmt.info("start", pg=request.path, id=call)
    response = await handler(request)
    logfmt.info("end", pg=request.path, id=call, status=response.status)
    return response


@web.middleware
async def _json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return web.json_response(refused.body, status=refused.status)
    except web.HTTPException as problem:
        body = {"error_code": 100, "status_code": problem.status, "msg": problem.reason}
        return web.json_response(body, status=problem.status)
