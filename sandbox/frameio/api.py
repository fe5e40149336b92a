"""All operations of the API, and their way into an aiohttp application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from postflow.sandbox.refusals import not_found

from .comments import comments
from .endpoints import Endpoint
from .files import files
from .folders import folders
from .gate import enter
from .places import places
from .reviewers import reviewers
from .shares import shares
from .uploads import uploads
from .version_stacks import version_stacks
from .webhooks import webhooks

if TYPE_CHECKING:
    from postflow.sandbox.world import World

TABLES = (
    places,
    folders,
    files,
    uploads,
    version_stacks,
    shares,
    reviewers,
    comments,
    webhooks,
)


def endpoints() -> list[Endpoint]:
    return [endpoint for table in TABLES for endpoint in table.endpoints]


def add_api(world: World, app: web.Application) -> None:
    """Add every operation, and a 404 in Frame.io's words for the rest of /v4."""
    for endpoint in endpoints():
        app.router.add_route(
            endpoint.contract.method.upper(),
            endpoint.contract.path,
            enter(world, endpoint),
            name=_free_name(app, endpoint),
        )
    app.router.add_route("*", "/v4/{rest:.*}", _nowhere)


def _free_name(app: web.Application, endpoint: Endpoint) -> str:
    """aiohttp wants one name for one path; a second path of an operation gets `:too`."""
    taken = endpoint.where in app.router.named_resources()
    return f"{endpoint.where}:too" if taken else endpoint.where


async def _nowhere(_request: web.Request) -> web.Response:
    return web.json_response(not_found().body(), status=404)
