"""What Frame.io answers, as far as we read it.

New keys and new values are no fault, and of the known ones only those are required without which
there is nothing to be done: what else is missing, null or odd is None or empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import accumulate
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    WrapValidator,
)

from postflow.http import demand_private
from postflow.language import N_, Bytes
from postflow.models import Project, RemoteFile, UploadPart

T = TypeVar("T")

_VIEWER = "https://next.frame.io"


def _private(url: SecretStr) -> SecretStr:
    demand_private(url.get_secret_value())
    return url


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def or_else(instead: Any) -> WrapValidator:
    """What cannot be read counts as `instead`."""

    def read(value: Any, reader: Callable[[Any], Any]) -> Any:
        try:
            return reader(value)
        except ValidationError:
            return instead

    return WrapValidator(read)


Text = Annotated[str, or_else("")]
Size = Annotated[int | None, or_else(None)]
Flag = Annotated[bool, or_else(False)]
Time = Annotated[datetime | None, or_else(None)]
Instant = Annotated[datetime, AfterValidator(_aware)]
Id = Annotated[str | None, or_else(None)]


class Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Named(Wire):
    """What there is to say of a thing that cannot be read."""

    id: Text = ""
    name: Text = ""
    type: Text = ""


class Profile(Wire):
    """Who is signed in."""

    id: str
    name: Text = ""
    email: Text = ""


class Account(Wire):
    id: str
    name: Text = Field(default="", alias="display_name")
    storage_usage: Annotated[int, or_else(0)] = 0
    storage_limit: Size = None

    @property
    def room(self) -> str:
        """How much of its storage is used, in words."""
        used = Bytes(self.storage_usage)
        if self.storage_limit is None:
            return N_("{used} used, without a limit", used=used)
        return N_("{used} of {all} used", used=used, all=Bytes(self.storage_limit))

    def has_room_for(self, size: int) -> bool:
        return self.storage_limit is None or self.storage_usage + size <= self.storage_limit


class Workspace(Wire):
    id: str
    name: Text = ""


class WireProject(Wire):
    id: str
    name: Text = ""
    workspace_id: Text = ""
    root_folder_id: str
    status: Text = "active"

    def project(self, account_id: str) -> Project:
        return Project(
            id=self.id,
            name=self.name,
            account_id=account_id,
            workspace_id=self.workspace_id,
            root_folder_id=self.root_folder_id,
        )


class _Asset(Wire):
    """`created_at` tells old from new, and so what is ours."""

    id: str
    name: str
    parent_id: Id = None
    project_id: Text = ""
    view_url: Text = ""
    created_at: Instant

    @property
    def link(self) -> str:
        return self.view_url or f"{_VIEWER}/project/{self.project_id}/view/{self.id}"


class WireFolder(_Asset):
    """A folder as Frame.io tells of it."""


class WireFile(_Asset):
    file_size: Size = None
    status: Text = ""

    def remote(self, account_id: str) -> RemoteFile:
        """Inside a version stack, `folder_id` is the stack's id."""
        return RemoteFile(
            id=self.id,
            account_id=account_id,
            project_id=self.project_id,
            folder_id=self.parent_id or "",
            name=self.name,
            size=self.file_size,
            status=self.status,
            view_url=self.link,
            created_at=self.created_at,
        )


class WirePart(Wire):
    size: int
    url: Annotated[SecretStr, AfterValidator(_private)]


class WirePlaceholder(WireFile):
    media_type: Id = None
    upload_urls: Annotated[tuple[WirePart, ...], or_else(())] = ()

    @property
    def parts(self) -> tuple[UploadPart, ...]:
        """In their order; each begins where the last one ends."""
        starts = accumulate((part.size for part in self.upload_urls), initial=0)
        return tuple(
            UploadPart(number=number, start=start, size=part.size, url=part.url)
            for number, (start, part) in enumerate(zip(starts, self.upload_urls, strict=False), 1)
        )


class WireStack(_Asset):
    head_version: Annotated[WireFile | None, or_else(None)] = None


Child = WireFile | WireFolder | WireStack

_KINDS: Mapping[str, type[Child]] = {
    "file": WireFile,
    "folder": WireFolder,
    "version_stack": WireStack,
}


def read_child(raw: Any) -> Child:
    """One thing of a folder. Raises ValueError for what is no kind that we know."""
    kind = Named.model_validate(raw).type
    if kind not in _KINDS:
        raise ValueError(f"unknown type {kind!r}")
    return _KINDS[kind].model_validate(raw)


class WireShare(Wire):
    """`short_url` and `passphrase` let anybody in who knows them."""

    id: str
    name: Text = ""
    enabled: Annotated[bool, or_else(True)] = True
    short_url: Annotated[SecretStr | None, or_else(None)] = None
    passphrase: Annotated[SecretStr | None, or_else(None)] = None
    expiration: Time = None
    created_at: Instant


class WireAdded(Wire):
    """A share that something was added to."""

    id: str


class WireUser(Wire):
    name: Text = ""
    email: Text = ""


class Activity(Wire):
    """Somebody did something with a share link. `asset_id` is None where it is the whole share."""

    type: Text = ""
    inserted_at: Instant
    asset_id: Id = None
    user: Annotated[WireUser | None, or_else(None)] = None


class UploadStatus(Wire):
    """How far Frame.io is with fetching a file."""

    upload_complete: Flag = False
    upload_failed: Flag = False
    upload_completed_at: Time = None

    @property
    def complete(self) -> bool:
        return self.upload_complete or self.upload_completed_at is not None

    @property
    def failed(self) -> bool:
        return self.upload_failed and not self.complete


class Nothing(Wire):
    """An answer without content, or whose content we do not read."""


class One(Wire, Generic[T]):
    data: T


class Links(Wire):
    next: str | None = None


class Page(Wire):
    """Its items are read one by one: an odd one does not spoil the others."""

    data: tuple[Any, ...]
    links: Links | None = None


class Source(Wire):
    pointer: str = ""


class Problem(Wire):
    detail: str
    source: Source | None = None


class Problems(Wire):
    errors: tuple[Problem, ...]
