"""A sandbox whose answers are altered on their way to the client: what Frame.io may say one day."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

Json = dict[str, Any]
Alter = Callable[[Json], object]


class Altered(httpx.AsyncBaseTransport):
    """Every asset in an answer passes through `alter`, which may change it in place; with `only`
    just those in answers about a path that ends so.
    """

    def __init__(self, alter: Alter, *, only: str = "") -> None:
        self._alter = alter
        self._only = only
        self._real = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._real.handle_async_request(request)
        content = await answer.aread()
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        if is_json and request.url.path.endswith(self._only):
            body = json.loads(content)
            data = body.get("data") if isinstance(body, dict) else None
            for asset in data if isinstance(data, list) else [data]:
                if isinstance(asset, dict):
                    self._alter(asset)
            content = json.dumps(body).encode()
        headers = {k: v for k, v in answer.headers.items() if k.lower() != "content-length"}
        return httpx.Response(answer.status_code, headers=headers, content=content)

    async def aclose(self) -> None:
        await self._real.aclose()


def changing(kind: str, **values: object) -> Alter:
    """Alters assets of that type; a value of `...` leaves the key out."""

    def alter(asset: Json) -> None:
        if asset.get("type") == kind:
            asset.update(values)
            for key in [key for key, value in values.items() if value is ...]:
                del asset[key]

    return alter
