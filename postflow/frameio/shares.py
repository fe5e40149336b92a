"""Share links: what opens for people who are no members of the project."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field, SecretStr

from postflow.errors import Fatal
from postflow.models import MOST_ASSETS, FrozenModel

from . import endpoints
from .calls import AnswerLost, Api, Call
from .errors import NO_LINK, suppress_not_found
from .models import Activity, Named, Nothing, One, WireAdded, WireShare, WireUser
from .paging import every_page

LONGEST_NAME = 175
# Between Frame.io's clock and ours.
_CLOCK_MARGIN = timedelta(minutes=10)

Access = Literal["public", "secure"]


class ShareTerms(FrozenModel):
    """Whom a link lets in, to what, and until when."""

    access: Access = "public"
    expires_at: datetime | None = None
    passphrase: SecretStr | None = None
    downloads: bool = False


class NewShare(FrozenModel):
    """A share to be made, of at most 100 assets: files, version stacks or folders, by their ids."""

    account_id: str
    project_id: str
    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    asset_ids: tuple[str, ...] = Field(min_length=1, max_length=MOST_ASSETS)


class Share(FrozenModel):
    """A share link. `passphrase` is what it asks for, as far as Frame.io tells it."""

    id: str
    account_id: str
    name: str
    url: SecretStr
    enabled: bool
    expires_at: datetime | None
    passphrase: SecretStr | None

    def opens(self, at: datetime) -> bool:
        """Will it, as far as can be told now?"""
        return self.enabled and (self.expires_at is None or at < self.expires_at)


class Shares:
    """The share links of an account."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(
        self, new: NewShare, terms: ShareTerms, *, since: datetime, known: Collection[str] = ()
    ) -> Share:
        """Make a share. Where the answer is lost, it is looked for as `find` does, and only made
        again where it is not there."""

        async def look() -> WireShare | None:
            return await self._find(new, since, known)

        ids = {"account_id": new.account_id, "project_id": new.project_id}
        call = Call(endpoints.CREATE_SHARE, ids, body={"data": _wanted(new, terms)})
        made = await self._api.create_once(call, One[WireShare], look)
        return _share(made, new.account_id)

    async def find(
        self, new: NewShare, *, since: datetime, known: Collection[str] = ()
    ) -> Share | None:
        """The share of that name that was made `since` then, with these assets, if there is one.

        `known` are ids of shares that are other ones.
        """
        found = await self._find(new, since, known)
        return _share(found, new.account_id) if found else None

    async def show(self, account_id: str, share_id: str) -> Share | None:
        """None where it was deleted."""
        call = Call(endpoints.SHARE, _ids(account_id, share_id))
        with suppress_not_found():
            return _share(await self._api.one(call, One[WireShare]), account_id)
        return None

    async def add_asset(self, account_id: str, share_id: str, asset_id: str) -> None:
        """One that is in it already is no fault."""

        async def look() -> WireAdded | None:
            is_in = asset_id in await self.asset_ids(account_id, share_id)
            return WireAdded(id=share_id) if is_in else None

        body = {"data": {"asset_id": asset_id}}
        call = Call(endpoints.ADD_SHARED_ASSET, _ids(account_id, share_id), body=body)
        try:
            await self._api.create_once(call, One[WireAdded], look)
        except Fatal as refused:
            if refused.code != "frameio.conflict" or await look() is None:
                raise

    async def asset_ids(self, account_id: str, share_id: str) -> set[str]:
        """All that it opens, with what is below its folders and version stacks."""
        call = Call(endpoints.SHARED_ASSETS, _ids(account_id, share_id))
        return {asset.id for asset in await every_page(self._api, call, Named)}

    async def invite(
        self, account_id: str, share_id: str, emails: Sequence[str], message: str
    ) -> None:
        """Let these people into a secure share, and have Frame.io write to them.

        Where the answer is lost, only those are asked again who are not among its reviewers; of a
        public share Frame.io keeps none, and nobody is written to twice.
        """
        ids = _ids(account_id, share_id)
        wanted = {"message": message, "reviewers": {"emails": list(emails)}}
        call = Call(endpoints.ADD_REVIEWERS, ids, body={"data": wanted})
        try:
            await self._api.post_once(call, Nothing)
        except AnswerLost as lost:
            raise lost.failure(endpoints.ADD_REVIEWERS) from lost

    async def reviewers(self, account_id: str, share_id: str) -> set[str]:
        """E-mail addresses of those who were let into a secure share."""
        call = Call(endpoints.REVIEWERS, _ids(account_id, share_id))
        found = await every_page(self._api, call, WireUser)
        return {user.email.casefold() for user in found}

    async def activities(self, account_id: str, share_id: str) -> list[Activity]:
        """Who looked at what, and when; oldest first."""
        call = Call(endpoints.ACTIVITIES, _ids(account_id, share_id), {"include": "user"})
        found = await every_page(self._api, call, Activity)
        return sorted(found, key=lambda activity: activity.inserted_at)

    async def _find(
        self, new: NewShare, since: datetime, known: Collection[str]
    ) -> WireShare | None:
        """Another PostFlow may give the same name, so what is in it counts too."""
        ids = {"account_id": new.account_id, "project_id": new.project_id}
        call = Call(endpoints.SHARES, ids, {"sort": "created_at_desc"})
        for share in await every_page(self._api, call, WireShare):
            is_new = share.id not in known and share.created_at >= since - _CLOCK_MARGIN
            if is_new and share.name == new.name:
                inside = await self.asset_ids(new.account_id, share.id)
                if inside >= set(new.asset_ids):
                    return share
        return None


def _wanted(new: NewShare, terms: ShareTerms) -> dict[str, object]:
    wanted: dict[str, object] = {
        "type": "asset",
        "name": new.name,
        "access": terms.access,
        "asset_ids": list(new.asset_ids),
        "downloading_enabled": terms.downloads,
    }
    if terms.expires_at:
        wanted["expiration"] = terms.expires_at.isoformat()
    if terms.passphrase:
        wanted["passphrase"] = terms.passphrase.get_secret_value()
    return wanted


def _share(wire: WireShare, account_id: str) -> Share:
    if wire.short_url is None:
        raise NO_LINK()
    return Share(
        id=wire.id,
        account_id=account_id,
        name=wire.name,
        url=wire.short_url,
        enabled=wire.enabled,
        expires_at=wire.expiration,
        passphrase=wire.passphrase,
    )


def _ids(account_id: str, share_id: str) -> dict[str, str]:
    return {"account_id": account_id, "share_id": share_id}
