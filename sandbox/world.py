"""The state of the world: one studio, its assets, its tokens, and what happened so far."""

from __future__ import annotations

import re
import secrets
import time
from collections import deque
from collections.abc import Container
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from postflow.sandbox.frameio.api import endpoints
from postflow.sandbox.frameio.assets import Asset, File, Tree, VersionStack
from postflow.sandbox.frameio.comments import Comment
from postflow.sandbox.frameio.shares import Share
from postflow.sandbox.frameio.studio import Studio, User
from postflow.sandbox.frameio.webhooks import Webhook
from postflow.sandbox.ims.credentials import confidential, public
from postflow.sandbox.ims.tokens import Ims

from .blobs import Blobs
from .deliveries import Deliveries
from .discord import DiscordWorld
from .faults import Faults
from .ingestion import Ingestion
from .parts import Parts
from .rates import Buckets
from .switches import FIXED, Switches

MOST = 100_000
WEBHOOK_TOKEN = re.compile(r"(/api/(?:v\d+/)?webhooks/[^/]+/)[^/]+")
SHOWN = {"include", "page_size", "after", "sort", "type", "include_total_count", "wait"}
NGROK_AGENT = "ngrok"


@dataclass(frozen=True)
class Entry:
    """One request. `status` is None where no answer was given; `at` in seconds since 1970."""

    op: str
    method: str
    path: str
    query: dict[str, str]
    status: int | None
    user_agent: str
    at: float
    seconds: float


