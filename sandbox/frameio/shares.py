"""Shares: review links for people outside the project. `short_url` is the link."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from postflow.sandbox.refusals import Json, Refusal, invalid, not_found

from . import shapes
from .assets import Asset, Tree, new_id, now
from .endpoints import AssetId, Body, Call, Table
from .places import ACCOUNT, PROJECT
from .queries import page

shares = Table()

SHARE = ACCOUNT + "/shares/{share_id}"
MOST_ASSETS, TEN = 100, 10


def _one_line(name: str) -> str:
    if re.search(r"[\r\n]", name):
        raise ValueError("Share name must not contain line breaks")
    return name


ShareName = Annotated[str, Field(min_length=1, max_length=175), AfterValidator(_one_line)]


class SortBy(Body):
    direction: Literal["asc", "desc"]
    field_definition_id: str


class ShareSettings(Body):
    """What may be set at creation and later. Looks are kept and given back, nothing more."""

    enabled: bool | None = None
    commenting_enabled: bool | None = None
    downloading_enabled: bool | None = None
    passphrase: Annotated[str, Field(max_length=255)] | None = None
    description: Annotated[str, Field(max_length=640)] | None = None
    expiration: datetime | None = None
    layout: Literal["grid", "list", "reel"] | None = None
    theme: Literal["dark", "light", "neutral"] | None = None
    sort_by: SortBy | None = None
    accent_color: str | None = None
    captions_enabled: bool | None = None
    transcripts_enabled: bool | None = None
    card_aspect_ratio: Literal["horizontal", "square", "vertical"] | None = None
    card_info_enabled: bool | None = None
    card_size: Literal["small", "medium", "large"] | None = None
    drm_enabled: bool | None = None
    editable_fields_enabled: bool | None = None
    featured_field_definition_id: str | None = None
    forensic_watermark_enabled: bool | None = None
    icons_visible_on_list: bool | None = None
    list_row_size: Literal["small", "medium", "large"] | None = None
    name_column_width: int | None = None
    open_in_viewer_enabled: bool | None = None
    reel_card_aspect_ratio: Literal["horizontal", "square", "vertical"] | None = None
    reel_card_fit_image: bool | None = None
    show_all_asset_versions: bool | None = None
    show_asset_name_in_reel_layout: bool | None = None
    thumbnail_scale: Literal["fit", "fill"] | None = None
    title_line_count: int | None = None
    visible_field_definition_ids: list[str] | None = None
    watermark_enabled: bool | None = None


class NewShare(ShareSettings):
    type: Literal["asset"] = "asset"
    name: ShareName
    access: Literal["public", "secure"]
    asset_ids: Annotated[list[AssetId], Field(min_length=1, max_length=MOST_ASSETS)] | None = None


class ShareChange(ShareSettings):
    name: ShareName | None = None
    access: Literal["public", "secure"] | None = None


class AddedAsset(Body):
    asset_id: AssetId


ActivityKind = Literal["share_viewed", "asset_viewed", "asset_downloaded", "comment_created"]


@dataclass(eq=False, kw_only=True)
class Viewer:
    """Somebody with the link. Without an e-mail address nobody knows who it is."""

    email: str | None = None
    id: str = field(default_factory=new_id)

    @property
    def name(self) -> str | None:
        """What a list is sorted by."""
        return self.email


@dataclass(eq=False, kw_only=True)
class Activity:
    """`asset_id` is None where it is about the share itself."""

    kind: ActivityKind
    viewer: Viewer
    asset_id: str | None
    id: str = field(default_factory=new_id)
    at: datetime = field(default_factory=now)


@dataclass(eq=False, kw_only=True)
class Share:
    """`word` is what its link ends with: who knows it, and the passphrase if it has one, is in."""

    name: str
    project_id: str
    settings: dict[str, Any]
    asset_ids: list[str]
    reviewers: list[Viewer] = field(default_factory=list)
    mailed: list[str] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    id: str = field(default_factory=new_id)
    word: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    collection_id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)

    @property
    def is_secure(self) -> bool:
        return bool(self.settings["access"] == "secure")

    @property
    def is_expired(self) -> bool:
        until = self.settings.get("expiration")
        return until is not None and datetime.fromisoformat(until) <= now()

    @property
    def last_viewed_at(self) -> datetime | None:
        return self.activities[-1].at if self.activities else None

    def assets(self, tree: Tree) -> list[Asset]:
        """What is in it, with everything below its folders and version stacks, each once."""
        found = {asset.id: asset for own in self.asset_ids for asset in _with_all_below(tree, own)}
        return list(found.values())


def _with_all_below(tree: Tree, asset_id: str) -> Iterator[Asset]:
    asset = tree.find(asset_id)
    if asset is not None:
        yield asset
        for child in tree.children(asset):
            yield from _with_all_below(tree, child.id)


DEFAULTS: Json = {
    "enabled": True,
    "commenting_enabled": True,
    "downloading_enabled": False,
    "expiration": None,
    "description": None,
}


def _shape(call: Call, share: Share) -> Json:
    return {
        **share.settings,
        "id": share.id,
        "name": share.name,
        "collection_id": share.collection_id,
        "short_url": f"{call.world.url}/s/{share.word}",
        "last_viewed_at": shapes.stamp(share.last_viewed_at),
        "created_at": shapes.stamp(share.created_at),
        "updated_at": shapes.stamp(share.updated_at),
    }


def _settings(data: ShareSettings) -> Json:
    given = data.model_dump(mode="json", exclude_none=True)
    return {key: value for key, value in given.items() if key not in ("name", "type", "asset_ids")}


def share_of(call: Call) -> Share:
    share = call.world.shares.get(call.ids["share_id"])
    if share is None:
        raise not_found()
    return share


@shares.write("shares.create", "POST", f"{PROJECT}/shares", NewShare)
async def create_share(call: Call, data: NewShare) -> Json:
    project = call.project
    asset_ids = list(data.asset_ids or [])
    _check_policy(call, data)
    for asset_id in asset_ids:
        _check_asset(call, asset_id, project.id)
    settings = DEFAULTS | _settings(data)
    if call.world.switches.share_passphrase == "required":
        settings.setdefault("passphrase", secrets.token_urlsafe(6))
    share = Share(name=data.name, project_id=project.id, settings=settings, asset_ids=asset_ids)
    call.world.shares[share.id] = share
    call.world.tell("share.created", share.id, project.id, call.user)
    return {"data": _shape(call, share)}


def _check_policy(call: Call, data: NewShare) -> None:
    """What an account may ask of its shares beyond the document; which do, is not known."""
    switches = call.world.switches
    if switches.share_policy == "forbidden":
        raise Refusal(403)
    needed = switches.share_policy
    if needed != "open" and data.access == "public" and getattr(data, needed) is None:
        raise invalid(f"/data/{needed}", f"Missing field: {needed}")
    if switches.share_assets == "ten" and len(data.asset_ids or ()) > TEN:
        raise invalid("/data/asset_ids", f"Array length is larger than maxItems: {TEN}")


def _check_asset(call: Call, asset_id: str, project_id: str) -> None:
    if call.asset(asset_id, Asset).project_id != project_id:
        raise invalid("/data/asset_ids", "All assets must be of the share's project")


@shares.read("shares.list", f"{PROJECT}/shares")
async def list_shares(call: Call) -> Json:
    project = call.project
    found = [it for it in call.world.shares.values() if it.project_id == project.id]
    return page(found, call.asked, call.path, lambda it: _shape(call, it))


@shares.read("shares.show", SHARE)
async def show_share(call: Call) -> Json:
    return {"data": _shape(call, share_of(call))}


@shares.write("shares.update", "PATCH", SHARE, ShareChange)
async def update_share(call: Call, data: ShareChange) -> Json:
    share = share_of(call)
    share.name = data.name or share.name
    share.settings |= _settings(data)
    share.updated_at = now()
    call.world.tell("share.updated", share.id, share.project_id, call.user)
    return {"data": _shape(call, share)}


@shares.delete("shares.delete", SHARE)
async def delete_share(call: Call) -> None:
    share = share_of(call)
    del call.world.shares[share.id]
    call.world.tell("share.deleted", share.id, share.project_id, call.user)


@shares.read("shares.assets", f"{SHARE}/assets")
async def list_assets(call: Call) -> Json:
    """Recursively flat, as the document says."""
    include = call.asked.include
    there = share_of(call).assets(call.world.tree)
    return page(there, call.asked, call.path, lambda it: shapes.asset(call.world, it, include))


@shares.write("shares.add_asset", "POST", f"{SHARE}/assets", AddedAsset)
async def add_asset(call: Call, data: AddedAsset) -> Json:
    share = share_of(call)
    _check_asset(call, data.asset_id, share.project_id)
    if data.asset_id not in share.asset_ids:
        share.asset_ids.append(data.asset_id)
    elif call.world.switches.share_again == "refuse":
        raise Refusal(409)
    return {"data": _shape(call, share) | {"asset_added": data.asset_id}}


@shares.delete("shares.remove_asset", f"{SHARE}/assets/{{asset_id}}")
async def remove_asset(call: Call) -> Json:
    share, asset_id = share_of(call), call.ids["asset_id"]
    if asset_id not in share.asset_ids:
        raise not_found()
    share.asset_ids.remove(asset_id)
    return {"data": _shape(call, share) | {"asset_removed": asset_id}}
