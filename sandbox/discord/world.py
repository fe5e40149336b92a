"""One webhook of one channel: its messages, their edits, and everything that may go wrong."""

from __future__ import annotations

import copy
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Literal

from aiohttp import web

from postflow.sandbox.faults import Fault, Faults
from postflow.sandbox.rates import Window

from .forms import EMPTY_MESSAGE, Json, MessageForm, Refusal, read_form
from .threads import Channel, Threads
from .uploads import Attachments, Body, outside, read_body

Handler = Callable[[web.Request], Awaitable[web.Response]]

DISCORD_EPOCH_MS = 1_420_070_400_000
INVALID_TOKEN = 50027
UNKNOWN_MESSAGE = 10008
UNKNOWN_WEBHOOK = 10015


class DiscordWorld:
    """The webhook and its channel. `rate` is calls and seconds of a window; None for no limit."""

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        rate: tuple[int, float] | None = (5, 2.0),
        channel: Channel = "text",
        attachment_limit: int = 10 << 20,
        lost_attachment: Literal["refuse", "ignore"] = "refuse",
    ) -> None:
        self._channel = channel
        self._attachment_limit = attachment_limit
        self._is_strict = lost_attachment == "refuse"
        self._faults = faults or Faults()
        self._rate = rate
        self._serial = itertools.count()
        self._token = secrets.token_urlsafe(51)
        self._webhook_id = self._snowflake()
        self._channel_id = self._snowflake()
        self.reset()

    @property
    def webhook_path(self) -> str:
        """The secret path of the webhook's URL."""
        return f"/api/webhooks/{self._webhook_id}/{self._token}"

    @property
    def messages(self) -> list[Json]:
        """All messages ever posted, oldest first, with `edits` (earlier states), `deleted`, and
        `notified`: whom the post has notified. An edit notifies nobody.
        """
        return copy.deepcopy(list(self._messages.values()))

    def reset(self) -> None:
        """The webhook is there again, the channel empty, the rate window fresh."""
        self._messages: dict[str, Json] = {}
        self.threads = Threads(self._channel, self._channel_id, self._snowflake)
        self.attachments = Attachments(self._snowflake, strict=self._is_strict)
        self._deleted = False
        self._window = Window(*(self._rate or (None, 0.0)))

    def delete_webhook(self) -> None:
        """As if somebody had deleted it in Discord."""
        self._deleted = True

    def routes(self) -> list[web.RouteDef]:
        """What the webhook answers, with and without a version in the path."""
        table: tuple[tuple[str, str, str, Handler], ...] = (
            ("POST", "", "discord.post", self._post),
            ("GET", "", "discord.get", self._show),
            ("DELETE", "", "discord.delete", self._delete_webhook),
            ("PATCH", "/messages/{message}", "discord.patch", self._edit),
            ("GET", "/messages/{message}", "discord.get", self._read),
            ("DELETE", "/messages/{message}", "discord.delete", self._delete),
        )
        return [
            web.route(
                method,
                f"/api/{version}webhooks/{{id}}/{{token}}{path}",
                self._guarded(where, handler),
            )
            for version in ("", r"{version:v\d+}/")
            for method, path, where, handler in table
        ] + [web.get("/attachments/{id}/{name}", self._attachment, name="page.attachment")]

    def _guarded(self, where: str, handler: Handler) -> Handler:
        """The handler behind faults, the webhook's key and the rate window."""

        async def guarded(request: web.Request) -> web.Response:
            await self._delayed(where)
            fault = self._faults.take(where, "reset", "status", "rate_limited", "lost_answer")
            if fault and fault.what == "reset":
                return _cut(request)
            response = await self._answered(request, handler, fault)
            return _cut(request) if fault and fault.what == "lost_answer" else response

        return guarded

    async def _delayed(self, where: str) -> None:
        if fault := self._faults.take(where, "delay"):
            await self._faults.last(fault)

    async def _answered(
        self, request: web.Request, handler: Handler, fault: Fault | None
    ) -> web.Response:
        if fault and fault.what == "status":
            code, said = int(fault.options.get("code", 500)), fault.options.get("body")
            body = said or {"message": f"{code}: Fault", "code": 0}
            return web.json_response(body, status=code)
        if fault and fault.what == "rate_limited":
            return self._rate_limited(float(fault.options.get("retry_after", 0.3)))
        if not self._window.spend():
            return self._rate_limited(self._window.left())
        try:
            self._check_key(request)
            response = await handler(request)
        except Refusal as refusal:
            response = web.json_response(refusal.body, status=refusal.status)
        response.headers.update(self._window.headers())
        return response

    def _rate_limited(self, seconds: float) -> web.Response:
        body = {
            "message": "You are being rate limited.",
            "retry_after": round(seconds, 3),
            "global": False,
        }
        return web.json_response(body, status=429, headers=self._window.refusal_headers(seconds))

    def _check_key(self, request: web.Request) -> None:
        if self._deleted or request.match_info["id"] != self._webhook_id:
            raise Refusal(404, UNKNOWN_WEBHOOK, "Unknown Webhook")
        if not secrets.compare_digest(request.match_info["token"].encode(), self._token.encode()):
            raise Refusal(401, INVALID_TOKEN, "Invalid Webhook Token")

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "id": self._webhook_id,
                "type": 1,
                "name": "PostFlow sandbox",
                "avatar": None,
                "channel_id": self._channel_id,
                "guild_id": self._channel_id,
                "application_id": None,
                "token": self._token,
                "url": f"{request.scheme}://{request.host}{self.webhook_path}",
            }
        )

    async def _delete_webhook(self, request: web.Request) -> web.Response:
        self.delete_webhook()
        return web.Response(status=204)

    async def _post(self, request: web.Request) -> web.Response:
        form, body = await self._form(request)
        message = self._new_message(form)
        place = self.threads.place_for(form, request.query.get("thread_id"), message["id"])
        message["channel_id"] = place
        _check_not_empty(message, body)
        self.attachments.settle(message, form, body, _origin(request))
        if form.thread_name is not None:
            self.threads.open(form.thread_name, place, tags=form.applied_tags)
        self._messages[message["id"]] = message
        if not _is_set(request, "wait"):
            return web.Response(status=204)
        return web.json_response(_public(message))

    async def _edit(self, request: web.Request) -> web.Response:
        message = self._message(request, edits=True)
        form, body = await self._form(request)
        edited = {**message, **form.written(), "edited_timestamp": _now()}
        if "content" in form.model_fields_set:
            edited |= form.mentioned()
        self.attachments.settle(edited, form, body, _origin(request))
        _check_not_empty(edited)
        earlier = {key: message[key] for key in _EDITED}
        edited["edits"] = [*message["edits"], earlier]
        self._messages[message["id"]] = edited
        return web.json_response(_public(edited))

    async def _form(self, request: web.Request) -> tuple[MessageForm, Body]:
        body = await read_body(request, self._attachment_limit)
        return read_form(body.json, with_components=_is_set(request, "with_components")), body

    async def _read(self, request: web.Request) -> web.Response:
        return web.json_response(_public(self._message(request)))

    async def _delete(self, request: web.Request) -> web.Response:
        self._message(request)["deleted"] = True
        return web.Response(status=204)

    async def _attachment(self, request: web.Request) -> web.Response:
        upload = self.attachments.data.get(request.match_info["id"])
        if upload is None or upload.filename != request.match_info["name"]:
            raise web.HTTPNotFound
        kind = (
            upload.content_type if upload.content_type in _PICTURES else "application/octet-stream"
        )
        headers = {"X-Content-Type-Options": "nosniff", "Content-Type": kind}
        return web.Response(body=upload.data, headers=headers)

    def _message(self, request: web.Request, *, edits: bool = False) -> Json:
        """Of the thread that the call names, else of the channel itself."""
        place = self.threads.place_of(request.query.get("thread_id"), edits=edits)
        message = self._messages.get(request.match_info["message"])
        if message is None or message["deleted"] or message["channel_id"] != place:
            raise Refusal(404, UNKNOWN_MESSAGE, "Unknown Message")
        return message

    def _new_message(self, form: MessageForm) -> Json:
        return {
            "id": self._snowflake(),
            "type": 0,
            "channel_id": self._channel_id,
            "webhook_id": self._webhook_id,
            "author": {
                "id": self._webhook_id,
                "username": form.username or "PostFlow sandbox",
                "bot": True,
            },
            "content": "",
            "embeds": [],
            "attachments": [],
            "components": [],
            **form.written(),
            "mentions": [],
            **form.mentioned(),
            "notified": form.mentioned(),
            "pinned": False,
            "tts": form.tts,
            "flags": 0,
            "timestamp": _now(),
            "edited_timestamp": None,
            "edits": [],
            "deleted": False,
        }

    def _snowflake(self) -> str:
        milliseconds = int(time.time() * 1000) - DISCORD_EPOCH_MS
        return str(milliseconds << 22 | next(self._serial) & 0xFFF)


_PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_EDITED = ("content", "embeds", "attachments", "components", "edited_timestamp")
_OURS = {"edits", "deleted", "notified"}


def _is_set(request: web.Request, flag: str) -> bool:
    return request.query.get(flag, "").lower() in {"true", "1"}


def _origin(request: web.Request) -> str:
    return str(request.url.origin())


def _check_not_empty(message: Json, body: Body | None = None) -> None:
    """Components count only where a message consists of them."""
    holds = message["content"] or message["embeds"] or message["attachments"]
    if not holds and (body is None or not body.files):
        raise Refusal(400, EMPTY_MESSAGE, "Cannot send an empty message")


def _public(message: Json) -> Json:
    """The message as Discord shows it, without what only this sandbox keeps."""
    shown = {key: value for key, value in message.items() if key not in _OURS}
    return shown | {"attachments": outside(message)}


def _cut(request: web.Request) -> web.Response:
    """The connection ends with no answer."""
    if request.transport:
        request.transport.abort()
    return web.Response(status=500)


def _now() -> str:
    return datetime.now(UTC).isoformat()
