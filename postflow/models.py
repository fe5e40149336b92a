"""What is known of a clip, one frozen type for each moment of its journey."""

from __future__ import annotations

import mimetypes
import os
import unicodedata
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Generic, Literal, TypeVar

import xxhash
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from .language import N_

CONTENT_TYPES = {
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".mxf": "application/mxf",
    ".avi": "video/x-msvideo",
    ".mkv": "video/x-matroska",
}

SUFFIXES = tuple(CONTENT_TYPES)

BYTES_ARE_IN = frozenset({"uploaded", "transcoded"})
"""What Frame.io calls a file that it holds; of an unknown word only the upload's status tells."""

Transfer = Literal["auto", "tunnel", "direct"]
"""How clips get to Frame.io: `auto` goes through the tunnel where one is set up, and directly where
there is none, where none can be had just now, and above the 50 GB that Frame.io fetches.
"""

# In one share link of Frame.io.
MOST_ASSETS = 100

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nfc(name: str) -> str:
    """As our keys have it, and as we send it: macOS writes names decomposed, others composed."""
    return unicodedata.normalize("NFC", name)


def is_clip(name: Path | str) -> bool:
    """Is it a kind of file that PostFlow delivers, by its suffix?"""
    return os.fspath(name).lower().endswith(SUFFIXES)


class FrozenModel(BaseModel):
    """A fact that does not change any more."""

    model_config = ConfigDict(frozen=True, extra="forbid")


T = TypeVar("T")


class Once(Generic[T]):
    """What lasts at present, so that a person is told of each once while it does."""

    def __init__(self) -> None:
        self.lasting: dict[T, object] = {}

    def begins(self, what: T, how: object = None) -> bool:
        """Does it last from now on, and did not so far, or in another way?"""
        is_new = what not in self.lasting or self.lasting[what] != how
        self.lasting[what] = how
        return is_new

    def ends(self, *what: T) -> bool:
        """Did any of these last? None does from now on."""
        lasted = [each for each in what if each in self.lasting]
        for each in lasted:
            del self.lasting[each]
        return bool(lasted)

    def new(self, current: Collection[T]) -> list[T]:
        """The ones of `current` that did not last so far; nothing else lasts from now on."""
        begun = [each for each in current if each not in self.lasting]
        self.lasting = dict.fromkeys(current)
        return begun


class MediaFile(FrozenModel):
    """A file on disk as it was when looked at. Size in bytes, mtime in nanoseconds since 1970.

    `fingerprint` is that of its pictures and its sound, where they could be told from the `rest`.
    `doubt`: what is odd about it, completing the sentence "The file …".
    """

    path: Path
    size: int
    mtime_ns: int
    fingerprint: str
    rest: str = ""
    doubt: str | None = None

    @property
    def name(self) -> str:
        """The file's name, in NFC as Frame.io and our keys have it."""
        return nfc(self.path.name)

    @property
    def modified(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.mtime_ns // 1000)

    @property
    def content_type(self) -> str:
        suffix = self.path.suffix.lower()
        guess = CONTENT_TYPES.get(suffix) or mimetypes.guess_type(self.path.name)[0]
        return guess or "application/octet-stream"

    @cached_property
    def revision(self) -> str:
        """Equal for equal name and content; a new mtime or new metadata is the same revision."""
        key = f"{self.name}\0{self.fingerprint}"
        return xxhash.xxh3_128_hexdigest(key.encode(errors="surrogateescape"))


class Shot(FrozenModel):
    """What a file's name means and where it goes."""

    file_name: str
    rule: str
    project_code: str | None = None
    sequence: str | None = None
    shot: str | None = None
    version: str | None = None
    version_number: int | None = None
    folder: tuple[str, ...]
    stack: str

    @property
    def shot_name(self) -> str | None:
        """As people call it: UNDLM_00152."""
        return f"{self.project_code}_{self.shot}" if self.shot and self.project_code else self.shot


class Project(FrozenModel):
    """A Frame.io project, and the account it lives in."""

    id: str
    name: str
    account_id: str
    workspace_id: str
    root_folder_id: str


class Folder(FrozenModel):
    """A Frame.io folder, and its path below the project's root."""

    id: str
    account_id: str
    project_id: str
    path: tuple[str, ...]

    @property
    def label(self) -> str:
        return "/".join(self.path)


class Exposure(FrozenModel):
    """A file made fetchable. Whoever knows the URL can read the file, so it is a secret."""

    id: str
    url: SecretStr


class RemoteFile(FrozenModel):
    """A Frame.io file. Size in bytes as Frame.io states it, None where it does not.

    `status` is created (no bytes yet), uploaded, transcoded, or a word that Frame.io adds later.
    """

    id: str
    account_id: str
    project_id: str
    folder_id: str
    name: str
    size: int | None
    status: str
    view_url: str
    created_at: datetime


class UploadPart(FrozenModel):
    """A piece of a file, and where it is to be PUT: whoever knows the URL can write it.

    Numbered from 1; `start` and `size` in bytes.
    """

    number: int
    start: int
    size: int
    url: SecretStr

    @property
    def stop(self) -> int:
        return self.start + self.size


Way = Literal["tunnel", "direct"]
"""How a clip's bytes get to Frame.io: fetched from us through a tunnel, or sent by us."""


IN_WORDS: dict[str, str] = {"tunnel": N_("through the tunnel"), "direct": N_("directly")}


class Placeholder(FrozenModel):
    """A file that Frame.io has made, and the parts that are to fill it."""

    remote: RemoteFile
    parts: tuple[UploadPart, ...]
    media_type: str | None = None


class Arrival(FrozenModel):
    """A file that was whole in Frame.io `at` a time. `adopted`: it was there before we asked.

    `alone`: no other version of the clip was in its folder. `way`: how it got there, where we sent
    it; `detour`: why it did not go through the tunnel that is set up.
    """

    media: MediaFile
    folder: Folder
    remote: RemoteFile
    adopted: bool
    alone: bool
    at: datetime
    way: Way | None = None
    detour: str | None = None


class Delivery(FrozenModel):
    """The end of the journey. `stack_follows`: it is put on its version stack later."""

    success: Literal[True] = True
    media: MediaFile
    shot: Shot
    folder: Folder
    remote: RemoteFile
    adopted: bool = False
    way: Way | None = None
    detour: str | None = None
    stack_id: str | None = None
    stack_follows: bool = False
    started: datetime
    finished: datetime

    @property
    def view_url(self) -> str:
        return self.remote.view_url

    @property
    def file_id(self) -> str:
        return self.remote.id

    @property
    def folder_id(self) -> str:
        return self.folder.id

    @property
    def project_id(self) -> str:
        return self.remote.project_id


class UploadResult(FrozenModel):
    """What `upload_file_to_frameio` answers: the ids and the link, or the error and its remedy.

    `not_told`: why Discord did not get the message, or may not have got it.
    """

    success: bool
    view_url: str | None = None
    file_id: str | None = None
    folder_id: str | None = None
    project_id: str | None = None
    error: str | None = None
    hint: str | None = None
    code: str | None = None
    not_told: str | None = None


class Drained(FrozenModel):
    """What an ingest run came to: file names with their link, or why they did not arrive.

    `not_told`: what Discord did not get, or may not have got, and why.
    """

    delivered: dict[str, str]
    failed: dict[str, str]
    put_off: dict[str, str]
    skipped: dict[str, str]
    not_told: dict[str, str] = Field(default_factory=dict)
