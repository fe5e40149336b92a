"""What goes into the ledger and what it hands out, as frozen types."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field, computed_field

from postflow.language import N_, _
from postflow.models import Folder, FrozenModel, MediaFile, UploadPart

from .process import host_of
from .states import AttemptOutcome, MessageState, ObservationState, Phase, State

IF_REFUSED = N_(
    "Export it again, or mend what it says. If it is finished media, `postflow upload` sends it."
)


class Root(FrozenModel):
    """One watched folder of one studio; `mark` is what stays when it is mounted elsewhere."""

    id: int
    studio: str
    mark: str
    path: Path


class Observation(FrozenModel):
    """What the scans know of a path. `disk_path` is its spelling on disk; `relpath` is the key.

    It has been as it is since `since`, and was waited for since `waiting_since`, which spans
    changes until it was known to be whole. `refused`: time alone does not make it so.
    """

    relpath: str
    disk_path: str
    size: int
    mtime_ns: int
    state: ObservationState
    since: datetime
    waiting_since: datetime
    gone_at: datetime | None
    note: str | None
    refused: bool
    root_id: int = Field(exclude=True)
    wish: str | None = Field(default=None, exclude=True)

    @property
    def hint(self) -> str | None:
        return _(IF_REFUSED) if self.refused else None


class Target(FrozenModel):
    """Where a clip goes in Frame.io. `version_key`: equal for versions that mean the same.

    `sequence`: whose role waits for it.
    """

    account_id: str
    project_id: str
    folder_id: str
    folder: str
    stack: str
    version_number: int | None = None
    version_key: str | None = None
    sequence: str | None = None


class Attempt(FrozenModel):
    """One upload request. `exposure` tells the URL that was given out, without giving it away."""

    number: int
    way: str
    exposure: str | None
    intended_at: datetime
    file_id: str | None
    outcome: AttemptOutcome
    closed_at: datetime | None


class StoredPart(FrozenModel):
    """A part of an unfinished direct upload. Once it has arrived, `mtime_ns` is the mtime that the
    file had then, and `etag` what the store calls it, if anything.
    """

    part: UploadPart
    etag: str | None
    mtime_ns: int | None


class ClaimRef(FrozenModel):
    """Which claim is meant, and where its run finds the clip's folder."""

    clip_id: int
    run_id: str
    token: int
    root: Path


class Claimed(FrozenModel):
    """A clip in the hands of one run. A write that shows an outdated `token` is refused.

    `root` is where the run finds the clip's folder. With a `finished_at` the clip was told of as
    delivered, and only its stack is left to do. `cancelled`: how somebody stopped it.
    """

    clip_id: int
    run_id: str
    token: int
    studio: str
    root: Path
    relpath: str
    disk_path: str
    name: str
    revision: str
    size: int
    mtime_ns: int
    fingerprint: str
    doubt: str | None = None
    state: State
    tries: int
    finished_at: datetime | None
    account_id: str | None
    project_id: str | None
    folder_id: str | None
    folder: str | None
    stack: str | None
    version_number: int | None
    version_key: str | None
    sequence: str | None = None
    file_id: str | None
    view_url: str | None
    stack_id: str | None
    batch_id: int | None
    cancelled: str | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def ref(self) -> ClaimRef:
        return ClaimRef(clip_id=self.clip_id, run_id=self.run_id, token=self.token, root=self.root)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.root / self.disk_path

    @property
    def media(self) -> MediaFile:
        """The file as it was when it was found whole."""
        return MediaFile(
            path=self.path,
            size=self.size,
            mtime_ns=self.mtime_ns,
            fingerprint=self.fingerprint,
            doubt=self.doubt,
        )

    @property
    def destination(self) -> Folder:
        """Where in Frame.io it goes, once it has begun to travel."""
        return Folder.model_validate(
            {
                "id": self.folder_id,
                "account_id": self.account_id,
                "project_id": self.project_id,
                "path": (self.folder or "").split("/"),
            }
        )


class Progress(FrozenModel):
    """How far a clip on its way has come, in bytes, bytes a second and seconds, as far as is known.

    `rate` and `seconds` are None where nothing was heard of it for a while.
    """

    sent: int
    left: int
    rate: float | None
    seconds: float | None


class Clip(FrozenModel):
    """A clip as `postflow status` shows it. `root` is the folder that `relpath` lies below; `way`
    how it was sent, or is being sent: tunnel, direct, or adopted. `machine`: its run's.
    """

    id: int
    studio: str
    root: str | None = None
    root_id: int = Field(exclude=True)
    relpath: str
    disk_path: str = Field(exclude=True)
    name: str
    revision: str
    size: int
    doubt: str | None = None
    state: State
    phase: Phase
    found_at: datetime
    since: datetime
    started_at: datetime | None
    finished_at: datetime | None
    run_id: str | None
    tries: int
    not_before: datetime | None
    reason: str | None
    hint: str | None
    code: str | None
    folder: str | None
    stack: str | None
    version_number: int | None
    file_id: str | None
    view_url: str | None
    way: str | None = None
    machine: str | None = Field(default=None, exclude=True)
    priority: int = 0
    cancelled: str | None = None
    progress: Progress | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def host(self) -> str | None:
        """Which carries it just now."""
        is_carried = self.phase is Phase.ON_ITS_WAY
        return host_of(self.machine) if self.machine and is_carried else None


class Step(FrozenModel):
    """One line of the history: what happened to a clip, when, by which run."""

    clip_id: int
    at: datetime
    event: str
    was: State | None
    now: State
    run_id: str | None
    token: int
    detail: dict[str, Any] | None


class Announcement(FrozenModel):
    """What a channel is to show. One key is one message, whatever it says later."""

    key: str
    channel: str
    payload: dict[str, Any]


class Message(FrozenModel):
    """An announcement in the outbox. With a `message_id` it is an edit, else a new post.

    While it is sent: the name of the `thread` it belongs in, and that one's id where it is known.
    """

    key: str
    channel: str
    clip_id: int | None
    payload: dict[str, Any]
    wanted: int
    message_id: str | None
    state: MessageState
    run_id: str | None
    token: int
    tries: int
    not_before: datetime | None
    made_at: datetime
    since: datetime
    reason: str | None
    hint: str | None
    code: str | None
    thread: str | None = None
    thread_id: str | None = None


class Unannounced(FrozenModel):
    """A message that is not in its channel, or may not be. `about`: a clip's path, or its title."""

    key: str
    channel: str
    state: MessageState
    since: datetime
    reason: str | None
    hint: str | None
    code: str | None
    about: str
