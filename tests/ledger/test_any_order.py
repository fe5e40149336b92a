"""Calls in any order, by any run, at any time, against a small model of what must come of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from postflow.errors import Retry
from postflow.ledger import (
    Announcement,
    Claimed,
    IllegalMove,
    Ledger,
    Phase,
    StaleClaim,
    State,
    batches,
    claims,
    known_ids,
    leases,
    queries,
    retrying,
    roots,
    stack_queue,
    transitions,
)
from postflow.ledger.leases import GRACE, SILENCE
from postflow.ledger.states import CLOSED, MOVES, OPEN, REPLACEABLE
from tests.ledger.consistency import check_consistent
from tests.ledger.ground import BROKEN, BUSY, CHANGED, MISNAMED, Clock, Shared, add, empty, target

RUNS = ("run-1", "run-2")
PATHS = ("a.mov", "b.mov", "c.mov")
CONTENTS = ("x", "y")
LEASE = 60.0

Moves = dict[str, tuple[State, Callable[[Ledger, Claimed], object]]]

MOVE_BY_NAME: Moves = {
    "intend_request": (
        State.REQUESTING,
        lambda ledger, claim: transitions.intend_request(ledger, claim, target(), way="tunnel"),
    ),
    "requested": (
        State.REQUESTED,
        lambda ledger, claim: transitions.requested(ledger, claim, "file"),
    ),
    "arrived": (State.ARRIVED, lambda ledger, claim: transitions.arrived(ledger, claim)),
    "intend_stack": (State.STACKING, lambda ledger, claim: known_ids.intend_stack(ledger, claim)),
    "stacked": (
        State.STACKED,
        lambda ledger, claim: known_ids.stacked(ledger, claim, "stack", file_ids=["file"]),
    ),
    "done": (State.DONE, lambda ledger, claim: transitions.done(ledger, claim)),
    "skip": (State.SKIPPED, lambda ledger, claim: transitions.skip(ledger, claim, MISNAMED)),
    "fail": (State.FAILED, lambda ledger, claim: transitions.fail(ledger, claim, BROKEN)),
    "supersede": (
        State.SUPERSEDED,
        lambda ledger, claim: transitions.supersede(ledger, claim, CHANGED),
    ),
}

NAME_BY_STATE = {to: name for name, (to, _) in MOVE_BY_NAME.items()}

WAY = (
    (State.READY, State.REQUESTING),
    (State.REQUESTING, State.REQUESTED),
    (State.REQUESTED, State.ARRIVED),
    (State.ARRIVED, State.STACKING),
)


@dataclass
class Model:
    """A clip as it must be."""

    path: str
    state: State = State.READY
    token: int = 0
    holder: str | None = None
    not_before: float = 0.0
    told: bool = False


class AnyOrder(RuleBasedStateMachine):
    def __init__(self, engine: Engine) -> None:
        super().__init__()
        empty(engine)
        self.clock = Clock()
        self.ledger = Ledger(engine, self.clock)
        self.root = roots.add(self.ledger, "main", Path("/mnt/show"))
        self.clips: dict[int, Model] = {}
        self.claims: list[Claimed] = []
        self.expiry: dict[str, float] = {}
        self.spared: set[str] = set()
        self.time = 0.0
        self.stacking: int | None = None

    def teardown(self) -> None:
        check_consistent(self.ledger)

    @rule(path=st.sampled_from(PATHS), content=st.sampled_from(CONTENTS))
    def a_file_is_found_whole(self, path: str, content: str) -> None:
        clip_id = add(self.ledger, self.root, path, content=content)
        clip = self.clips.setdefault(clip_id, Model(path))
        if clip.state is State.SUPERSEDED:
            clip.state, clip.not_before = State.READY, 0.0
        for other_id, other in self.clips.items():
            is_free = other.holder is None and other.state in REPLACEABLE
            if other_id != clip_id and other.path == path and is_free:
                other.state = State.SUPERSEDED

    @rule(run=st.sampled_from(RUNS), limit=st.integers(1, 3))
    def a_run_claims(self, run: str, limit: int) -> None:
        self._renew(run)
        self._end_dead_runs()
        free = {number for number, clip in self.clips.items() if self._is_claimable(clip)}
        taken = claims.claim(self.ledger, run, limit=limit, lease_seconds=LEASE)
        assert {claim.clip_id for claim in taken} <= free
        names = {self.clips[number].path for number in free}
        assert len({claim.relpath for claim in taken}) == len(taken), "one of each name at a time"
        assert len(taken) == min(limit, len(free)) or len(free) > len(names) >= len(taken) > 0
        for claim in taken:
            clip = self.clips[claim.clip_id]
            clip.token += 1
            clip.holder = run
            assert (claim.token, claim.state) == (clip.token, clip.state)
        self.claims += taken

    @rule(run=st.sampled_from(RUNS))
    def a_run_takes_a_stack(self, run: str) -> None:
        self._renew(run)
        self._end_dead_runs()
        free = {number for number, clip in self.clips.items() if self._lacks_stack(clip)}
        is_busy = any(c.state is State.STACKING and c.holder for c in self.clips.values())
        claim = stack_queue.take_next(self.ledger, run, lease_seconds=LEASE)
        assert (claim is not None) == (bool(free) and not is_busy)
        if claim:
            assert claim.clip_id in free
            clip = self.clips[claim.clip_id]
            clip.token += 1
            clip.holder = run
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(name=st.sampled_from(sorted(MOVE_BY_NAME)), data=st.data())
    def somebody_moves(self, name: str, data: st.DataObject) -> None:
        """With any claim there ever was, in any direction."""
        claim = data.draw(st.sampled_from(self.claims))
        clip = self.clips[claim.clip_id]
        to, move = MOVE_BY_NAME[name]
        if (claim.token, claim.run_id) != (clip.token, clip.holder):
            with pytest.raises(StaleClaim):
                move(self.ledger, claim)
        elif to not in MOVES[clip.state]:
            with pytest.raises(IllegalMove):
                move(self.ledger, claim)
        else:
            self._move(claim, to)

    @precondition(lambda self: self._good_claims())
    @rule(data=st.data())
    def a_run_moves_on(self, data: st.DataObject) -> None:
        """With a good claim in a legal direction, so that clips get anywhere."""
        claim = data.draw(st.sampled_from(self._good_claims()))
        legal = MOVES[self.clips[claim.clip_id].state]
        self._move(claim, data.draw(st.sampled_from(sorted(legal & set(NAME_BY_STATE)))))

    @precondition(lambda self: self._good_claims())
    @rule(data=st.data())
    def a_run_delivers(self, data: st.DataObject) -> None:
        """All the way to where versions meet."""
        claim = data.draw(st.sampled_from(self._good_claims()))
        for state, after in WAY:
            if self.clips[claim.clip_id].state is state:
                self._move(claim, after)

    @precondition(lambda self: self.claims)
    @rule(later=st.booleans(), data=st.data())
    def somebody_gives_back(self, later: bool, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        clip = self.clips[claim.clip_id]
        if (claim.token, claim.run_id) != (clip.token, clip.holder):
            with pytest.raises(StaleClaim):
                self._give_back(claim, later=later)
            return
        until = self._give_back(claim, later=later)
        clip.holder = None
        if until:
            clip.not_before = self.time + (until - self.clock()).total_seconds()

    def _give_back(self, claim: Claimed, *, later: bool) -> datetime | None:
        if later:
            return transitions.postpone(self.ledger, claim, BUSY)
        claims.release(self.ledger, claim)
        return None

    @precondition(lambda self: self._good_claims())
    @rule(data=st.data(), trouble=st.booleans())
    def a_run_leaves_the_stack_for_later(self, data: st.DataObject, trouble: bool) -> None:
        claim = data.draw(st.sampled_from(self._good_claims()))
        clip = self.clips[claim.clip_id]
        if State.DONE not in MOVES[clip.state]:
            with pytest.raises(IllegalMove):
                transitions.postpone_stack(self.ledger, claim, BUSY)
            return
        if not trouble:
            transitions.leave_stack(self.ledger, claim)
            clip.holder, clip.told, clip.not_before = None, True, 0.0
            return
        until = transitions.postpone_stack(self.ledger, claim, BUSY)
        clip.holder, clip.told = None, True
        clip.not_before = self.time + (until - self.clock()).total_seconds()

    @rule(run=st.sampled_from(RUNS))
    def a_run_renews(self, run: str) -> None:
        if run in self.expiry:
            leases.renew(self.ledger, run, lease_seconds=LEASE)
            self._renew(run)
        else:
            with pytest.raises(StaleClaim):
                leases.renew(self.ledger, run, lease_seconds=LEASE)

    @rule(run=st.sampled_from(RUNS))
    def a_run_leaves(self, run: str) -> None:
        leases.end(self.ledger, run)
        self._end(run)

    @rule()
    def somebody_recovers(self) -> None:
        self._spare_after_silence()
        dead = {run for run, expiry in self.expiry.items() if expiry <= self.time}
        assert set(leases.recover(self.ledger).runs) == dead
        self._end_dead_runs()

    @rule(path=st.sampled_from((*PATHS, None)))
    def a_person_retries(self, path: str | None) -> None:
        retrying.retry(self.ledger, path)
        for clip in self.clips.values():
            if clip.holder is not None:
                continue
            named = clip.path == path and clip.state in {*OPEN, State.FAILED, State.SKIPPED}
            if named or (path is None and clip.state is State.FAILED):
                clip.not_before = 0.0
                clip.state = State.READY if clip.state in CLOSED else clip.state

    @rule()
    def somebody_tells_of_many(self) -> None:
        """It changes nothing of any clip's way."""
        batches.gather(self.ledger, studio="main", channel="dailies", project="UNDLM")
        for batch in batches.outdated(self.ledger, "dailies", pause=0):
            states = [clip.state for clip in batch.clips]
            announcement = Announcement(
                key=f"batch-{batch.id}", channel="dailies", payload={"states": states}
            )
            batches.publish(self.ledger, batch, announcement)
        assert batches.outdated(self.ledger, "dailies", pause=0) == []

    @rule(seconds=st.sampled_from([1.0, 31.0, 40.0, 61.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.forward(seconds)
        self.time += seconds

    @invariant()
    def the_ledger_is_as_the_model(self) -> None:
        rows = {row.id: (row.state, row.run_id) for row in queries.rows(self.ledger)}
        assert rows == {number: (clip.state, clip.holder) for number, clip in self.clips.items()}
        delivered = {row.id for row in queries.rows(self.ledger, phase=Phase.DELIVERED)}
        assert delivered == {
            number for number, c in self.clips.items() if c.told or c.state is State.DONE
        }
        dead = {run for run, expiry in self.expiry.items() if expiry <= self.time}
        free = [clip for clip in self.clips.values() if self._is_claimable(clip, dead)]
        assert claims.ready(self.ledger) == len(free)
        waiting = [clip for clip in self.clips.values() if self._lacks_stack(clip, dead)]
        assert stack_queue.due(self.ledger) == len(waiting)

    def _good_claims(self) -> list[Claimed]:
        return [
            claim
            for claim in self.claims
            if (claim.token, claim.run_id)
            == (self.clips[claim.clip_id].token, self.clips[claim.clip_id].holder)
        ]

    def _move(self, claim: Claimed, to: State) -> None:
        move = MOVE_BY_NAME[NAME_BY_STATE[to]][1]
        if to is State.STACKING and self._stack_is_busy(claim.clip_id):
            with pytest.raises(Retry):
                move(self.ledger, claim)
        else:
            move(self.ledger, claim)
            self._moved(claim.clip_id, to)

    def _is_claimable(self, clip: Model, dead: set[str] | None = None) -> bool:
        is_free = clip.holder is None or clip.holder in (dead or ())
        is_due = clip.state in OPEN and clip.not_before <= self.time and not clip.told
        waits = clip.state is State.READY and self._is_begun(clip.path)
        return is_due and is_free and not waits and not self._is_held(clip.path, dead or set())

    def _lacks_stack(self, clip: Model, dead: set[str] | None = None) -> bool:
        is_free = clip.holder is None or clip.holder in (dead or ())
        is_due = clip.told and clip.state in OPEN and clip.not_before <= self.time
        return is_due and is_free

    def _is_held(self, path: str, dead: set[str]) -> bool:
        """Two of one name never travel side by side."""
        same = [clip for clip in self.clips.values() if clip.path == path and not clip.told]
        return any(clip.holder not in {None, *dead} and clip.state in OPEN for clip in same)

    def _is_begun(self, path: str) -> bool:
        """Other content of the path has to be settled first."""
        return any(
            other.path == path
            and other.state in OPEN - {State.READY}
            and not other.told
            and other.not_before <= self.time
            for other in self.clips.values()
        )

    def _stack_is_busy(self, clip_id: int) -> bool:
        if self.stacking in (None, clip_id):
            return False
        holder = self.clips[self.stacking]
        return holder.state is State.STACKING and holder.holder is not None

    def _moved(self, clip_id: int, to: State) -> None:
        clip = self.clips[clip_id]
        clip.state = to
        if to in CLOSED:
            clip.holder = None
        if to is State.ARRIVED:
            clip.not_before = 0.0
        if to is State.STACKING:
            self.stacking = clip_id
        if to is State.STACKED:
            self.stacking = None
            for other in self.clips.values():
                if other.told and other.holder is None and other.state in OPEN:
                    other.state = State.DONE

    def _renew(self, run: str) -> None:
        self._spare_after_silence()
        self.expiry[run] = self.time + LEASE
        self.spared.discard(run)

    def _spare_after_silence(self) -> None:
        """If nobody could renew, all are given time to do so; see `leases`."""
        soon = self.time + LEASE * SILENCE
        unspared = [expiry for run, expiry in self.expiry.items() if run not in self.spared]
        if unspared and max(unspared) < soon:
            for run in [run for run, expiry in self.expiry.items() if expiry < soon]:
                self.expiry[run] = self.time + LEASE * GRACE
                self.spared.add(run)

    def _end_dead_runs(self) -> None:
        for run in [run for run, expiry in self.expiry.items() if expiry <= self.time]:
            self._end(run)

    def _end(self, run: str) -> None:
        self.expiry.pop(run, None)
        self.spared.discard(run)
        for clip in self.clips.values():
            if clip.holder == run:
                clip.holder = None


def test_calls_in_any_order(sqlite_shared: Shared) -> None:
    class Here(AnyOrder):
        def __init__(self) -> None:
            super().__init__(sqlite_shared.engine)

    run_state_machine_as_test(
        Here, settings=settings(max_examples=12, stateful_step_count=40, deadline=None)
    )
