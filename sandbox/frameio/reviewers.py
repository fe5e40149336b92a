"""Who may look at a share, and who has."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from postflow.sandbox.refusals import Json

from . import shapes
from .endpoints import Body, Call, Table
from .queries import page
from .shares import SHARE, Activity, Viewer, share_of

reviewers = Table()

Some = Annotated[list[str], Field(min_length=1)]
MOST_REMOVED = 10


class Named(Body):
    """Exactly one kind of name."""

    emails: Some | None = None
    user_ids: Some | None = None
    adobe_user_ids: Some | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name)]
        if len(given) != 1:
            raise ValueError("Exactly one identifier type must be given")
        return self


class Invited(Named):
    share_list_ids: Some | None = None


class Invitation(Body):
    message: str
    notify_by_email: bool | None = None
    reviewers: Invited


class Farewell(Body):
    reviewers: Named


@reviewers.read("shares.reviewers", f"{SHARE}/reviewers")
async def list_reviewers(call: Call) -> Json:
    return page(share_of(call).reviewers, call.asked, call.path, _shape)


@reviewers.write("shares.add_reviewers", "POST", f"{SHARE}/reviewers", Invitation)
async def add_reviewers(call: Call, data: Invitation) -> None:
    """Of a public share nobody becomes a reviewer: they get a mail, which is noted as sent."""
    share = share_of(call)
    for email in _emails(call, data.reviewers):
        if data.notify_by_email is not False:
            share.mailed.append(email)
        if share.is_secure and email not in {known.email for known in share.reviewers}:
            share.reviewers.append(Viewer(email=email))


@reviewers.write("shares.remove_reviewers", "DELETE", f"{SHARE}/reviewers", Farewell)
async def remove_reviewers(call: Call, data: Farewell) -> None:
    gone = set(_emails(call, data.reviewers))
    share = share_of(call)
    share.reviewers = [known for known in share.reviewers if known.email not in gone]


@reviewers.read("shares.activities", f"{SHARE}/activities")
async def list_activities(call: Call) -> Json:
    asked = call.asked
    with_user = "user" in asked.include
    shown = page(share_of(call).activities, asked, call.path, lambda it: _activity(it, with_user))
    del shown["total_count"]
    return shown


def _emails(call: Call, named: Named) -> list[str]:
    """Members go by their ids too; whom the studio does not know by an id is left out."""
    studio = call.world.studio
    members = {user.id: user.email for user in (studio.person, studio.service)}
    return [*(named.emails or []), *(members[it] for it in named.user_ids or [] if it in members)]


def _shape(viewer: Viewer) -> Json:
    return {
        "id": None,
        "name": None,
        "email": viewer.email,
        "avatar_url": None,
        "active": True,
        "adobe_user_id": None,
    }


def _activity(it: Activity, with_user: bool) -> Json:
    shape: Json = {
        "id": it.id,
        "type": it.kind,
        "asset_id": it.asset_id,
        "user_id": it.viewer.id,
        "inserted_at": shapes.stamp(it.at),
    }
    if with_user:
        shape["user"] = _shape(it.viewer) if it.viewer.email else None
    return shape
