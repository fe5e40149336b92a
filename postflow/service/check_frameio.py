"""What `check` asks of Adobe and Frame.io."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing

from postflow.blocks.adobe import BlockTokenStore
from postflow.blocks.studio import Studio
from postflow.errors import Fatal
from postflow.frameio import FrameioClient
from postflow.frameio.auth.ims import USER_SCOPES
from postflow.frameio.auth.sign_in import why_to_sign_in
from postflow.frameio.models import Account
from postflow.frameio.parts import PartRetries, PartStore
from postflow.language import N_
from postflow.models import Folder, Project

from .exposure import Say

Chain = dict[str, Callable[[], Awaitable[Say]]]
NEARLY_FULL = 0.9
SAMPLE = b"PostFlow" * 512
TWICE = PartRetries(attempts=2)


class FrameioCheck:
    """Sign-in, scopes, account, project and the right to write, each on top of the last."""

    def __init__(self, studio: Studio, stack: AsyncExitStack) -> None:
        self._studio = studio
        self._stack = stack
        self._client: FrameioClient
        self._accounts: list[Account] = []
        self._project: Project | None = None

    def chain(self) -> Chain:
        chain: Chain = {
            N_("Adobe sign-in"): self._sign_in,
            N_("Adobe scopes"): lambda: _scopes(self._studio),
            N_("Frame.io user"): self._user,
            N_("Frame.io account"): self._account,
            N_("Frame.io workspace"): self._workspace,
            N_("Frame.io project"): self._find_project,
            N_("Frame.io storage"): self._storage,
            N_("Frame.io write access"): self._write,
        }
        if self._studio.transfer != "tunnel":
            chain[N_("Frame.io direct upload")] = self._send
        return chain

    async def _sign_in(self) -> Say:
        source = self._studio.adobe.get_client()
        await source.token()
        client = self._studio.frameio.get_client(source)
        self._client = await self._stack.enter_async_context(client)
        if soon := await why_to_sign_in(source):
            return (soon.message, soon.hint)
        begins = self._studio.adobe.client_id[:6]
        return N_("an access token for credential {begins}…", begins=begins)

    async def _user(self) -> Say:
        profile = await self._client.accounts.me()
        return f"{profile.name} ({profile.email})"

    async def _account(self) -> Say:
        self._accounts = await self._client.accounts.all()
        if not self._accounts:
            raise Fatal(
                N_("The signed-in user belongs to no Frame.io account."),
                hint=N_("Let an administrator of the account invite the user in Frame.io."),
                code="frameio.no_account",
            )
        return ", ".join(account.name for account in self._accounts)

    async def _workspace(self) -> Say:
        rooms = [
            room
            for home in self._accounts
            for room in await self._client.accounts.workspaces(home.id)
        ]
        return ", ".join(room.name for room in rooms) or N_("none that the user can list")

    async def _find_project(self) -> Say:
        at = self._studio.frameio
        self._project = await self._client.projects.find(at.project, at.account, at.workspace)
        return N_("{name}, id {id}", name=self._project.name, id=self._project.id)

    async def _storage(self) -> Say:
        """How full the account is that the project is in."""
        at = self._project and self._project.account_id
        home = next((each for each in self._accounts if each.id == at), None)
        if home is None:
            return N_("its account does not say")
        limit = home.storage_limit
        if limit is not None and home.storage_usage >= NEARLY_FULL * limit:
            return (
                N_("{room}: what does not fit is refused", room=home.room),
                N_("Free room in the account, or buy more storage."),
            )
        return home.room

    async def _write(self) -> Say:
        async with self._folder():
            return N_("a folder could be made, and was removed")

    async def _send(self) -> Say:
        """To the store behind Frame.io, which this network may not let through."""
        async with self._folder() as folder:
            made = await self._client.files.local_upload(
                folder, "postflow-check.mov", len(SAMPLE), known=frozenset()
            )
            with closing(PartStore(made.media_type, "video/quicktime", retries=TWICE)) as store:
                sending = asyncio.to_thread(store.put, made.parts[0], lambda: iter([SAMPLE]))
                receipt = await sending
        if receipt.is_proven:
            return N_("a small file was taken with its checksum, and was removed")
        return N_("a small file was taken without a checksum, and was removed")

    def _folder(self) -> AbstractAsyncContextManager[Folder]:
        assert self._project
        return self._client.folder_of_our_own(self._project)


async def _scopes(studio: Studio) -> Say:
    if studio.adobe.get_credential().is_service:
        return N_("server-to-server, by the Admin Console")
    tokens = await BlockTokenStore(studio.adobe.document_name).load()
    granted = set(tokens.scopes) if tokens else set()
    if not granted:
        return (
            N_("Adobe did not say what it granted"),
            N_("Should Frame.io answer 401, sign in again."),
        )
    missing = [scope for scope in USER_SCOPES if scope not in granted]
    if "additional_info.roles" in missing:
        raise Fatal(
            N_("The sign-in lacks the scope additional_info.roles, so Frame.io answers 401."),
            hint=N_("Enable it on the Adobe credential, then `postflow login` again."),
            code="adobe.scopes",
        )
    if missing:
        lacking = N_("not granted: {scopes}", scopes=", ".join(missing))
        return lacking, N_("Enable them on the Adobe credential, then `postflow login` again.")
    return N_("all granted")
