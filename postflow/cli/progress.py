"""Bars that move while Frame.io fetches."""

from __future__ import annotations

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from postflow.models import MediaFile
from postflow.outlet import Served
from postflow.service.console import err


class ClipBars:
    """One bar a clip: bytes, rate, time left. Give it to `open_studio(progress=…)`."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.fields[clip]}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=err,
        )
        self._of: dict[str, TaskID] = {}

    def __enter__(self) -> ClipBars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    async def __call__(self, media: MediaFile, served: Served) -> None:
        if media.name not in self._of:
            self._of[media.name] = self._bars.add_task("", total=served.total, clip=media.name)
        self._bars.update(self._of[media.name], completed=served.bytes_covered, total=served.total)
