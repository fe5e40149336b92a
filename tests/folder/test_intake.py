"""Problems of a folder: which of them are news."""

from __future__ import annotations

from postflow.folder.intake import Problems
from postflow.media.sighting import Problem, Scanned

TWIN = Problem(where="/mnt/show/SQ01/é.mov", what="It has a twin.")
LOCKED = Problem(where="/mnt/show/SQ01", what="It cannot be read.", unread=True)


def scan(*problems: Problem, full: bool = True) -> Scanned:
    return Scanned(new=(), changed=(), unsettled=(), gone=(), problems=problems, known=1, full=full)


def test_a_problem_begins_once() -> None:
    problems = Problems()
    assert problems.news(scan(LOCKED, LOCKED)) == ([LOCKED], [])
    assert problems.news(scan(LOCKED, full=False)) == ([], [])
    assert problems.news(scan(LOCKED)) == ([], [])


def test_only_a_full_scan_tells_that_it_is_over_and_then_it_may_begin_again() -> None:
    problems = Problems()
    problems.news(scan(TWIN))
    assert problems.news(scan(full=False)) == ([], [])
    assert problems.news(scan()) == ([], [TWIN])
    assert problems.news(scan()) == ([], [])
    assert problems.news(scan(TWIN, full=False)) == ([TWIN], [])


def test_what_is_hidden_by_another_problem_is_not_over() -> None:
    problems = Problems()
    problems.news(scan(TWIN))
    assert problems.news(scan(LOCKED)) == ([LOCKED], [])
    assert problems.news(scan(TWIN)) == ([], [LOCKED])
