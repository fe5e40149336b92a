"""Who works on what: claims, fencing, leases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from postflow.ledger import (
    Ledger,
    Phase,
    Root,
    StaleClaim,
    State,
    claims,
    known_ids,
    leases,
    queries,
    queue,
    roots,
    transitions,
)
from postflow.ledger.leases import GRACE
from postflow.state import HOST
from tests.ledger.consistency import check_consistent
from tests.ledger.ground import (
    BROKEN,
    BUSY,
    CHANGED,
    MISNAMED,
    Clock,
    add,
    add_many,
    bring_to_arrived,
    bring_to_requested,
    claim_one,
    outlive,
    target,
)

HOLD = """
import os, sys
from pathlib import Path
from postflow.ledger import Ledger, claims
with Ledger.open(sys.argv[1]) as ledger:
    claims.claim(ledger, "run-of-another-process", limit=1, lease_seconds=3600)
    print("claimed", flush=True)
    sys.stdin.read()
"""


def test_what_is_claimed_is_nobody_elses(ledger: Ledger, root: Root) -> None:
    ids = add_many(ledger, root, 5)
    first = claims.claim(ledger, "run-1", limit=3)
    second = claims.claim(ledger, "run-2", limit=3)
    assert [claim.clip_id for claim in (*first, *second)] == ids
    assert claims.claim(ledger, "run-3", limit=3) == []
    assert claims.ready(ledger) == 0


def test_a_claim_holds_all_that_a_run_needs(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "SQ07/SQ07_UNDLM_00152_v003.mov", content="abc", size=77)
    claim = claim_one(ledger)
    assert claim.path == Path("/mnt/show/SQ07/SQ07_UNDLM_00152_v003.mov")
    assert (claim.studio, claim.size, claim.fingerprint) == ("main", 77, "abc")
    assert (claim.state, claim.attempts, claim.token) == (State.READY, (), 1)


def test_a_claim_says_where_the_clip_is_for_its_claimer(ledger: Ledger, root: Root) -> None:
    """Two hosts have one volume at different places, and either may have opened it last."""
    add_many(ledger, root, 2)
    there = roots.add(ledger, "main", Path("/Volumes/show"), root.mark)
    assert there.id == root.id
    (claim,) = claims.claim(ledger, "run-1", limit=1, folders={root.id: root.path})
    (theirs,) = claims.claim(ledger, "run-2", limit=1, folders={there.id: there.path})
    assert (claim.path.parent, theirs.path.parent) == (root.path, there.path)
    claim = transitions.intend_request(ledger, claim, target(), way="tunnel")
    claim = transitions.intend_request(ledger, claim, target(), way="tunnel")
    claim = transitions.arrived(ledger, transitions.requested(ledger, claim, "file-1"))
    claim = known_ids.stacked(ledger, known_ids.intend_stack(ledger, claim), "stack-1")
    assert claim.path.parent == root.path


def test_a_clip_taken_by_hand_is_where_the_person_says(ledger: Ledger, root: Root) -> None:
    clip_id = add(ledger, root, "a.mov")
    roots.add(ledger, "main", Path("/Volumes/show"), root.mark)
    claim = claims.claim_clip(ledger, "run-1", clip_id, folders={root.id: root.path})
    assert claim is not None
    assert claim.path == root.path / "a.mov"


def test_what_its_claimer_cannot_read_waits_unless_it_is_delivered(
    ledger: Ledger, root: Root
) -> None:
    add_many(ledger, root, 3)
    one, two, _ = claims.claim(ledger, "run-1", limit=3)
    bring_to_requested(ledger, one)
    bring_to_arrived(ledger, two, "file-2")
    leases.end(ledger, "run-1")
    elsewhere = roots.add(ledger, "main", Path("/mnt/other"), "mark-2")
    folders = {elsewhere.id: elsewhere.path}
    assert (claims.ready(ledger, folders=folders), claims.ready(ledger)) == (1, 3)
    assert [each.clip_id for each in claims.claim(ledger, "run-2", limit=9, folders=folders)] == [
        two.clip_id
    ]
    assert len(claims.claim(ledger, "run-2", limit=9, folders=folders | {root.id: root.path})) == 2


def test_what_a_person_handed_over_is_in_no_watch_folder(ledger: Ledger) -> None:
    """Nothing marks its folder; what a dead run left of it is finished all the same."""
    desk = roots.add(ledger, "main", Path("/home/ada"))
    add(ledger, desk, "a.mov")
    assert claims.ready(ledger, folders={}) == 1
    (claim,) = claims.claim(ledger, "run-1", limit=9, folders={})
    assert claim.path == Path("/home/ada/a.mov")


def test_what_a_person_handed_over_lies_on_that_host_alone(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another host, which may have a folder of that name, would take the clip for deleted."""
    monkeypatch.setenv(HOST, "desk")
    clip_id = add(ledger, roots.add(ledger, "main", Path("/home/ada")), "a.mov")
    monkeypatch.setenv(HOST, "render-2")
    add(ledger, roots.add(ledger, "main", Path("/home/ada")), "b.mov")
    assert [each.name for each in claims.claim(ledger, "there", limit=9, folders={})] == ["b.mov"]
    assert claims.ready(ledger, folders={}) == 0
    monkeypatch.setenv(HOST, "desk")
    assert [each.clip_id for each in claims.claim(ledger, "here", limit=9, folders={})] == [clip_id]