class Journal:
    """The newest requests, oldest of them first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MOST)

    def note(self, request: web.BaseRequest, op: str, status: int | None, began: float) -> None:
        """`began` as `time.time()` gave it."""
        entry = Entry(
            op=op,
            method=request.method,
            path=WEBHOOK_TOKEN.sub(r"\1***", request.path),
            query={key: value for key, value in request.query.items() if key in SHOWN},
            status=status,
            user_agent=request.headers.get("User-Agent", ""),
            at=began,
            seconds=time.time() - began,
        )
        self._entries.append(entry)

    def entries(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self._entries]

    def clear(self) -> None:
        self._entries.clear()


DISCORD_CALLS, DISCORD_WINDOW = 5, 2.0


class World:
    """All parts of the sandbox. Used from one event loop only; the faults from anywhere."""

    def __init__(self, switches: Switches, folder: Path, url: str) -> None:
        self.switches = self._at_first = switches
        self.folder = folder
        self.url = url
        self.faults = Faults()
        self.journal = Journal()
        self.broken: list[str] = []
        self.tree = Tree()
        self.studio = Studio(switches.project_name)
        self.studio.settle(self.tree)
        self.ims = Ims(self.studio, lambda: self.switches)
        self.confidential = self.ims.register(confidential(url))
        self.public = self.ims.register(public(url))
        self.rates = Buckets(enforced=switches.rate_limits, scale=switches.rate_scale)
        self.blobs = Blobs(folder / "blobs", keep=switches.keep_bytes)
        self.ingestion = Ingestion(self)
        self.parts = Parts(self)
        self.shares: dict[str, Share] = {}
        self.comments: list[Comment] = []
        self.webhooks: dict[str, Webhook] = {}
        self.deliveries = Deliveries(self)
        self.endpoints = {endpoint.where: endpoint for endpoint in endpoints()}
        discord_rate = (DISCORD_CALLS, DISCORD_WINDOW / switches.rate_scale)
        self.discord = DiscordWorld(
            self.faults,
            rate=discord_rate if switches.rate_limits else None,
            channel=switches.discord_channel,
            attachment_limit=switches.discord_attachment_limit,
            lost_attachment=switches.discord_lost_attachment,
        )
        self.ngrok_authtoken = "sandbox_" + secrets.token_urlsafe(24)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def view_url(self, asset: Asset) -> str:
        return f"{self.project_url(asset.project_id)}view/{asset.id}"

    def project_url(self, project_id: str) -> str:
        base = (self.switches.view_base or self.url).rstrip("/")
        return f"{base}/project/{project_id}/"

    def stored_bytes(self, project_id: str | None = None) -> int:
        """All of the account's, or those of one project."""
        return sum(
            asset.file_size
            for asset in self.tree
            if isinstance(asset, File) and project_id in (None, asset.project_id)
        )

    def turn(self, **settings: Any) -> None:
        """Change switches while the world runs. Raises ValueError."""
        if fixed := sorted(FIXED & settings.keys()):
            raise ValueError(f"{fixed[0]} is fixed when the sandbox starts.")
        self.switches = self.switches.turned(**settings)

    def tell(self, event: str, resource_id: str, project_id: str, user: User) -> None:
        """Something happened that webhooks may want to know."""
        self.deliveries.announce(
            event,
            {
                "type": event,
                "resource": {"id": resource_id, "type": event.partition(".")[0]},
                "account": {"id": self.studio.account.id},
                "workspace": {"id": self.studio.workspace.id},
                "project": {"id": project_id},
                "user": {"id": user.id},
            },
        )

    def remove(self, asset: Asset, user: User) -> None:
        """Delete an asset with all below it, and mend the stack it may have left."""
        parent = self.tree.parent(asset)
        for gone in self.tree.delete(asset):
            self.ingestion.stop(gone.id)
            self.parts.forget(gone.id)
            self.blobs.drop(gone.id)
            if not isinstance(gone, VersionStack):
                self.tell(f"{gone.kind}.deleted", gone.id, gone.project_id, user)
        self.settle_stack(parent)

    def settle_stack(self, stack: Asset | None) -> None:
        """A stack without versions is gone; one with a single version dissolves, by switch."""
        if not isinstance(stack, VersionStack):
            return
        versions = self.tree.versions(stack)
        if not versions:
            self.tree.delete(stack)
        elif len(versions) == 1 and self.switches.stack_of_one == "dissolve":
            self.tree.put_in_place_of(versions[0], stack)
        else:
            self.name_stack(stack)

    def name_stack(self, stack: Asset | None, rules: Container[str] = ("head", "arrival")) -> None:
        """Give a stack its newest version's name, where that is the rule."""
        if isinstance(stack, VersionStack) and self.switches.stack_name in rules:
            stack.name = self.tree.versions(stack)[-1].name
            stack.touch()

    def messages(self) -> list[dict[str, Any]]:
        """What Discord shows."""
        return self.discord.messages

    def share_rows(self) -> list[dict[str, Any]]:
        """The shares, oldest first, as /sandbox/shares tells of them."""
        shown = ("access", "enabled", "expiration", "downloading_enabled")
        return [
            {
                **{key: share.settings[key] for key in shown},
                "id": share.id,
                "name": share.name,
                "url": f"{self.url}/s/{share.word}",
                "asset_ids": list(share.asset_ids),
                "passphrase": share.settings.get("passphrase"),
                "reviewers": [reviewer.email for reviewer in share.reviewers],
                "mailed": list(share.mailed),
                "activities": [activity.kind for activity in share.activities],
            }
            for share in self.shares.values()
        ]

    async def reset(self) -> None:
        """As at the start: no assets, messages, requests or faults. Ids and tokens stay good."""
        await self.close()
        self.switches = self._at_first
        self.parts.clear()
        self.blobs.clear()
        self.faults.clear()
        self.rates.clear()
        self.tree.clear()
        self.studio.settle(self.tree)
        self.shares.clear()
        self.comments.clear()
        self.webhooks.clear()
        self.discord.reset()
        self.journal.clear()

    async def close(self) -> None:
        """Stop what is under way: fetches, timers, deliveries."""
        await self.ingestion.close()
        await self.deliveries.close()

    def describe(self) -> dict[str, Any]:
        """Addresses and ids, as `python -m postflow.sandbox --json` prints them."""
        project = self.studio.first_project
        return {
            "url": self.url,
            "account_id": self.studio.account.id,
            "workspace_id": self.studio.workspace.id,
            "project_id": project.id,
            "project_name": project.name,
            "root_folder_id": project.root_folder_id,
            "client_id": self.confidential.id,
            "client_secret": self.confidential.secret,
            "public_client_id": self.public.id,
            "discord_webhook_url": self.url + self.discord.webhook_path,
            "ngrok_path": str(self.folder / NGROK_AGENT),
            "ngrok_authtoken": self.ngrok_authtoken,
        }
