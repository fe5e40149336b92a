"""The studio's volume: what its people do there, and what each file held at which time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryFile

from postflow.media.probe import fingerprint
from postflow.sandbox.clips import clip_path
from tests.crash.studio_life.script import Batch, Content, Export, Removal, Stray

BURSTS = 3


@dataclass(frozen=True)
class Revision:
    """One finished export."""

    export: Export
    size: int
    sha256: str
    fingerprint: str

    @property
    def relpath(self) -> str:
        return self.export.relpath

    @property
    def path_in_frameio(self) -> str:
        return f"{self.export.clip.folder}/{self.export.clip.name}"


@dataclass
class SlowWriter:
    """An encoder at work: it has written `done` bytes of `data`."""

    export: Export
    path: Path
    data: bytes
    done: int = 0


@dataclass
class Volume:
    """`root` is where PostFlow looks for it. `staging` is on the same disk, and not watched."""

    root: Path
    staging: Path
    revisions: list[Revision] = field(default_factory=list)
    standing: dict[str, Revision] = field(default_factory=dict)
    misnamed: set[str] = field(default_factory=set)
    encoders: list[SlowWriter] = field(default_factory=list)
    _away: Path | None = None

    @property
    def here(self) -> Path:
        """Where the files are, whether PostFlow sees them or not."""
        return self._away or self.root

    def leave(self) -> None:
        if self._away is None:
            self._away = self.root.rename(self.root.with_name("away"))

    def come_back(self) -> None:
        if self._away is not None:
            self._away.rename(self.root)
            self._away = None

    def export(self, export: Export) -> None:
        if any(each.export.relpath == export.relpath for each in self.encoders):
            return  # nobody exports over a file that an encoder is writing
        data = bytes_of(export.content)
        if export.way == "slow" and export.relpath not in self.standing:
            path = self._at(export.relpath)
            path.touch()
            self.encoders.append(SlowWriter(export, path.relative_to(self.here), data))
        elif export.way == "in place":
            self._at(export.relpath).write_bytes(data)
            self._finished(export, data)
        else:
            self._staged(data).rename(self._at(export.relpath))
            self._finished(export, data)

    def move_in(self, batch: Batch) -> None:
        """The whole folder in one stroke, where it is not there yet."""
        if (self.here / batch.folder).exists():
            for export in batch.exports:
                self.export(export)
            return
        folder = self.staging / "folder"
        folder.mkdir()
        for export in batch.exports:
            (folder / export.clip.name).write_bytes(bytes_of(export.content))
        folder.rename(self._at(batch.folder))
        for export in batch.exports:
            self._finished(export, bytes_of(export.content))

    def encode(self, share: float) -> None:
        """The encoders come as far as they get until that share of the hour, in a few bursts."""
        for encoder in list(self.encoders):
            began, ends = encoder.export.at, encoder.export.until
            part = 1.0 if share >= ends else (share - began) / max(ends - began, 1e-9)
            burst = int(part * BURSTS) / BURSTS
            upto = int(len(encoder.data) * burst)
            if upto <= encoder.done:
                continue
            with (self.here / encoder.path).open("ab") as file:
                file.write(encoder.data[encoder.done : upto])
            encoder.done = upto
            if upto == len(encoder.data):
                self.encoders.remove(encoder)
                self._finished(encoder.export, encoder.data)

    def litter(self, stray: Stray) -> None:
        data = bytes_of(stray.content)
        self._staged(data[: int(len(data) * stray.kept)]).rename(self._at(stray.name))
        if stray.misnamed:
            self.misnamed.add(stray.name)

    def remove(self, removal: Removal) -> None:
        if self.standing.pop(removal.relpath, None):
            (self.here / removal.relpath).unlink()

    def _at(self, relpath: str) -> Path:
        path = self.here / relpath
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _staged(self, data: bytes) -> Path:
        path = self.staging / "file"
        path.write_bytes(data)
        return path

    def _finished(self, export: Export, data: bytes) -> None:
        revision = Revision(
            export=export,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            fingerprint=_fingerprint(data),
        )
        self.revisions.append(revision)
        self.standing[export.relpath] = revision


def bytes_of(content: Content) -> bytes:
    """The shipped clip and one more `mdat` atom; cut anywhere, it is no whole file."""
    noise = Random(content.salt).randbytes(content.pad)
    return _clip() + (8 + content.pad).to_bytes(4) + b"mdat" + noise


def _fingerprint(data: bytes) -> str:
    with TemporaryFile() as file:
        file.write(data)
        file.flush()
        return fingerprint(file.fileno(), len(data), ".mov").essence


@cache
def _clip() -> bytes:
    return clip_path().read_bytes()
