"""Who works on what: claims, fencing, leases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from postflow.ledger import Ledger, Phase, Root, StaleClaim, State
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
    target,
)

HOLD = """
import os, sys
from pathlib import Path
from postflow.ledger import Ledger
with Ledger.open(sys.argv[1]) as ledger:
    ledger.claim("run-of-another-process", limit=1, lease_seconds=3600)
    print("claimed", flush=True)
    sys.stdin.read()
"""


def test_what_is_claimed_is_nobody_elses(ledger: Ledger, root: Root) -> None:
    ids = add_many(ledger, root, 5)
    first = ledger.claim("run-1", limit=3)
    second = ledger.claim("run-2", limit=3)
    assert [claim.clip_id for claim in (*first, *second)] == ids
    assert ledger.claim("run-3", limit=3) == []
    assert ledger.ready() == 0


def test_a_claim_holds_all_that_a_run_needs(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "SQ07/SQ07_UNDLM_00152_v003.mov", content="abc", size=77)
    claim = claim_one(ledger)
    assert claim.path == Path("/mnt/show/SQ07/SQ07_UNDLM_00152_v003.mov")
    assert (claim.studio, claim.size, claim.fingerprint) == ("main", 77, "abc")
    assert (claim.state, claim.attempts, claim.token) == (State.READY, (), 1)


def test_a_claim_says_where_the_clip_is_for_its_claimer(ledger: Ledger, root: Root) -> None:
    """Two hosts have one volume at different places, and either may have opened it last."""
    add_many(ledger, root, 2)
    there = ledger.root("main", Path("/Volumes/show"), root.mark)
    assert there.id == root.id
    (claim,) = ledger.claim("run-1", limit=1, folders={root.id: root.path})
    (theirs,) = ledger.claim("run-2", limit=1, folders={there.id: there.path})
    assert (claim.path.parent, theirs.path.parent) == (root.path, there.path)
    claim = ledger.intend_request(claim, target(), way="tunnel")
    claim = ledger.intend_request(claim, target(), way="tunnel")
    claim = ledger.arrived(ledger.requested(claim, "file-1"))
    claim = ledger.stacked(ledger.intend_stack(claim), "stack-1")
    assert claim.path.parent == root.path


def test_a_clip_taken_by_hand_is_where_the_person_says(ledger: Ledger, root: Root) -> None:
    clip_id = add(ledger, root, "a.mov")
    ledger.root("main", Path("/Volumes/show"), root.mark)
    claim = ledger.claim_clip("run-1", clip_id, folders={root.id: root.path})
    assert claim is not None
    assert claim.path == root.path / "a.mov"


def test_what_its_claimer_cannot_read_waits_unless_it_is_delivered(
    ledger: Ledger, root: Root
) -> None:
    add_many(ledger, root, 3)
    one, two, _ = ledger.claim("run-1", limit=3)
    bring_to_requested(ledger, one)
    bring_to_arrived(ledger, two, "file-2")
    ledger.leave("run-1")
    elsewhere = ledger.root("main", Path("/mnt/other"), "mark-2")
    folders = {elsewhere.id: elsewhere.path}
    assert (ledger.ready(folders=folders), ledger.ready()) == (1, 3)
    assert [each.clip_id for each in ledger.claim("run-2", limit=9, folders=folders)] == [
        two.clip_id
    ]
    assert len(ledger.claim("run-2", limit=9, folders=folders | {root.id: root.path})) == 2


def test_what_a_person_handed_over_is_in_no_watch_folder(ledger: Ledger) -> None:
    """Nothing marks its folder; what a dead run left of it is finished all the same."""
    desk = ledger.root("main", Path("/home/ada"))
    add(ledger, desk, "a.mov")
    assert ledger.ready(folders={}) == 1
    (claim,) = ledger.claim("run-1", limit=9, folders={})
    assert claim.path == Path("/home/ada/a.mov")


def test_a_run_takes_only_its_studios_clips(ledger: Ledger, root: Root) -> None:
    other = ledger.root("other", Path("/mnt/other"))
    add(ledger, root, "a.mov")
    mine = add(ledger, other, "a.mov")
    assert [claim.clip_id for claim in ledger.claim("run-1", limit=9, studio="other")] == [mine]


def test_what_a_dead_run_began_comes_first(ledger: Ledger, root: Root, clock: Clock) -> None:
    ids = add_many(ledger, root, 3)
    claims = ledger.claim("run-1", limit=3)
    bring_to_requested(ledger, claims[2])
    clock.forward(61)
    again = ledger.claim("run-2", limit=3)
    assert [claim.clip_id for claim in again] == [ids[2], ids[0], ids[1]]
    assert again[0].state is State.REQUESTED
    assert again[0].file_id == "file-1"
    assert [attempt.exposure for attempt in again[0].attempts] == ["e1"]


def test_a_run_that_was_overtaken_can_write_nothing(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    """A stopped process wakes up after another took its clip over: every write is refused."""
    add(ledger, root, "a.mov")
    slow = ledger.intend_request(claim_one(ledger, "slow"), target(), way="tunnel")
    clock.forward(61)
    quick = claim_one(ledger, "quick")
    assert quick.token > slow.token
    writes = [
        lambda: ledger.intend_request(slow, target(), way="tunnel"),
        lambda: ledger.requested(slow, "file-of-slow"),
        lambda: ledger.arrived(slow),
        lambda: ledger.intend_stack(slow),
        lambda: ledger.stacked(slow, "stack"),
        lambda: ledger.done(slow),
        lambda: ledger.skip(slow, MISNAMED),
        lambda: ledger.fail(slow, BROKEN),
        lambda: ledger.supersede(slow, MISNAMED),
        lambda: ledger.postpone(slow, BUSY),
        lambda: ledger.release(slow),
        lambda: ledger.renew("slow"),
    ]
    for write in writes:
        with pytest.raises(StaleClaim):
            write()
    ledger.requested(quick, "file-of-quick")
    assert ledger.rows()[0].file_id == "file-of-quick"
    check_consistent(ledger)


def test_the_same_run_claiming_again_outdates_its_first_claim(ledger: Ledger, root: Root) -> None:
    add(ledger, root, "a.mov")
    first = claim_one(ledger)
    ledger.release(first)
    second = claim_one(ledger)
    with pytest.raises(StaleClaim):
        ledger.done(first)
    bring_to_arrived(ledger, second)


def test_a_lease_that_ran_out_unnoticed_is_still_good(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    """Nobody has taken over: there is no reason to throw the work away."""
    add(ledger, root, "a.mov")
    claim = claim_one(ledger)
    clock.forward(3600)
    ledger.renew("run-1")
    bring_to_requested(ledger, claim)
    assert ledger.claim("run-2", limit=1) == []


def test_a_run_that_overslept_does_not_rob_itself(ledger: Ledger, root: Root, clock: Clock) -> None:
    """A laptop wakes up and the run claims more: what it is at stays its own."""
    first, second = add_many(ledger, root, 2)
    claim = claim_one(ledger)
    clock.forward(3600)
    assert ledger.recover("run-1").runs == ()
    assert ledger.claim_clip("run-1", first) is None
    assert [each.clip_id for each in ledger.claim("run-1", limit=5)] == [second]
    bring_to_arrived(ledger, claim)


def test_a_renewed_lease_keeps_the_clips(ledger: Ledger, root: Root, clock: Clock) -> None:
    add(ledger, root, "a.mov")
    claim_one(ledger, lease_seconds=60)
    for _ in range(5):
        clock.forward(50)
        ledger.renew("run-1", lease_seconds=60)
        assert ledger.claim("run-2", limit=1) == []
    clock.forward(60)
    assert len(ledger.claim("run-2", limit=1)) == 1


def test_leaving_frees_the_clips_at_once(ledger: Ledger, root: Root) -> None:
    add_many(ledger, root, 2)
    one, two = ledger.claim("run-1", limit=2)
    ledger.intend_request(one, target(), way="tunnel")
    ledger.leave("run-1")
    assert ledger.counts()[Phase.WAITING] == 2
    with pytest.raises(StaleClaim):
        ledger.skip(two, MISNAMED)
    assert [claim.state for claim in ledger.claim("run-2", limit=2)] == [
        State.REQUESTING,
        State.READY,
    ]


def test_recovering_tells_what_died(ledger: Ledger, root: Root, clock: Clock) -> None:
    ids = add_many(ledger, root, 3)
    ledger.claim("dead", limit=2, lease_seconds=10)
    ledger.claim("alive", limit=1, lease_seconds=100)
    clock.forward(11)
    recovered = ledger.recover()
    assert recovered.runs == ("dead",)
    assert sorted(recovered.clip_ids) == ids[:2]
    assert ledger.recover().runs == ()
    assert ledger.ready() == 2


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
        assert ledger.recover().runs == ()
        assert ledger.claim("run-2", limit=1) == []
        os.kill(process.pid, signal.SIGKILL)
        # a zombie until it is waited for, and just as dead
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert ledger.recover().clip_ids == (clip_id,)
    assert len(ledger.claim("run-2", limit=1)) == 1


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
        claims = ledger.claim("run-of-another-process", limit=5)
        process.kill()
    assert len(claims) == 2
    assert sorted(claim.token for claim in claims) == [1, 2]


def test_what_was_begun_of_a_path_is_settled_before_newer_content_travels(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    old = add(ledger, root, "a.mov")
    claim = bring_to_requested(ledger, claim_one(ledger))
    new = add(ledger, root, "a.mov", content="b", size=2000)
    assert (ledger.ready(), ledger.claim("run-2", limit=9)) == (0, [])
    ledger.leave("run-1")
    claim = claim_one(ledger)
    assert (claim.clip_id, ledger.ready()) == (old, 0)
    until = ledger.postpone(claim, BUSY)
    assert claim_one(ledger).clip_id == new, "it need not wait for what is put off"
    ledger.leave("run-1")
    clock.time = until
    ledger.supersede(claim_one(ledger), CHANGED)
    assert claim_one(ledger).clip_id == new


def test_a_clip_that_is_put_off_is_left_alone_until_its_time(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add(ledger, root, "a.mov")
    until = ledger.postpone(claim_one(ledger), BUSY)
    assert ledger.claim("run-1", limit=1) == []
    clock.time = until
    assert ledger.ready() == 1
    assert claim_one(ledger).tries == 1


def test_what_a_dead_run_held_counts_as_ready(ledger: Ledger, root: Root, clock: Clock) -> None:
    """Or nobody would ever come to claim it."""
    add(ledger, root, "a.mov")
    claim_one(ledger)
    assert ledger.ready() == 0
    clock.forward(61)
    assert ledger.ready() == 1


def test_a_person_can_have_one_clip_claimed_even_before_its_time(
    ledger: Ledger, root: Root
) -> None:
    one, two = add_many(ledger, root, 2)
    ledger.postpone(claim_one(ledger), BUSY)
    claim = ledger.claim_clip("run-2", one)
    assert claim is not None
    assert (claim.clip_id, claim.tries) == (one, 1)
    assert ledger.claim_clip("run-3", one) is None
    assert [other.clip_id for other in ledger.claim("run-3", limit=5)] == [two]
    ledger.done(bring_to_arrived(ledger, claim))
    assert ledger.claim_clip("run-3", one) is None


def test_who_holds_a_clip_shows(ledger: Ledger, root: Root, clock: Clock) -> None:
    add(ledger, root, "a.mov")
    claim_one(ledger)
    (clip,) = ledger.rows()
    assert (clip.phase, clip.run_id) == (Phase.ON_ITS_WAY, "run-1")
    clock.forward(61)
    assert ledger.rows()[0].phase is Phase.WAITING
