"""What an operation is, and what one call of it carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from postflow.sandbox.refusals import Json, Refusal, not_found

from .assets import Asset, File, Folder, VersionStack
from .contract import ID, Operation, operation
from .queries import Asked
from .studio import Project, User

if TYPE_CHECKING:
    from postflow.sandbox.world import World

A = TypeVar("A", bound=Asset)


AssetId = Annotated[str, Field(pattern=ID)]


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
    """One operation of the API; what the contract says of it holds."""

    where: str
    contract: Operation
    body: type[Body] | None
    handler: Callable[..., Awaitable[Json | None]]


class Table:
    """The operations of one module, in the order they are written."""

    def __init__(self) -> None:
        self.endpoints: list[Endpoint] = []

    def read(self, where: str, path: str) -> Callable[[H], H]:
        """A GET without body."""
        return self._enlist(where, "GET", path, None)

    def delete(self, where: str, path: str) -> Callable[[H], H]:
        return self._enlist(where, "DELETE", path, None)

    def write(self, where: str, verb: str, path: str, body: type[Body]) -> Callable[[H], H]:
        """A POST or PATCH whose `data` is a `body`, the handler's second argument."""
        return self._enlist(where, verb, path, body)

    def _enlist(
        self, where: str, verb: str, path: str, body: type[Body] | None
    ) -> Callable[[H], H]:
        def enlist(handler: H) -> H:
            self.endpoints.append(Endpoint(where, operation(verb, path), body, handler))
            return handler

        return enlist
