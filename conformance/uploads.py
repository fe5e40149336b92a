"""First half of the journey: places, folders, and the two ways for a file to come in."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from frameio import Frameio, files, folders, projects, types
from frameio.auth import ServerToServerAuth
from frameio.upload import FrameioUploader
from witness import Witness

LARGE_BYTES = 60 * 10**6
PATIENCE = 30.0
CROWD = 101


class UploadFailed(Exception):
    """The status says so."""


def until(question: Callable[[], bool]) -> bool:
    """Ask until it is so; False after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.25)
    return True


class Uploads:
    """Steps that take the SDK to files that are there."""

    def __init__(self, world: dict[str, Any], witness: Witness, folder: Path) -> None:
        self.world = world
        self.witness = witness
        self.folder = folder
        self.account = world["account_id"]
        auth = ServerToServerAuth(
            client_id=world["client_id"],
            client_secret=world["client_secret"],
            ims_base_url=world["url"],
        )
        self.sdk = Frameio(base_url=world["url"], token=auth.get_token, httpx_client=witness.http)

    def places(self) -> None:
        see, sdk = self.witness.see, self.sdk
        me = see("sign in server to server, GET /me", types.ProfileResponse, sdk.users.show)
        self.witness.check("the profile is the service account", bool(me.data.id), me.data.name)
        accounts = see("list accounts", types.AccountsResponse, lambda: [*sdk.accounts.index()])
        self.witness.check("the account is ours", [a.id for a in accounts] == [self.account])
        see(
            "list workspaces",
            types.WorkspacesWithIncludesResponse,
            lambda: [*sdk.workspaces.index(self.account, include="creator")],
        )
        workspace = self.world["workspace_id"]
        see(
            "list projects of the workspace",
            types.ProjectsWithIncludesResponse,
            lambda: [*sdk.projects.index(self.account, workspace, include="owner")],
        )
        listed = see(
            "list projects of the account",
            types.ProjectsWithIncludesResponse,
            lambda: [*sdk.projects.account_projects_index(self.account)],
        )
        self.witness.check(
            "the project is there", self.world["project_id"] in {p.id for p in listed}
        )
        see(
            "create a project",
            types.ProjectResponse,
            lambda: sdk.projects.create(
                self.account, workspace, data=projects.ProjectParamsData(name="Conformance")
            ),
        )
        see(
            "show a project",
            types.ProjectWithIncludesResponse,
            lambda: sdk.projects.show(self.account, self.world["project_id"], include="owner"),
        )

    def make_folder(self, parent: str, name: str) -> str:
        made = self.witness.see(
            f"create folder {name}",
            types.FolderResponse,
            lambda: self._create_folder(parent, name),
        )
        return made.data.id

    def _create_folder(self, parent: str, name: str) -> Any:
        data = folders.FolderCreateParamsData(name=name)
        return self.sdk.folders.create(self.account, parent, data=data)

    def folders(self, folder: str) -> None:
        see, sdk = self.witness.see, self.sdk
        other = self.make_folder(folder, "elsewhere")
        see(
            "rename a folder",
            types.FolderResponse,
            lambda: sdk.folders.update(
                self.account, other, data=folders.FolderUpdateParamsData(name="archive")
            ),
        )
        see(
            "move a folder",
            types.FolderResponse,
            lambda: sdk.folders.move(
                self.account,
                other,
                data=folders.FolderMoveParamsData(parent_id=self.world["root_folder_id"]),
            ),
        )
        see(
            "show a folder",
            types.FolderWithIncludesResponse,
            lambda: sdk.folders.show(self.account, other, include="creator"),
        )
        see("delete a folder", None, lambda: sdk.folders.delete(self.account, other))

    def remote_upload(self, folder: str, source: str, name: str) -> str:
        file = self.witness.see(
            f"remote_upload {name}",
            types.FileRemoteUploadResponse,
            lambda: self.sdk.files.create_remote_upload(
                self.account,
                folder,
                data=files.FileCreateRemoteUploadParamsData(name=name, source_url=source),
            ),
        )
        return file.data.id

    def follow(self, file: str, name: str, size: int) -> None:
        """Poll the two places that tell of an upload until it is transcoded."""
        complete = self.witness.see(
            f"status of {name} until complete",
            types.FileUploadStatusResponse,
            lambda: until(lambda: self.upload_complete(file)),
        )
        self.witness.check(f"{name} is complete", complete)
        ready = self.witness.see(
            f"show {name} until transcoded",
            types.FileWithIncludesResponse,
            lambda: until(lambda: self.show(file).status == "transcoded"),
        )
        self.witness.check(f"{name} is transcoded", ready)
        self.witness.check(f"{name} has its size", self.show(file).file_size == size, size)

    def upload_complete(self, file: str) -> bool:
        status = self.sdk.files.show_file_upload_status(self.account, file).data
        if status.upload_failed:
            raise UploadFailed(file)
        return bool(status.upload_complete)

    def show(self, file: str) -> Any:
        return self.sdk.files.show(
            self.account, file, include="media_links.original,media_links.thumbnail,creator,project"
        ).data

    def pages(self, folder: str, names: set[str]) -> None:
        """Children over three pages: two of two, and one of the rest."""
        found = self.witness.see(
            "children over 3 pages",
            types.FolderAssetsWithIncludesResponse,
            lambda: self.pages_of(folder),
        )
        self.witness.check("every child was listed once", sorted(found) == sorted(names), found)
        self.witness.check("it took 3 pages", self.page_count == 3, self.page_count)
        for label, model, listing in (
            ("files", types.FileAssetsWithIncludesResponse, self.sdk.files.list),
            ("folders", types.FoldersWithIncludesResponse, self.sdk.folders.list),
            (
                "version stacks",
                types.VersionStacksWithIncludesResponse,
                self.sdk.version_stacks.list,
            ),
        ):
            self.witness.see(
                f"list {label} of a folder", model, lambda ask=listing: [*ask(self.account, folder)]
            )

    def default_pages(self, folder: str) -> None:
        """The SDK's own pager, over 3 pages of the default size."""
        crowd = self.make_folder(folder, "crowd")
        wanted = [f"shot_{number:03}" for number in range(CROWD)]
        self.witness.see(
            f"create {CROWD} folders",
            types.FolderResponse,
            lambda: [self._create_folder(crowd, name) for name in wanted],
        )
        found = self.witness.see(
            "children over 3 pages, by the SDK's pager",
            types.FolderAssetsWithIncludesResponse,
            lambda: [asset.name for asset in self.sdk.folders.index(self.account, crowd)],
        )
        self.witness.check("the pager found all, in order", found == wanted, len(found))

    def pages_of(self, folder: str) -> list[str]:
        """The SDK's pager drops page_size after page 1, so we hand it on as Frame.io asks."""
        names: list[str] = []
        self.page_count, after = 0, None
        while True:
            page = self.sdk.folders.index(
                self.account, folder, page_size=2, after=after, include_total_count=True
            ).response
            self.page_count += 1
            names += [asset.name for asset in page.data]
            if page.links.next is None:
                return names
            after = httpx.URL(page.links.next).params["after"]

    def local_upload(self, folder: str) -> None:
        clip = self.folder / "large.mov"
        clip.write_bytes(os.urandom(LARGE_BYTES))
        created = self.witness.see(
            "local_upload of 60 MB: create",
            types.FileWithUploadUrlsResponse,
            lambda: self.sdk.files.create_local_upload(
                self.account,
                folder,
                data=files.FileCreateLocalUploadParamsData(name=clip.name, file_size=LARGE_BYTES),
            ),
        )
        self.witness.check("it has several parts", len(created.data.upload_urls) > 1)
        with clip.open("rb") as source:
            self.witness.see(
                "local_upload: PUT the parts", None, FrameioUploader(created.data, source).upload
            )
        self.follow(created.data.id, clip.name, LARGE_BYTES)
        original = self.show(created.data.id).media_links.original.inline_url
        sent = hashlib.sha256(clip.read_bytes()).hexdigest()
        came = hashlib.sha256(httpx.get(original).content).hexdigest()
        self.witness.check("the stored bytes are the sent ones", sent == came, came[:16])
