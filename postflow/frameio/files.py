"""Files of a folder: asked for, found, watched, deleted."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Set
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from postflow.errors import Fatal
from postflow.locks import one_at_a_time
from postflow.models import Folder, Placeholder, RemoteFile, nfc

from . import endpoints
from .calls import Api, Call, ids_in
from .errors import LOCAL_UPLOAD_LIMIT, ODD_PARTS, check_name, check_size, suppress_not_found
from .models import Nothing, One, UploadStatus, WireFile, WirePlaceholder
from .paging import Listing, listing
from .projects import Accounts

# Frame.io's clock is known to the second, from its Date headers; the rest is the network's.
_CLOCK_MARGIN = timedelta(seconds=60)
_EVER = datetime.min.replace(tzinfo=UTC)


F = TypeVar("F", bound=WireFile)


class Files:
    """The files of an account."""

    def __init__(
        self,
        api: Api,
        accounts: Accounts,
        uploads: set[str],
        lock_dir: Path | None,
        *,
        filled: Callable[[str], None],
    ) -> None:
        """`filled` hears the id of each folder in which a file is asked for."""
        self._api = api
        self._uploads = uploads
        self._lock_dir = lock_dir
        self._accounts = accounts
        self._filled = filled

    async def remote_upload(
        self,
        folder: Folder,
        name: str,
        source_url: SecretStr,
        *,
        known: frozenset[str],
        size: int | None = None,
        took_effect: Callable[[], bool] = lambda: False,
    ) -> RemoteFile:
        """Have Frame.io fetch the file at `source_url`, which must stay good until it has.

        `known` are the ids of that name from before. Where the answer is lost, a file of that name
        which is not among them is taken for ours; only where there is none is it asked for again,
        and never once `took_effect` says that the address has been visited. `size` in bytes is
        checked against the 50 GB limit before asking.
        """
        check_size(size or 0)
        body = _named(name, source_url=source_url.get_secret_value())
        made = await self._create(
            Call(endpoints.REMOTE_UPLOAD, ids_in(folder), body=body),
            One[WireFile],
            lambda since: self._newly_made(folder, nfc(name), since, known | self._uploads),
            took_effect=took_effect,
        )
        return made.remote(folder.account_id)

    async def local_upload(
        self, folder: Folder, name: str, size: int, *, known: frozenset[str]
    ) -> Placeholder:
        """A file of `size` bytes to be, and the addresses that its parts are PUT to.

        `known` are the ids of that name from before. Where the answer is lost, nobody has the
        addresses: a placeholder of that name and size which is not among them is removed, and it
        is asked again.
        """
        check_size(size, LOCAL_UPLOAD_LIMIT)

        async def look(since: datetime) -> None:
            made = await self._newly_made(folder, nfc(name), since, known | self._uploads)
            if made and made.status == "created" and made.file_size in (size, None):
                await self.delete(made.remote(folder.account_id))

        call = Call(endpoints.LOCAL_UPLOAD, ids_in(folder), body=_named(name, file_size=size))
        made = await self._create(call, One[WirePlaceholder], look)
        remote = made.remote(folder.account_id)
        parts = sum(part.size for part in made.parts)
        if parts != size or any(part.size < 1 for part in made.parts):
            await self.delete(remote)
            raise ODD_PARTS(parts=parts, size=size)
        return Placeholder(remote=remote, parts=made.parts, media_type=made.media_type)

    async def _create(
        self,
        call: Call,
        answer: type[One[F]],
        look: Callable[[datetime], Awaitable[F | None]],
        *,
        took_effect: Callable[[], bool] = lambda: False,
    ) -> F:
        """Two uploads of one name must not take each other's file for theirs."""
        now = self._api.server_time()
        since = now - _CLOCK_MARGIN if now else _EVER
        folder_id, name = call.ids["folder_id"], str((call.body or {})["data"]["name"])
        self._filled(folder_id)
        async with one_at_a_time("upload", folder_id, name, folder=self._lock_dir):
            try:
                made = await self._api.create_once(
                    call, answer, lambda: look(since), took_effect=took_effect
                )
            except Fatal as refused:
                raise await self._accounts.with_room(call.account_id, refused) from refused
            self._uploads.add(made.id)
        return made

    async def status(self, remote: RemoteFile) -> UploadStatus:
        """How far the fetching is: 5 polls a second for all files together."""
        call = Call(endpoints.UPLOAD_STATUS, _ids(remote.account_id, remote.id))
        return await self._api.one(call, One[UploadStatus])

    async def show(self, account_id: str, file_id: str) -> RemoteFile:
        call = Call(endpoints.FILE, _ids(account_id, file_id))
        return (await self._api.one(call, One[WireFile])).remote(account_id)

    async def find(self, account_id: str, file_id: str) -> RemoteFile | None:
        """None where it was deleted."""
        with suppress_not_found():
            return await self.show(account_id, file_id)
        return None

    async def move(self, remote: RemoteFile, parent_id: str) -> RemoteFile:
        """Into another folder, or onto a version stack."""
        call = Call(
            endpoints.MOVE_FILE,
            _ids(remote.account_id, remote.id),
            body={"data": {"parent_id": parent_id}},
        )
        try:
            moved = (await self._api.one(call, One[WireFile])).remote(remote.account_id)
        except Fatal:
            # A repeated move, its first answer lost, may be refused for being done already.
            moved = await self.show(remote.account_id, remote.id)
            if moved.folder_id != parent_id:
                raise
        return moved

    async def delete(self, remote: RemoteFile) -> None:
        """One already gone is no fault."""
        call = Call(endpoints.DELETE_FILE, _ids(remote.account_id, remote.id))
        with suppress_not_found():
            await self._api.ask(call, Nothing)

    async def _newly_made(
        self, folder: Folder, name: str, since: datetime, theirs: Set[str]
    ) -> WireFile | None:
        """A file of that name, or of a numbered one, that nobody else has asked for."""
        found = await self._list(folder)
        found.refuse_unread(lambda unread: unread == name or _is_copy_name(unread, name))
        ours = [f for f in found.items if f.id not in theirs and f.created_at >= since]
        exact = [f for f in ours if nfc(f.name) == name]
        numbered = [f for f in ours if _is_copy_name(nfc(f.name), name)]
        return next(iter(exact + numbered), None)

    async def _list(self, folder: Folder) -> Listing[WireFile]:
        """Oldest first."""
        call = Call(endpoints.FILES, ids_in(folder))
        found = await listing(self._api, call, WireFile.model_validate)
        found.items.sort(key=lambda file: (file.created_at, file.id))
        return found


def _is_copy_name(given: str, wanted: str) -> bool:
    """Frame.io may number a name that is taken: `a.mov` becomes `a (1).mov`."""
    stem, suffix = Path(wanted).stem, Path(wanted).suffix
    pattern = rf"{re.escape(stem)} \(\d+\){re.escape(suffix)}"
    return re.fullmatch(pattern, given) is not None


def _ids(account_id: str, file_id: str) -> dict[str, str]:
    return {"account_id": account_id, "file_id": file_id}


def _named(name: str, **more: str | int) -> dict[str, dict[str, str | int]]:
    name = nfc(name)
    check_name(name)
    return {"data": {"name": name, **more}}
