"""Which hosts live, what they reach, and who of them is called."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from postflow.errors import Fatal
from postflow.flows.calling import Slot, to_be_called
from postflow.ledger import Ledger, Root, claims, hosts, roots
from postflow.ledger.hosts import Host, HostSign, Part
from postflow.service.check import troubles
from postflow.state import this_host
from tests.ledger.ground import Clock, add_many

MINUTE = timedelta(seconds=60)
ME = this_host()


def said(ledger: Ledger, name: str, *reach: int, part: Part = "watch", boot: str = "1") -> HostSign:
    return HostSign(
        studio="main",
        name=name,
        part=part,
        machine=f"{name} {boot}",
        run_id=f"run of {name}, {part}, {boot}",
        since=ledger.now(),
        at_once=4,
        ahead=0.0,
        folders=dict.fromkeys(reach, f"/{name}/show"),
        missing={} if reach else {f"/{name}/show": "no volume"},
        scanned_at=None,
    )


def test_a_host_lives_while_it_says_so_and_what_it_said_last_stays(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    add_many(ledger, root, 3)
    for name, reach in (("a", [root.id]), ("b", [root.id]), ("without", [])):
        hosts.sign(ledger, said(ledger, name, *reach), lasts=MINUTE)
    claims.claim(ledger, said(ledger, "a").run_id, limit=2)
    assert hosts.sharing(ledger, "main", [root.id]) == 2
    assert hosts.sharing(ledger, "other", [root.id]) == 0

    clock.forward(45)
    hosts.sign(ledger, said(ledger, "a", root.id), lasts=MINUTE)
    hosts.leave(ledger, said(ledger, "without"))
    clock.forward(20)

    known = {each.name: each for each in hosts.known(ledger, "main")}
    assert [name for name, each in known.items() if each.lives] == ["a"]
    assert (known["a"].travelling, known["b"].travelling) == (2, 0)
    assert known["b"].folders == {root.id: "/b/show"}
    assert known["without"].missing == {"/without/show": "no volume"}
    assert hosts.forget(ledger, "main", "b")
    assert not hosts.forget(ledger, "main", "b")
    with pytest.raises(Fatal, match="The host a lives"):
        hosts.forget(ledger, "main", "a")


def test_two_machines_of_one_name_are_both_known_until_one_is_dead(
    ledger: Ledger, root: Root, clock: Clock
) -> None:
    for boot in ("1", "2"):
        hosts.sign(ledger, said(ledger, "a", root.id, boot=boot), lasts=MINUTE)
    assert [each.lives for each in hosts.known(ledger, "main")] == [True, True]
    assert hosts.sharing(ledger, "main", [root.id]) == 1
    clock.forward(61)
    hosts.sign(ledger, said(ledger, "a", root.id, boot="2"), lasts=MINUTE)
    assert [each.machine for each in hosts.known(ledger, "main")] == ["a 2"]


def test_a_folder_that_another_host_has_elsewhere_is_still_looked_for_here(
    ledger: Ledger, root: Root
) -> None:
    """Else an empty mount point would be taken for a folder that nobody has watched."""
    there = Path("/Volumes/show")
    roots.mounted(ledger, "main", there, root.mark)
    for path in (root.path, there):
        assert roots.marks_at(ledger, "main", path) == (root.mark,)


def host(name: str, *reach: int, lives: bool = True, part: Part = "watch") -> Host:
    with Ledger.open() as ledger:
        now, sign = ledger.now(), said(ledger, name, *reach, part=part)
    return Host(**dict(sign), seen_at=now, expires_at=now, lives=lives, travelling=0)


@pytest.mark.parametrize(
    ("free", "known", "called"),
    [
        pytest.param([], [], None, id="all slots are taken"),
        pytest.param([None], [], set(), id="one deployment for all"),
        pytest.param([ME, "b"], [], {ME, "b"}, id="a worker of which nothing is known"),
        pytest.param([ME, "b"], [host("b", 1)], {ME}, id="its own watcher calls it"),
        pytest.param(["b"], [host("b", 1)], None, id="it alone is free, and called by its own"),
        pytest.param([ME, "b"], [host("b", 1, lives=False)], {ME, "b"}, id="its watcher is dead"),
        pytest.param([ME, "b"], [host("b", 2, lives=False)], {ME}, id="it has another folder"),
        pytest.param(
            ["b"], [host("b", 1, part="ingest", lives=False)], {"b"}, id="a worker that ran before"
        ),
    ],
)
def test_who_is_called(free: list[str | None], known: list[Host], called: set[str] | None) -> None:
    slots = [Slot(each, is_free=each in free) for each in {None, ME, "b", *free}]
    assert to_be_called(slots, known, [1]) == called


def test_what_is_wrong_among_hosts_is_said_of_each() -> None:
    sound, slow, lacking = host("a", 1), host("b", 1), host("c")
    assert list(troubles([sound])) == []
    slow = slow.model_copy(update={"ahead": -120.0})
    other = sound.model_copy(update={"machine": "a 2"})
    assert list(troubles([sound, slow, lacking, other])) == [
        "2 machines are called a",
        "the clock of b is 120 s behind the database's",
        "c does not reach /c/show (no volume)",
    ]
