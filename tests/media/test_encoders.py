"""Real encoders at work in a watched folder: some end, some are killed."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from postflow.folder.pending import PendingFiles, Ready
from postflow.folder.scanner import Scanner
from postflow.media.containers.reading import NotWhole, Whole
from postflow.media.containers.whole import verdict
from postflow.media.sighting import Scanned
from tests.media.clips import AAC, FORMATS, H264, command
from tests.support.marked import mark_root
from tests.support.wait import wait_until_sync

pytestmark = pytest.mark.slow

SECONDS = 5
QUIET = 0.3
SLOW = ("-b:v", "300k", "-maxrate", "300k", "-bufsize", "300k")
WRITERS = {
    name: (*FORMATS[name], *(SLOW if "prores" not in name else ()))
    for name in FORMATS
    if name not in ("opatom.mxf", "vp8.webm")
}
LIVE = {"streamed.mkv": (*H264, *AAC, *SLOW, "-live", "1")}

Encoders = dict[str, "subprocess.Popen[bytes]"]


@pytest.fixture
def root(tmp_path: Path, clip: Callable[[str], Path]) -> Path:
    """A watched folder; `clip` skips where there is no ffmpeg."""
    mark_root(tmp_path)
    return tmp_path


@pytest.fixture
def start(root: Path) -> Iterator[Callable[..., Encoders]]:
    """Start an encoder for each recipe, working at the speed of real time."""
    started: list[subprocess.Popen[bytes]] = []

    def start(recipes: dict[str, tuple[str, ...]], prefix: str, seconds: float) -> Encoders:
        encoders = {}
        for name, arguments in recipes.items():
            path = root / f"{prefix}{name}"
            line = command(arguments, path, seconds=seconds, live=True)
            encoders[path.name] = subprocess.Popen(["nice", *line])
            started.append(encoders[path.name])
        return encoders

    yield start
    for process in started:
        process.kill()
        process.wait()


class Watch:
    """Scanner and waiting room as they work together.

    `ready` maps a name to "had it its full size?".
    """

    def __init__(self, root: Path, encoders: Encoders) -> None:
        self.root = root
        self.encoders = encoders
        self.ready: dict[str, bool] = {}
        self.scanner = Scanner(root)
        self.room = PendingFiles(QUIET, longest_quiet=QUIET)

    def look_around(self) -> None:
        result = self.scanner.scan()
        assert isinstance(result, Scanned)
        for sighting in result.seen:
            if isinstance(self.room.observe(sighting, time.monotonic()), Ready):
                self.scanner.settle([sighting.relpath])
                process = self.encoders.get(sighting.relpath)
                self.ready[sighting.relpath] = process is not None and finishes(
                    process, sighting.path
                )

    def have_written(self, names: Iterable[str]) -> bool:
        self.look_around()
        return all(
            (self.root / name).exists() and size(self.root / name) > 30_000 for name in names
        )

    def are_ready(self, names: Iterable[str]) -> bool:
        self.look_around()
        return self.ready.keys() >= set(names)


def test_a_clip_is_ready_only_after_its_encoder_ended_and_never_if_it_was_killed(
    root: Path, start: Callable[..., Encoders]
) -> None:
    """With a quiet time far below an encoder's pauses, so that the content has to decide."""
    ending = start(WRITERS, "ending_", SECONDS)
    killed = start(WRITERS | LIVE, "killed_", 20 * SECONDS)
    watch = Watch(root, ending)
    wait_until_sync(lambda: watch.have_written(killed), timeout=240, description="all to write")
    for process in killed.values():
        process.send_signal(signal.SIGKILL)
    wait_until_sync(lambda: watch.are_ready(ending), timeout=240, description="the clips")
    assert watch.ready == dict.fromkeys(ending, True), "ready at their full size"
    assert [name for name in ending if verdict(root / name) != Whole()] == []
    refused = [name for name in killed if isinstance(verdict(root / name), NotWhole)]
    assert refused == list(killed)


def test_a_clip_being_written_is_refused_at_every_look(
    root: Path, start: Callable[..., Encoders]
) -> None:
    """No quiet time at all: only the content is asked, as often as possible."""
    encoders = start(WRITERS, "", SECONDS)
    looks = dict.fromkeys(encoders, 0)

    def all_ended() -> bool:
        for name, process in encoders.items():
            early = verdict(root / name)
            if process.poll() is None:
                looks[name] += 1
                assert isinstance(early, NotWhole) or finishes(process, root / name), name
        return all(process.poll() is not None for process in encoders.values())

    wait_until_sync(all_ended, timeout=240, description="the encoders to end")
    assert min(looks.values()) > 5
    for name in encoders:
        assert verdict(root / name) == Whole()


def finishes(process: subprocess.Popen[bytes], path: Path) -> bool:
    """Whether the file has its full size while its encoder still runs.

    Last of all, an encoder writes lengths into the header of a file that is whole already. The time
    moves by that, the size does not. ffmpeg (5.1) so closes the header of MXF behind its footer and
    index; into a pipe it cannot, and that file has all of its frames too.
    """
    before = size(path)
    process.wait(20)
    return before == size(path)


def size(path: Path) -> int:
    return path.stat().st_size