def test_a_run_takes_only_its_studios_clips(ledger: Ledger, root: Root) -> None:
    other = roots.add(ledger, "other", Path("/mnt/other"))
    add(ledger, root, "a.mov")
    mine = add(ledger, other, "a.mov")
    assert [claim.clip_id for claim in claims.claim(ledger, "run-1", limit=9, studio="other")] == [
        mine
    ]


def test_what_a_dead_run_began_comes_first(ledger: Ledger, root: Root, clock: Clock) -> None:
    ids = add_many(ledger, root, 3)
    taken = claims.claim(ledger, "run-1", limit=3)
    bring_to_requested(ledger, taken[2])
    outlive(ledger, clock)
    again = claims.claim(ledger, "run-2", limit=3)
    assert [claim.clip_id for claim in again] == [ids[2], ids[0], ids[1]]
    assert again[0].state is State.REQUESTED
    assert again[0].file_id == "file-1"
    assert [attempt.exposure for attempt in again[0].attempts] == ["e1"]


def test_a_run_that_was_overtaken_can_write_nothing(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    """A stopped process wakes up after another took its clip over: every write is refused."""
    add(ledger, root, "a.mov")
    slow = transitions.intend_request(ledger, claim_one(ledger, "slow"), target(), way="tunnel")
    outlive(ledger, clock)
    quick = claim_one(ledger, "quick")
    assert quick.token > slow.token
    writes: list[Callable[[], object]] = [
        lambda: transitions.intend_request(ledger, slow, target(), way="tunnel"),
        lambda: transitions.requested(ledger, slow, "file-of-slow"),
        lambda: transitions.arrived(ledger, slow),
        lambda: known_ids.intend_stack(ledger, slow),
        lambda: known_ids.stacked(ledger, slow, "stack"),
        lambda: transitions.done(ledger, slow),
        lambda: transitions.skip(ledger, slow, MISNAMED),
        lambda: transitions.fail(ledger, slow, BROKEN),
        lambda: transitions.supersede(ledger, slow, MISNAMED),
        lambda: transitions.postpone(ledger, slow, BUSY),
        lambda: claims.release(ledger, slow),
        lambda: leases.renew(ledger, "slow"),
    ]
    for write in writes:
        with pytest.raises(StaleClaim):
            write()
    transitions.requested(ledger, quick, "file-of-quick")
    assert queries.rows(ledger)[0].file_id == "file-of-quick"
    check_consistent(ledger)


def test_the_same_run_claiming_again_outdates_its_first_claim(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "a.mov")
    first = claim_one(ledger)
    claims.release(ledger, first)
    second = claim_one(ledger)
    with pytest.raises(StaleClaim):
        transitions.done(ledger, first)
    bring_to_arrived(ledger, second)


def test_a_lease_that_ran_out_unnoticed_is_still_good(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    """Nobody has taken over: there is no reason to throw the work away."""
    add(ledger, root, "a.mov")
    claim = claim_one(ledger)
    clock.forward(3600)
    leases.renew(ledger, "run-1")
    bring_to_requested(ledger, claim)
    assert claims.claim(ledger, "run-2", limit=1) == []


def test_a_run_that_overslept_does_not_rob_itself(ledger: Ledger, root: Root, clock: Clock) -> None:
    """A laptop wakes up and the run claims more: what it is at stays its own."""
    first, second = add_many(ledger, root, 2)
    claim = claim_one(ledger)
    clock.forward(3600)
    assert claims.claim_clip(ledger, "run-1", first) is None
    assert [each.clip_id for each in claims.claim(ledger, "run-1", limit=5)] == [second]
    bring_to_arrived(ledger, claim)


def test_only_what_a_run_had_when_it_died_is_interrupted(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add_many(ledger, root, 5)
    begun, taken, back, later = claims.claim(ledger, "lost", limit=4)
    bring_to_requested(ledger, begun)
    claims.release(ledger, bring_to_requested(ledger, back))
    until = transitions.postpone(ledger, bring_to_requested(ledger, later), BUSY)
    assert claims.ready(ledger, interrupted=True) == 0
    outlive(ledger, clock, max(61, (until - clock.time).total_seconds()))
    for recovered in (False, True):
        if recovered:
            leases.recover(ledger)
        assert claims.ready(ledger) == 5
        assert claims.ready(ledger, interrupted=True) == 2
    found = claims.claim(ledger, "other", limit=9, interrupted=True)
    assert [each.clip_id for each in found] == [begun.clip_id, taken.clip_id]


def test_a_run_that_was_silent_itself_leaves_the_others_time_to_say_that_they_live(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    """The ledger was away for all: nobody's clip is another's because it was asked first."""
    add_many(ledger, root, 3)
    for run in ("one", "two", "lost"):
        claim_one(ledger, run)
    clock.forward(100)
    assert claims.claim(ledger, "one", limit=9) == []
    clock.forward(15)
    leases.renew(ledger, "two")
    assert claims.claim(ledger, "one", limit=9) == []
    outlive(ledger, clock, 60 * GRACE)
    assert len(claims.claim(ledger, "one", limit=9)) == 1, "of the one that died meanwhile"


def test_a_second_outage_that_cuts_the_time_to_renew_short_costs_a_living_run_nothing(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    """A run tries again every few seconds, and may miss those in which the ledger was there."""
    add_many(ledger, root, 2)
    claim_one(ledger, "lives")
    claim_one(ledger, "dies")
    clock.forward(100)
    for up, away in ((3, 60), (15, 45), (15, 300)):
        leases.start(ledger, "quick")
        clock.forward(up)
        leases.start(ledger, "quick")
        clock.forward(away)
        assert leases.living(ledger) == {"lives", "dies", "quick"}
    leases.renew(ledger, "lives")
    leases.renew(ledger, "quick")
    outlive(ledger, clock, 60 * GRACE)
    assert leases.recover(ledger).runs == ("dies",)


def cancel(ledger: Ledger) -> None:
    (spot,) = queue.spots(ledger, "SQ07_000_v001.mov", studio="main")
    queue.cancel(ledger, "main", "by hand", lambda *_: None, at=spot)


@pytest.mark.parametrize("judge", [leases.recover, cancel], ids=["begins", "a person cancels"])
def test_where_nobody_could_renew_nobody_is_judged_by_who_was_not_there(
    ledger: Ledger, root: Root, clock: Clock, judge: Callable[[Ledger], object]
) -> None:
    """As after an outage of the ledger, or when a laptop wakes up; but once, however short the runs
    are that follow.
    """
    add_many(ledger, root, 1)
    claim_one(ledger, "silent")
    clock.forward(3600)
    assert leases.living(ledger) == {"silent"}
    leases.start(ledger, "new")
    judge(ledger)
    leases.renew(ledger, "silent")
    clock.forward(3600)
    for judged in ((), ("silent",)):
        leases.end(ledger, "new")
        leases.start(ledger, "new")
        assert leases.recover(ledger).runs == judged
        clock.forward(300)


def test_an_outage_that_one_lease_outlasts_leaves_the_others_their_clips(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add_many(ledger, root, 2)
    claim_one(ledger, "two")
    clock.forward(14)
    claim_one(ledger, "one")
    clock.forward(50)  # the ledger was away: that of two has run out, that of one has 10 s left
    assert claims.claim(ledger, "one", limit=9) == []
    leases.renew(ledger, "two")


def test_a_renewed_lease_keeps_the_clips(ledger: Ledger, root: Root, clock: Clock) -> None:
    add(ledger, root, "a.mov")
    claim_one(ledger, lease_seconds=60)
    for _ in range(5):
        clock.forward(50)
        leases.renew(ledger, "run-1", lease_seconds=60)
        assert claims.claim(ledger, "run-2", limit=1) == []
    outlive(ledger, clock)
    assert len(claims.claim(ledger, "run-3", limit=1)) == 1


def test_leaving_frees_the_clips_at_once(ledger: Ledger, root: Root) -> None:
    add_many(ledger, root, 2)
    one, two = claims.claim(ledger, "run-1", limit=2)
    transitions.intend_request(ledger, one, target(), way="tunnel")
    leases.end(ledger, "run-1")
    assert queries.counts(ledger)[Phase.WAITING] == 2
    with pytest.raises(StaleClaim):
        transitions.skip(ledger, two, MISNAMED)
    assert [claim.state for claim in claims.claim(ledger, "run-2", limit=2)] == [
        State.REQUESTING,
        State.READY,
    ]


def test_recovering_tells_what_died(ledger: Ledger, root: Root, clock: Clock) -> None:
    ids = add_many(ledger, root, 3)
    claims.claim(ledger, "dead", limit=2)
    claims.claim(ledger, "alive", limit=1)
    outlive(ledger, clock)
    recovered = leases.recover(ledger)
    assert recovered.runs == ("dead",)
    assert sorted(recovered.clip_ids) == ids[:2]
    assert leases.recover(ledger).runs == ()
    assert claims.ready(ledger) == 2


def test_a_killed_process_is_known_to_be_dead_before_its_lease_ends(
    where: str, ledger: Ledger, root: Root
) -> None:
    clip_id = add(ledger, root, "a.mov")
    command = [sys.executable, "-c", HOLD, where]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        assert leases.recover(ledger).runs == ()
        assert claims.claim(ledger, "run-2", limit=1) == []
        os.kill(process.pid, signal.SIGKILL)
        # a zombie until it is waited for, and just as dead
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert leases.recover(ledger).clip_ids == (clip_id,)
    assert len(claims.claim(ledger, "run-2", limit=1)) == 1


def test_a_run_begun_again_in_another_process_holds_nothing(
    where: str, ledger: Ledger, root: Root
) -> None:
    """Prefect retries a flow run under its old id; what the first process held is free again."""
    add_many(ledger, root, 2)
    command = [sys.executable, "-c", HOLD, where]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        taken = claims.claim(ledger, "run-of-another-process", limit=5)
        process.kill()
    assert len(taken) == 2
    assert sorted(claim.token for claim in taken) == [1, 2]


def test_what_was_begun_of_a_path_is_settled_before_newer_content_travels(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    old = add(ledger, root, "a.mov")
    claim = bring_to_requested(ledger, claim_one(ledger))
    new = add(ledger, root, "a.mov", content="b", size=2000)
    assert (claims.ready(ledger), claims.claim(ledger, "run-2", limit=9)) == (0, [])
    leases.end(ledger, "run-1")
    claim = claim_one(ledger)
    assert (claim.clip_id, claims.ready(ledger)) == (old, 0)
    until = transitions.postpone(ledger, claim, BUSY)
    assert claim_one(ledger).clip_id == new, "it need not wait for what is put off"
    leases.end(ledger, "run-1")
    clock.time = until
    transitions.supersede(ledger, claim_one(ledger), CHANGED)
    assert claim_one(ledger).clip_id == new


def test_a_clip_that_is_put_off_is_left_alone_until_its_time(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add(ledger, root, "a.mov")
    until = transitions.postpone(ledger, claim_one(ledger), BUSY)
    assert claims.claim(ledger, "run-1", limit=1) == []
    clock.time = until
    assert claims.ready(ledger) == 1
    assert claim_one(ledger).tries == 1


def test_what_a_dead_run_held_counts_as_ready(ledger: Ledger, root: Root, clock: Clock) -> None:
    """Or nobody would ever come to claim it."""
    add(ledger, root, "a.mov")
    claim_one(ledger)
    assert claims.ready(ledger) == 0
    clock.forward(61)
    assert claims.ready(ledger) == 1


def test_a_person_can_have_one_clip_claimed_even_before_its_time(
    ledger: Ledger, root: Root
) -> None:
    one, two = add_many(ledger, root, 2)
    transitions.postpone(ledger, claim_one(ledger), BUSY)
    claim = claims.claim_clip(ledger, "run-2", one)
    assert claim is not None
    assert (claim.clip_id, claim.tries) == (one, 1)
    assert claims.claim_clip(ledger, "run-3", one) is None
    assert [other.clip_id for other in claims.claim(ledger, "run-3", limit=5)] == [two]
    transitions.done(ledger, bring_to_arrived(ledger, claim))
    assert claims.claim_clip(ledger, "run-3", one) is None


def test_who_holds_a_clip_shows(ledger: Ledger, root: Root, clock: Clock) -> None:
    add(ledger, root, "a.mov")
    claim_one(ledger)
    (clip,) = queries.rows(ledger)
    assert (clip.phase, clip.run_id) == (Phase.ON_ITS_WAY, "run-1")
    clock.forward(61)
    assert queries.rows(ledger)[0].phase is Phase.WAITING
