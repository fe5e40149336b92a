"""What an operation is, and what one call of it carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict

from sandbox.frameio.assets import Asset, File, Folder, VersionStack
from sandbox.frameio.queries import Asked, Query
from sandbox.frameio.studio import Project, User
from sandbox.rates import Rate
from sandbox.refusals import Json, Refusal, not_found

if TYPE_CHECKING:
    from sandbox.world import World

A = TypeVar("A", bound=Asset)


class Body(BaseModel):
    """What stands under `data` in a request; unknown keys are refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


H = TypeVar("H", bound=Callable[..., Awaitable[Json | None]])


@dataclass(frozen=True)
class Call:
    """One call that was let in: who asks, for which ids, with which query."""

    world: World
    user: User
    path: str
    ids: dict[str, str]
    asked: Asked

    @property
    def folder(self) -> Folder:
        return self.asset(self.ids["folder_id"], Folder)

    @property
    def file(self) -> File:
        return self.asset(self.ids["file_id"], File)

    @property
    def stack(self) -> VersionStack:
        return self.asset(self.ids["version_stack_id"], VersionStack)

    @property
    def project(self) -> Project:
        project = self.world.studio.projects.get(self.ids["project_id"])
        if project is None:
            raise not_found()
        return project

    def asset(self, asset_id: str, kind: type[A]) -> A:
        """The asset of that id and kind, or Refusal 404."""
        found = self.world.tree.find(asset_id)
        if not isinstance(found, kind):
            raise not_found()
        return found

    def check_place(self) -> None:
        """Refuse an account that is not the user's, and a workspace that is not the account's."""
        studio = self.world.studio
        if self.ids.get("account_id", studio.account.id) != studio.account.id:
            raise Refusal(403)
        if self.ids.get("workspace_id", studio.workspace.id) != studio.workspace.id:
            raise not_found()


@dataclass(frozen=True)
class Endpoint:
    """One operation of the API."""

    where: str
    method: str
    path: str
    rate: Rate
    status: int
    query: Query
    body: type[Body] | None
    handler: Callable[..., Awaitable[Json | None]]


class Table:
    """The operations of one module, in the order they are written."""

    def __init__(self) -> None:
        self.endpoints: list[Endpoint] = []

    def read(
        self, where: str, path: str, rate: Rate, query: Query | None = None
    ) -> Callable[[H], H]:
        """A GET without body."""
        return self._enlist(where, "GET", path, rate, 200, query or Query(), None)

    def delete(self, where: str, path: str, rate: Rate, status: int = 204) -> Callable[[H], H]:
        return self._enlist(where, "DELETE", path, rate, status, Query(), None)

    def write(
        self,
        where: str,
        verb: str,
        path: str,
        rate: Rate,
        body: type[Body],
        status: int = 200,
        query: Query | None = None,
    ) -> Callable[[H], H]:
        """A POST or PATCH whose `data` is a `body`, the handler's second argument."""
        return self._enlist(where, verb, path, rate, status, query or Query(), body)

    def _enlist(
        self,
        where: str,
        verb: str,
        path: str,
        rate: Rate,
        status: int,
        query: Query,
        body: type[Body] | None,
    ) -> Callable[[H], H]:
        def enlist(handler: H) -> H:
            self.endpoints.append(Endpoint(where, verb, path, rate, status, query, body, handler))
            return handler

        return enlist
