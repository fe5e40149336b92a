"""Version stacks: several versions of one clip under one entry."""

from __future__ import annotations

from postflow.models import Folder, FrozenModel, RemoteFile

from . import endpoints
from .calls import Api, Call, ids_in
from .errors import BAD_STACK
from .models import One, WireFile, WireStack
from .paging import every_page, listing

FEWEST, MOST = 2, 10


class VersionStack(FrozenModel):
    """`head` is the newest version."""

    id: str
    account_id: str
    project_id: str
    name: str
    head: RemoteFile | None


class Stacks:
    """The version stacks of an account."""

    def __init__(self, api: Api) -> None:
        self._api = api

    @property
    def creations(self) -> int:
        """How many stacks Frame.io makes for us at once: ten a minute."""
        return self._api.pacing.free(endpoints.CREATE_STACK)

    @property
    def changes(self) -> int:
        """How many looks at a stack, or moves onto it, go at once: of each a hundred a minute."""
        asked = endpoints.STACK_VERSIONS, endpoints.STACK, endpoints.MOVE_FILE
        return min(map(self._api.pacing.free, asked))

    async def create(
        self, folder: Folder, file_ids: tuple[str, ...], *, waits: bool = True
    ) -> VersionStack:
        """Stack 2 to 10 files of the folder, given from oldest to newest.

        Who does not wait for Frame.io's rate has a Retry with `retry_after` at its refusal.
        """
        if not FEWEST <= len(file_ids) <= MOST or len(set(file_ids)) < len(file_ids):
            raise BAD_STACK(count=len(file_ids), fewest=FEWEST, most=MOST)

        async def look() -> WireStack | None:
            stacks = await self._list(folder)
            ours = (s for s in stacks if s.head_version and s.head_version.id == file_ids[-1])
            return next(ours, None)

        call = Call(
            endpoints.CREATE_STACK,
            ids_in(folder),
            body={"data": {"file_ids": list(file_ids)}},
            waits=waits,
        )
        made = await self._api.create_once(call, One[WireStack], look)
        return as_stack(made, folder.account_id)

    async def show(self, account_id: str, stack_id: str) -> VersionStack:
        """A stack, wherever it lies."""
        call = Call(endpoints.STACK, {"account_id": account_id, "stack_id": stack_id})
        return as_stack(await self._api.one(call, One[WireStack]), account_id)

    async def versions(self, stack: VersionStack, wanted: str = "") -> list[RemoteFile]:
        """The files of a stack, in the order Frame.io gives them.

        Raises Retry when one called `wanted` is among them that cannot be read.
        """
        call = Call(
            endpoints.STACK_VERSIONS, {"account_id": stack.account_id, "stack_id": stack.id}
        )
        found = await listing(self._api, call, WireFile.model_validate)
        found.refuse_unread(lambda unread: unread == wanted)
        return [file.remote(stack.account_id) for file in found.items]

    async def _list(self, folder: Folder) -> list[WireStack]:
        call = Call(endpoints.STACKS, ids_in(folder))
        stacks = await every_page(self._api, call, WireStack)
        return sorted(stacks, key=lambda stack: (stack.created_at, stack.id))


def as_stack(wire: WireStack, account_id: str) -> VersionStack:
    return VersionStack(
        id=wire.id,
        account_id=account_id,
        project_id=wire.project_id,
        name=wire.name,
        head=wire.head_version.remote(account_id) if wire.head_version else None,
    )
