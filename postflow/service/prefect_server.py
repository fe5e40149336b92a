"""A Prefect server that keeps strangers out, with a SQLite database that writers queue for.

Prefect's own transactions begin DEFERRED: one that reads first and then writes is refused when
another wrote in between, and the client that was told 503 waits for seconds. Begun IMMEDIATE, it
waits its turn of some milliseconds (https://www.sqlite.org/lang_transaction.html). Prefect has no
setting for it, but SQLAlchemy's events are public. Prefect 3.9.1, forty clips, four at once: 29 a
minute without, 78 with it.

Prefect has a setting for the password, but none for the names under which it may be asked: a web
page whose own name leads to 127.0.0.1 would have the browser take it for the same site.
"""

from __future__ import annotations

import argparse
import logging
import socket
from typing import Any

from postflow.importing import importing

with importing():
    import httpx
    import uvicorn
    from fastapi import Request
    from fastapi.middleware.trustedhost import TrustedHostMiddleware
    from fastapi.responses import PlainTextResponse
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, get_current_settings
    from sqlalchemy import Engine, event
    from starlette.types import ASGIApp, Receive, Scope, Send

from postflow.servers import LOOPBACK, PROOF, proof

from .shared_server import stay_while_used
from .supervisor import be_a_part

DEFERRED = "BEGIN DEFERRED"
# No other page shows the UI in a frame, to have somebody click there without knowing.
UNFRAMED = [("X-Frame-Options", "DENY")]


def begin_immediate(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    """Every transaction takes the lock for writers when it begins."""
    return ("BEGIN IMMEDIATE" if statement == DEFERRED else statement), parameters


class Proving:
    """Proves to whoever asks that this server knows its password; see `postflow.servers`."""

    def __init__(self, app: ASGIApp, *, password: str, server: str) -> None:
        self._app = app
        self._password = password
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PROOF:
            question = Request(scope).query_params.get("question", "")
            answer = PlainTextResponse(proof(self._password, self._server, question))
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def guarded(app: ASGIApp) -> ASGIApp:
    """Asked from outside only under the names of this machine and the one that the UI is set to.

    Around the app, since Prefect's services ask it from within under a name of their own.
    """
    server = get_current_settings().server
    if server.api.auth_string:
        password = server.api.auth_string.get_secret_value()
        app = Proving(app, password=password, server=f"{server.api.host}:{server.api.port}")
    named = httpx.URL(server.ui.api_url or "").host
    return TrustedHostMiddleware(app, [*LOOPBACK, named], www_redirect=False)


def main() -> None:
    arguments = argparse.ArgumentParser(description="Prefect's settings say the rest.")
    arguments.add_argument("--fd", type=int, help="a socket that listens already")
    arguments.add_argument(
        "--idle", type=float, help="no UI and no services; end after so many seconds without a user"
    )
    given = arguments.parse_args()
    fd: int | None = given.fd
    be_a_part(last=True)
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it quotes alarms' addresses
    url = str(PREFECT_API_DATABASE_CONNECTION_URL.value())
    if url.startswith("sqlite"):
        event.listen(Engine, "before_cursor_execute", begin_immediate, retval=True)
    server = get_current_settings().server
    with importing():
        app = create_app(final=True, ephemeral=given.idle is not None)
    config = uvicorn.Config(
        guarded(app),
        host=str(server.api.host),
        port=server.api.port,
        headers=UNFRAMED,
        timeout_keep_alive=server.api.keepalive_timeout,
        ws_ping_interval=server.api.websocket_ping_interval,
        ws_ping_timeout=server.api.websocket_ping_timeout,
        log_level=server.logging_level.lower(),
    )
    running = uvicorn.Server(config)
    if given.idle is not None:
        stay_while_used(running, f"{server.ui.api_url}", given.idle)
    running.run(sockets=None if fd is None else [socket.socket(fileno=fd)])


if __name__ == "__main__":
    main()
