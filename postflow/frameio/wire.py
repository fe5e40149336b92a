"""What Frame.io answers, as far as we read it. New keys are no fault; missing ones are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from postflow.models import Folder, Project, RemoteFile, RemoteStatus

T = TypeVar("T")


class Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Profile(Wire):
    """Who is signed in."""

    id: str
    name: str
    email: str


class Account(Wire):
    id: str
    display_name: str
    roles: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.display_name


class Workspace(Wire):
    id: str
    name: str
    account_id: str


class WireProject(Wire):
    id: str
    name: str
    workspace_id: str
    root_folder_id: str
    status: str = "active"

    def project(self, account_id: str) -> Project:
        return Project(
            id=self.id,
            name=self.name,
            account_id=account_id,
            workspace_id=self.workspace_id,
            root_folder_id=self.root_folder_id,
        )


class _Asset(Wire):
    id: str
    name: str
    parent_id: str | None = None
    project_id: str
    view_url: str
    created_at: datetime


class WireFolder(_Asset):
    type: Literal["folder"] = "folder"

    def folder(self, account_id: str, path: tuple[str, ...]) -> Folder:
        return Folder(id=self.id, account_id=account_id, project_id=self.project_id, path=path)


class MediaLink(Wire):
    """Signed addresses: whoever knows one can read the media while it is valid."""

    url: SecretStr | None = None
    inline_url: SecretStr | None = None
    download_url: SecretStr | None = None


class MediaLinks(Wire):
    """None where the rendition does not exist (yet), or was not asked for."""

    original: MediaLink | None = None
    thumbnail: MediaLink | None = None
    thumbnail_high_quality: MediaLink | None = None
    video_h264_180: MediaLink | None = None
    efficient: MediaLink | None = None
    high_quality: MediaLink | None = None
    scrub_sheet: MediaLink | None = None


class WireFile(_Asset):
    type: Literal["file"] = "file"
    file_size: int | None = None
    status: RemoteStatus
    media_links: MediaLinks | None = None

    def remote(self, account_id: str) -> RemoteFile:
        """Inside a version stack, `folder_id` is the stack's id."""
        return RemoteFile(
            id=self.id,
            account_id=account_id,
            project_id=self.project_id,
            folder_id=self.parent_id or "",
            name=self.name,
            size=self.file_size or 0,
            status=self.status,
            view_url=self.view_url,
            created_at=self.created_at,
        )


class WireStack(_Asset):
    type: Literal["version_stack"] = "version_stack"
    head_version: WireFile | None = None


Child = Annotated[WireFile | WireFolder | WireStack, Field(discriminator="type")]


class UploadStatus(Wire):
    """How far Frame.io is with fetching a file."""

    id: str
    complete: bool = Field(alias="upload_complete")
    failed: bool = Field(alias="upload_failed")
    started_at: datetime | None = Field(default=None, alias="uploaded_at")
    completed_at: datetime | None = Field(default=None, alias="upload_completed_at")


class Nothing(Wire):
    """An answer without content, or whose content we do not read."""


class One(Wire, Generic[T]):
    data: T


class Links(Wire):
    next: str | None = None


class Page(Wire, Generic[T]):
    data: tuple[T, ...]
    links: Links = Links()


class Source(Wire):
    pointer: str = ""


class Problem(Wire):
    detail: str
    title: str | None = None
    source: Source | None = None


class Problems(Wire):
    errors: tuple[Problem, ...]
