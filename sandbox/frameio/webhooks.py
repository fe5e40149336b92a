"""Webhooks: registering receivers. Their secret is shown once, when they are made."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from postflow.sandbox.refusals import Json, not_found

from . import shapes
from .assets import new_id, now
from .endpoints import Body, Call, Table
from .places import ACCOUNT, WORKSPACE
from .queries import page

webhooks = Table()

WEBHOOK = ACCOUNT + "/webhooks/{webhook_id}"
VERBS = {
    "file": "created ready updated deleted upload.completed versioned copied",
    "folder": "created updated deleted copied",
    "comment": "created updated deleted completed uncompleted",
    "customfield": "created updated deleted",
    "metadata": "value.updated",
    "project": "created updated deleted",
    "collection": "created updated deleted",
    "share": "created updated deleted viewed",
}
EVENTS = frozenset(f"{thing}.{verb}" for thing, verbs in VERBS.items() for verb in verbs.split())


def _known(events: list[str]) -> list[str]:
    if not set(events) <= EVENTS:
        raise ValueError("Invalid value for enum")
    if len(set(events)) != len(events):
        raise ValueError("Array items must be unique")
    return events


Name = Annotated[str, Field(min_length=1, max_length=255)]
Address = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^https?://")]
Events = Annotated[list[str], Field(min_length=1), AfterValidator(_known)]


class NewWebhook(Body):
    name: Name
    url: Address
    events: Events


class WebhookChange(Body):
    name: Name | None = None
    url: Address | None = None
    events: Events | None = None
    active: bool | None = None


@dataclass(eq=False, kw_only=True)
class Webhook:
    name: str
    url: str
    events: list[str]
    creator_id: str
    workspace_id: str
    active: bool = True
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)


@webhooks.write("webhooks.create", "POST", f"{WORKSPACE}/webhooks", NewWebhook)
async def create_webhook(call: Call, data: NewWebhook) -> Json:
    webhook = Webhook(
        name=data.name,
        url=data.url,
        events=data.events,
        creator_id=call.user.id,
        workspace_id=call.ids["workspace_id"],
    )
    call.world.webhooks[webhook.id] = webhook
    return {"data": _shape(call, webhook) | {"secret": webhook.secret}}


@webhooks.read("webhooks.list", f"{WORKSPACE}/webhooks")
async def list_webhooks(call: Call) -> Json:
    found = list(call.world.webhooks.values())
    return page(found, call.asked, call.path, lambda it: _shape(call, it))


@webhooks.read("webhooks.show", WEBHOOK)
async def show_webhook(call: Call) -> Json:
    return {"data": _shape(call, _webhook(call))}


@webhooks.write("webhooks.update", "PATCH", WEBHOOK, WebhookChange)
async def update_webhook(call: Call, data: WebhookChange) -> Json:
    webhook = _webhook(call)
    for key, value in data.model_dump(exclude_none=True).items():
        setattr(webhook, key, value)
    webhook.updated_at = now()
    return {"data": _shape(call, webhook)}


@webhooks.delete("webhooks.delete", WEBHOOK)
async def delete_webhook(call: Call) -> None:
    del call.world.webhooks[_webhook(call).id]


def _webhook(call: Call) -> Webhook:
    webhook = call.world.webhooks.get(call.ids["webhook_id"])
    if webhook is None:
        raise not_found()
    return webhook


def _shape(call: Call, webhook: Webhook) -> Json:
    shape: Json = {
        "id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "events": webhook.events,
        "active": webhook.active,
        "workspace_id": webhook.workspace_id,
        "created_at": shapes.stamp(webhook.created_at),
        "updated_at": shapes.stamp(webhook.updated_at),
    }
    if "creator" in call.asked.include:
        shape["creator"] = shapes.user(call.world.studio.user(webhook.creator_id))
    return shape
