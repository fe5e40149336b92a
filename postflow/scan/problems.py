"""A folder's problems, each told once while it lasts."""

from __future__ import annotations

from postflow.scan.sighting import Problem, Scanned


class Problems:
    """Those that a person has been told of."""

    def __init__(self) -> None:
        self._told: set[Problem] = set()

    @property
    def lasting(self) -> frozenset[Problem]:
        return frozenset(self._told)

    def news(self, scan: Scanned) -> tuple[list[Problem], list[Problem]]:
        """The problems that began, and those that are over, which only a full scan can tell."""
        begun = [each for each in dict.fromkeys(scan.problems) if each not in self._told]
        over = [each for each in self._told if scan.full and _is_over(each, scan.problems)]
        self._told.difference_update(over)
        self._told.update(begun)
        return begun, sorted(over, key=lambda each: each.where)


def _is_over(problem: Problem, found: tuple[Problem, ...]) -> bool:
    """Not found again, and not in a part that could not be looked at."""
    hidden = any(problem.where.startswith(f"{each.where}/") for each in found if each.unread)
    return problem not in found and not hidden
