"""Asking a Prefect server as its own clients do: with the password, and with a token to change."""

from __future__ import annotations

from collections.abc import Generator

import httpx


class SignedIn(httpx.Auth):
    """`httpx.post(…, auth=SignedIn(password))`."""

    requires_response_body = True

    def __init__(self, password: str) -> None:
        self._basic = httpx.BasicAuth(*password.split(":", 1))

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        next(self._basic.auth_flow(request))
        if request.method not in {"GET", "OPTIONS"}:
            at = request.url.copy_with(path="/api/csrf-token", query=b"client=test")
            question = httpx.Request("GET", at)
            next(self._basic.auth_flow(question))
            token = (yield question).raise_for_status().json()["token"]
            request.headers.update({"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": "test"})
        yield request
