"""Every secret of a journey, as the world hears it, and whether it shows anywhere."""

from __future__ import annotations

import base64
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

WEBHOOK = re.compile(r"/api/(?:v\d+/)?webhooks/\d+/([^/]+)")
FILE_TOKEN = re.compile(r"/(?:v1/)?([^/]{40,})/")
SHARE_WORD = re.compile(r'"short_url": "[^"]*/s/([^"]+)"')

CLIENT_SECRET, ACCESS_TOKEN, REFRESH_TOKEN = "client secret", "access token", "refresh token"
WEBHOOK_TOKEN, FILE_ADDRESS, PUBLIC_ADDRESS = "webhook", "file's address", "public address"
PART_ADDRESS = "part's address"
AUTHTOKEN = "ngrok authtoken"
HOST_AUTHTOKEN = "ngrok authtoken of one host"
SHARE_LINK, PASSPHRASE = "share link", "share's passphrase"
ALARM, HOOK, HOOK_SECRET = "alarm's address", "hook's address", "hook's secret"
PREFECT_PASSWORD = "password of Prefect's server"


class Confidences:
    """Secrets by kind, learned from what the sandbox is sent and what it answers."""

    def __init__(self) -> None:
        self.since = datetime.now(UTC)
        self.heard: defaultdict[str, set[str]] = defaultdict(set)

    def listener(self) -> Middleware:
        """An outermost middleware for the sandbox: hears what it is told, also if it refuses."""

        @web.middleware
        async def listen(request: web.Request, handler: Handler) -> web.StreamResponse:
            is_part = request.path.startswith("/parts/")
            has_files = request.content_type == "multipart/form-data"  # its reader is the handler
            self._hear(request, "" if is_part or has_files else await request.text())
            answer = await handler(request)
            if isinstance(answer, web.Response) and request.path.endswith("/local_upload"):
                self._hear_parts(json.loads(answer.text or "{}"))
            if isinstance(answer, web.Response) and "/ims/token" in request.path:
                self._hear_tokens(json.loads(answer.text or "{}"))
            if isinstance(answer, web.Response) and "/shares" in request.path:
                self.heard[SHARE_LINK] |= set(SHARE_WORD.findall(answer.text or ""))
            return answer

        return listen

    def _hear(self, request: web.Request, body: str) -> None:
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer":
            self.heard[ACCESS_TOKEN].add(credential)
        if webhook := WEBHOOK.match(request.path):
            self.heard[WEBHOOK_TOKEN].add(webhook[1])
        if "/ims/token" in request.path:
            form = parse_qs(body)
            self.heard[CLIENT_SECRET] |= set(form.get("client_secret", ()))
            self.heard[REFRESH_TOKEN] |= set(form.get("refresh_token", ()))
        if request.path.endswith("/remote_upload"):
            self._hear_address(json.loads(body)["data"]["source_url"])

        if request.path.endswith("/shares") and body:
            self.heard[PASSPHRASE].add(json.loads(body)["data"]["passphrase"])

    def _hear_address(self, url: str) -> None:
        address = urlsplit(url)
        self.heard[PUBLIC_ADDRESS].add(address.netloc)
        self.heard[FILE_ADDRESS] |= set(FILE_TOKEN.findall(address.path))

    def _hear_parts(self, answer: dict[str, Any]) -> None:
        for part in answer.get("data", {}).get("upload_urls", ()):
            signature = parse_qs(urlsplit(part["url"]).query)["X-Amz-Signature"]
            self.heard[PART_ADDRESS].add(signature[0])

    def _hear_tokens(self, answer: dict[str, str]) -> None:
        for field, kind in (("access_token", ACCESS_TOKEN), ("refresh_token", REFRESH_TOKEN)):
            if field in answer:
                self.heard[kind].add(answer[field])

    def shown_in(self, content: bytes, *, but: frozenset[str] = frozenset()) -> set[str]:
        """The kinds of secret that `content` gives away, in plain or encoded."""
        return {
            kind
            for kind, secrets in self.heard.items()
            for secret in secrets
            if kind not in but and any(form in content for form in set(_forms(secret)))
        }


def _forms(secret: str) -> Iterator[bytes]:
    """As it is, in a URL, and inside of base64, wherever it begins there."""
    plain = secret.encode()
    yield plain
    yield quote(secret, safe="").encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + plain)
        yield encoded[4 if shift else 0 : -4]
