"""Coverage against the plainest model there is: a set of positions."""

from __future__ import annotations

import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from postflow.outlet.ranges import Coverage

positions = st.integers(0, 60)


class AgainstASet(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.coverage = Coverage()
        self.model: set[int] = set()

    @rule(start=positions, stop=positions)
    def add(self, start: int, stop: int) -> None:
        self.coverage.add(start, stop)
        self.model.update(range(start, stop))

    @invariant()
    def counts_every_byte_once(self) -> None:
        assert self.coverage.covered == len(self.model)

    @invariant()
    def keeps_as_few_intervals_as_possible(self) -> None:
        gaps = sum(place + 1 not in self.model for place in self.model)
        assert len(self.coverage) == gaps


TestAgainstASet = AgainstASet.TestCase


@given(size=st.integers(1, 10**15), cuts=st.lists(st.integers(0, 10**15)), order=st.randoms())
def test_pieces_in_any_order_make_a_whole(size: int, cuts: list[int], order: Random) -> None:
    edges = sorted({0, size, *(cut for cut in cuts if cut < size)})
    pieces = list(itertools.pairwise(edges))
    order.shuffle(pieces)
    coverage = Coverage()
    for start, stop in pieces:
        coverage.add(start, stop)
    assert coverage.covered == size
    assert len(coverage) == 1


def test_nothing_is_covered_by_nothing() -> None:
    coverage = Coverage()
    coverage.add(5, 5)
    coverage.add(7, 3)
    assert coverage.covered == len(coverage) == 0
