"""Standing still, judged from observations alone; the clock is a number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postflow.folder.pending import Settler

QUIET = 10.0


def feed(settler: Settler, facts: list[tuple[float, int, int]], name: str = "SQ/a.mov") -> bool:
    """Observations of (time, size, mtime); whether the file is settled after the last one."""
    settled = False
    for now, size, mtime in facts:
        settled = settler.observe(name, size, mtime, now).settled
    return settled


def test_three_equal_observations_over_the_quiet_time_settle() -> None:
    assert feed(Settler(QUIET), [(0, 5, 1), (5, 5, 1), (10, 5, 1)])


def test_two_observations_are_too_few_however_far_apart() -> None:
    assert not feed(Settler(QUIET), [(0, 5, 1), (5000, 5, 1)])


def test_many_observations_in_a_hurry_are_too_short() -> None:
    assert not feed(Settler(QUIET), [(i / 10, 5, 1) for i in range(99)])


def test_time_without_observations_does_not_count() -> None:
    """Only what was seen counts: after the last look the file may have grown again."""
    settler = Settler(QUIET)
    feed(settler, [(0, 5, 1), (1, 5, 1), (2, 5, 1)])
    assert settler.observe("SQ/a.mov", 6, 1, 500).still == 0


def test_a_new_size_or_a_new_mtime_starts_anew() -> None:
    assert not feed(Settler(QUIET), [(0, 5, 1), (5, 5, 1), (10, 6, 1)])
    assert not feed(Settler(QUIET), [(0, 5, 1), (5, 5, 1), (10, 5, 2), (15, 5, 2)])
    assert feed(Settler(QUIET), [(0, 5, 1), (5, 6, 1), (10, 6, 2), (15, 6, 2), (20, 6, 2)])


def test_a_pause_in_growth_asks_for_three_times_as_long() -> None:
    settler = Settler(QUIET)
    feed(settler, [(0, 5, 1), (3, 5, 1), (6, 5, 1), (7, 9, 2)])
    assert settler.needed("SQ/a.mov") == 18
    assert settler.needed("SQ/other.mov") == 18
    assert settler.needed("elsewhere/other.mov") == QUIET
    assert not feed(settler, [(12, 9, 2), (17, 9, 2), (24, 9, 2)])
    assert feed(settler, [(25, 9, 2)])


def test_a_slow_encoder_with_pauses_never_settles_until_it_ends() -> None:
    """As measured of ffmpeg at 300 kb/s: the file stands still for 6 s and then grows."""
    settler = Settler(QUIET)
    assert not any(feed(settler, [(t, 5 + t // 6, t // 6)]) for t in range(600))
    assert any(feed(settler, [(t, 999, 999)]) for t in range(600, 660))


def test_a_quiet_time_that_is_too_short_errs_once() -> None:
    """After the first pause has been seen to end, the next ones are waited out."""
    settler = Settler(2)
    settled = [feed(settler, [(t, 5 + t // 6, t // 6)]) for t in range(600)]
    assert any(settled[:6])
    assert not any(settled[6:])


def test_the_quiet_time_never_exceeds_the_cap() -> None:
    settler = Settler(QUIET)
    feed(settler, [(0, 5, 1), (500, 5, 1), (501, 9, 2)])
    assert settler.needed("SQ/a.mov") == 600


def test_another_export_is_no_pause() -> None:
    """It begins smaller, or after longer than any writer pauses."""
    settler = Settler(QUIET)
    feed(settler, [(0, 5, 1), (8, 5, 1), (9, 1, 2)])
    feed(settler, [(0, 5, 1), (9000, 5, 1), (9001, 50, 2)], name="SQ/b.mov")
    assert settler.needed("SQ/a.mov") == QUIET


def test_only_growth_of_what_was_not_refused_is_a_pause() -> None:
    """A killed export that comes anew is another one; so is a copy that only sets its time."""
    settler = Settler(QUIET)
    feed(settler, [(0, 5, 1), (200, 5, 1)])
    settler.observe("SQ/a.mov", 50, 2, 201, refused=True)
    feed(settler, [(300, 5, 1), (400, 5, 1), (401, 5, 2)], name="SQ/b.mov")
    assert settler.needed("SQ/a.mov") == QUIET


def test_a_pause_is_forgotten_after_some_hours() -> None:
    settler = Settler(QUIET)
    feed(settler, [(0, 5, 1), (60, 5, 1), (61, 9, 2)])
    feed(settler, [(3600, 5, 1)], name="SQ/b.mov")
    assert settler.needed("SQ/b.mov") == 180
    feed(settler, [(7 * 3600, 5, 1)], name="SQ/c.mov")
    assert settler.needed("SQ/c.mov") == QUIET


def test_a_forgotten_file_starts_anew() -> None:
    settler = Settler(QUIET)
    feed(settler, [(0, 5, 1), (5, 5, 1)])
    settler.forget("SQ/a.mov")
    settler.forget("never/seen.mov")
    assert not feed(settler, [(10, 5, 1)])


observations = st.lists(
    st.tuples(st.integers(0, 7), st.integers(1, 2), st.integers(1, 2)), min_size=1, max_size=40
)


@given(observations)
def test_settled_means_what_it_says(steps: list[tuple[int, int, int]]) -> None:
    """Against the definition itself, with the adaptive part switched off by the cap."""
    settler = Settler(QUIET, cap=QUIET)
    now, facts = 0.0, []
    for step, size, mtime in steps:
        now += step
        facts.append((now, size, mtime))
        standing = settler.observe("a.mov", size, mtime, now)
        streak = []
        for at, *same in reversed(facts):
            if same != [size, mtime]:
                break
            streak.append(at)
        assert standing.equal == len(streak)
        assert standing.still == now - streak[-1]
        assert standing.settled == (len(streak) >= 3 and now - streak[-1] >= QUIET)


@given(st.floats(0.1, 100), st.integers(0, 1))
def test_looking_when_it_is_due_settles_in_little_more_than_the_quiet_time(
    quiet: float, size: int
) -> None:
    settler = Settler(quiet)
    now, looks = 0.0, 1
    while not settler.observe("a.mov", size, 1, now).settled:
        now = settler.due("a.mov")
        looks += 1
    assert looks == 3
    assert now <= quiet * 1.001
