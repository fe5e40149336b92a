"""From standing still to ready: the waiting room, on a virtual clock."""

from __future__ import annotations

from pathlib import Path

from postflow.folder.pending import PendingFiles, Ready, Waiting
from postflow.media.containers.reading import NotWhole, Unknown, Verdict, Whole
from postflow.media.sighting import Sighting

QUIET = 10.0
HOUR = 3600.0


class Content:
    """What a look into the file would find, and how often it was looked into."""

    def __init__(self, found: Verdict) -> None:
        self.found = found
        self.looks = 0

    def __call__(self, path: Path, expected: tuple[int, int]) -> Verdict:
        self.looks += 1
        return self.found


def sighting(name: str = "SQ/a.mov", size: int = 5, mtime: int = 1) -> Sighting:
    return Sighting(relpath=name, path=Path("/volume", name), size=size, mtime_ns=mtime)


def watch(
    room: PendingFiles, start: float, stop: float, step: float = 2, seen: Sighting | None = None
) -> Ready | Waiting:
    """Look every `step` seconds until the file is ready or the time is up."""
    now = start
    found = room.observe(seen or sighting(), now)
    while not isinstance(found, Ready) and now + step <= stop:
        now += step
        found = room.observe(seen or sighting(), now)
    return found


def test_a_settled_and_whole_file_is_ready() -> None:
    room = PendingFiles(QUIET, judge=Content(Whole()))
    found = watch(room, 0, 100)
    assert found == Ready(sighting=sighting(), waited=QUIET)
    assert room.next_scan() is None


def test_a_growing_file_is_never_opened_and_never_given_up() -> None:
    content = Content(Whole())
    room = PendingFiles(QUIET, judge=content)
    for minute in range(60 * 24 * 7):
        found = room.observe(sighting(size=minute + 1, mtime=minute), minute * 60)
        assert isinstance(found, Waiting)
    assert content.looks == 0
    assert isinstance(watch(room, 9e6, 9e6 + 3600), Ready)


def test_a_file_that_is_not_whole_waits_and_says_why() -> None:
    room = PendingFiles(QUIET, judge=Content(NotWhole(reason="has no index (moov) yet")))
    found = watch(room, 0, 100 * HOUR, step=60)
    assert isinstance(found, Waiting)
    assert found.reason == "has no index (moov) yet"
    assert found.waited == 100 * HOUR


def test_a_file_filled_in_without_a_trace_becomes_ready() -> None:
    """Over SMB, size and mtime may stand still while the content still comes."""
    content = Content(NotWhole(reason="its end is all zeros"))
    room = PendingFiles(QUIET, judge=content)
    assert isinstance(watch(room, 0, 600), Waiting)
    content.found = Whole()
    assert isinstance(watch(room, 602, 602 + QUIET), Ready)


def test_an_unwhole_file_is_opened_once_a_quiet_time_and_not_at_each_sighting() -> None:
    content = Content(NotWhole(reason="ends in the middle"))
    room = PendingFiles(QUIET, judge=content)
    watch(room, 0, 110, step=1)
    assert content.looks == 11


def test_a_kind_that_cannot_be_checked_stands_still_for_longer() -> None:
    room = PendingFiles(QUIET, judge=Content(Unknown(reason="is of a kind ('.r3d') …")))
    found = watch(room, 0, 6 * QUIET - 2)
    assert isinstance(found, Waiting)
    assert "60 seconds" in found.reason
    assert isinstance(watch(room, 6 * QUIET, 6 * QUIET), Ready)


def test_an_open_ended_file_waits_unless_the_studio_accepts_such() -> None:
    open_ended = NotWhole(reason="has no stated end", open_ended=True)
    strict = PendingFiles(QUIET, judge=Content(open_ended))
    found = watch(strict, 0, 10 * HOUR, step=60)
    assert isinstance(found, Waiting)
    assert found.refused
    lenient = PendingFiles(QUIET, accept_open_ended=True, judge=Content(open_ended))
    ready = watch(lenient, 0, HOUR)
    assert isinstance(ready, Ready)
    assert ready.waited >= 6 * QUIET
    cut = PendingFiles(QUIET, accept_open_ended=True, judge=Content(NotWhole(reason="is cut")))
    assert isinstance(watch(cut, 0, HOUR), Waiting)


def test_a_file_is_told_as_overdue_once() -> None:
    room = PendingFiles(QUIET, judge=Content(NotWhole(reason="ends in the middle")))
    watch(room, 0, HOUR - 2)
    assert room.overdue(HOUR - 2) == []
    room.observe(sighting("SQ/late.mov"), HOUR - 1)
    (late,) = room.overdue(HOUR)
    assert (late.relpath, late.reason) == ("SQ/a.mov", "ends in the middle")
    assert room.overdue(HOUR + 1) == []


def test_growth_after_a_verdict_starts_the_wait_anew() -> None:
    content = Content(NotWhole(reason="has no stated end", open_ended=True))
    room = PendingFiles(QUIET, judge=content)
    watch(room, 0, 20)
    content.found = Whole()
    grown = sighting(size=9, mtime=2)
    found = watch(room, 22, 22 + QUIET - 2, seen=grown)
    assert isinstance(found, Waiting)
    assert not found.refused
    assert isinstance(watch(room, 100, 140, seen=grown), Ready)


def test_a_killed_export_that_comes_anew_does_not_slow_its_folder() -> None:
    content = Content(NotWhole(reason="is cut"))
    room = PendingFiles(QUIET, judge=content)
    watch(room, 0, 200)
    content.found = Whole()
    anew = watch(room, 202, 500, seen=sighting(size=9, mtime=2))
    assert isinstance(anew, Ready)
    assert anew.waited == 202 + QUIET
    assert isinstance(watch(room, 600, 600 + QUIET, seen=sighting("SQ/b.mov")), Ready)


def test_a_forgotten_file_waits_no_more() -> None:
    room = PendingFiles(QUIET, judge=Content(Whole()))
    watch(room, 0, 4)
    room.forget("SQ/a.mov")
    room.forget("SQ/never.mov")
    assert room.next_scan() is None


def test_looking_only_when_it_is_due_finds_a_file_ready_in_time() -> None:
    room = PendingFiles(QUIET, judge=Content(Whole()))
    now, looks = 0.0, 1
    while not isinstance(room.observe(sighting(), now), Ready):
        due = room.next_scan()
        assert due is not None
        assert due > now
        now, looks = due, looks + 1
    assert (now, looks) == (QUIET, 3)


def test_a_stuck_file_asks_for_no_look_before_its_next_verdict() -> None:
    room = PendingFiles(QUIET, judge=Content(NotWhole(reason="ends in the middle")))
    watch(room, 0, 10, step=5)
    assert room.next_scan() == 20
