"""Accounts, workspaces and projects: found by id or by name, with a word on what is near."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

from postflow.errors import Fatal, PostFlowError
from postflow.language import N_
from postflow.models import Project, nfc

from . import endpoints
from .calls import Api, Call
from .errors import INACTIVE, STORAGE_FULL
from .models import Account, One, Profile, WireProject, Workspace
from .paging import every_page

_NEAR = 3
_INACTIVE = "inactive"


N = TypeVar("N", Account, Workspace, WireProject)


class Accounts:
    """Who is signed in, and the accounts and workspaces they see."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def me(self) -> Profile:
        return await self._api.one(Call(endpoints.ME), One[Profile])

    async def all(self) -> list[Account]:
        return await every_page(self._api, Call(endpoints.ACCOUNTS), Account)

    async def workspaces(self, account_id: str) -> list[Workspace]:
        call = Call(endpoints.WORKSPACES, {"account_id": account_id})
        return await every_page(self._api, call, Workspace)

    async def why_no_room(self, account_id: str, size: int) -> Fatal | None:
        """Fatal `frameio.storage_full` where the account has no room for so many bytes."""
        home = await self._home(account_id)
        return (
            None
            if home is None or home.has_room_for(size)
            else STORAGE_FULL(details=N_("“{name}”: {room}.", name=home.name, room=home.room))
        )

    async def with_room(self, account_id: str, refused: Fatal) -> Fatal:
        """A full account's refusal, with its numbers where they can be had; others as they are."""
        if refused.code != "frameio.storage_full":
            return refused
        home = await self._home(account_id)
        if home is None:
            return refused
        return Fatal(
            "{said} “{name}”: {room}.",
            hint=refused.hint,
            code=refused.code,
            said=refused.message,
            name=home.name,
            room=home.room,
        )

    async def _home(self, account_id: str) -> Account | None:
        with suppress(PostFlowError):
            return next((each for each in await self.all() if each.id == account_id), None)
        return None


class Projects:
    """The projects of all accounts."""

    def __init__(self, api: Api, accounts: Accounts) -> None:
        self._api = api
        self._accounts = accounts

    async def all(self, account_id: str) -> list[Project]:
        return [wire.project(account_id) for wire in await self._all(account_id)]

    async def show(self, account_id: str, project_id: str) -> Project:
        call = Call(endpoints.PROJECT, {"account_id": account_id, "project_id": project_id})
        return (await self._api.one(call, One[WireProject])).project(account_id)

    async def find(
        self, name_or_id: str, account: str | None = None, workspace: str | None = None
    ) -> Project:
        """The one active project of that id or exact name; account and workspace likewise.

        Raises `Fatal` with code frameio.{account,workspace,project}_{unknown,ambiguous}.
        """
        homes = await self._accounts.all()
        if account is not None:
            homes = [_the_one("account", account, homes)]
        pairs = [(home.id, wire) for home in homes for wire in await self._in(home.id, workspace)]
        chosen = _the_one("project", name_or_id, [wire for _, wire in pairs])
        account_id = next(home for home, wire in pairs if wire is chosen)
        if chosen.status == _INACTIVE:
            raise INACTIVE(name=chosen.name)
        return chosen.project(account_id)

    async def _in(self, account_id: str, workspace: str | None) -> list[WireProject]:
        if workspace is None:
            return await self._all(account_id)
        rooms = await self._accounts.workspaces(account_id)
        room = _the_one("workspace", workspace, rooms)
        return await self._all(account_id, workspace_id=room.id)

    async def _all(self, account_id: str, **room: str) -> list[WireProject]:
        endpoint = endpoints.WORKSPACE_PROJECTS if room else endpoints.PROJECTS
        call = Call(endpoint, {"account_id": account_id, **room})
        return await every_page(self._api, call, WireProject)


_KINDS = {"account": N_("account"), "workspace": N_("workspace"), "project": N_("project")}


def _the_one(kind: str, wanted: str, candidates: Sequence[N]) -> N:
    for candidate in candidates:
        if candidate.id == wanted:
            return candidate
    matches = [candidate for candidate in candidates if nfc(candidate.name) == nfc(wanted)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise Fatal(
            "There are several {kind}s called “{wanted}” in Frame.io: {ids}.",
            hint="Give the id of the {kind} you mean instead of its name.",
            code=f"frameio.{kind}_ambiguous",
            kind=_KINDS[kind],
            wanted=wanted,
            ids=", ".join(match.id for match in matches),
        )
    raise _none(kind, wanted, [candidate.name for candidate in candidates])


def _none(kind: str, wanted: str, names: Sequence[str]) -> Fatal:
    near = _near(wanted, names)
    listed = " or ".join(f"“{name}”" for name in near)
    return Fatal(
        "There is no {kind} called “{wanted}” in Frame.io that the signed-in user can see.",
        hint="Did you mean {near}?" if near else "Check that the signed-in user can see it.",
        code=f"frameio.{kind}_unknown",
        near=listed,
        kind=_KINDS[kind],
        wanted=wanted,
    )


def _near(wanted: str, names: Sequence[str]) -> list[str]:
    """Names that differ in case or a few letters; with few names, all of them."""
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(wanted.casefold(), list(folded), n=_NEAR)
    if near:
        return [folded[name] for name in near]
    return sorted(names) if len(names) <= _NEAR else []
