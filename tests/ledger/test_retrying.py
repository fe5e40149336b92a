"""A person's word is about one clip, and about no other that goes by the same name."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postflow.delivery.by_hand import open_by_hand
from postflow.delivery.record import DeliveryRecord
from postflow.errors import Skip
from postflow.ledger import (
    AsyncLedger,
    Clip,
    Ledger,
    Phase,
    Root,
    State,
    leases,
    open_ledger,
    queries,
    retrying,
    roots,
    transitions,
)
from postflow.ledger.leases import hold_lease
from postflow.media.probe import probe_media
from postflow.sandbox.clips import clip_path
from tests.ledger.ground import add, bring_to_arrived, claim_one

NAME = "final.mov"
NO_NAME = Skip("No name.", hint="Rename it.", code="name.unknown")


class Hands:
    """A person who hands clips over, and a Frame.io of which somebody may have deleted files."""

    def __init__(self, ledger: AsyncLedger, watched: Path) -> None:
        self.ledger = ledger
        self.watched = watched
        self.gone: set[str] = set()
        self._runs = 0

    async def give(self, clip: Path) -> DeliveryRecord:
        async def is_gone(_account: str, file: str) -> bool:
            return file in self.gone

        self._runs += 1
        run = f"run-{self._runs}"
        media = await probe_media(clip)
        await self.ledger.run(leases.start, run)
        return await open_by_hand(
            self.ledger, "main", media, folders=[self.watched], run_id=run, is_gone=is_gone
        )

    async def give_in_vain(self, clip: Path) -> None:
        await (await self.give(clip)).end(NO_NAME)

    async def rows(self) -> dict[Path, Clip]:
        clips = await self.ledger.run(queries.rows)
        known = {each.id: each.path for each in await self.ledger.run(retrying.named, NAME)}
        return {known[clip.id]: clip for clip in clips}


@pytest.fixture
async def hands(tmp_path: Path) -> AsyncIterator[Hands]:
    async with open_ledger(tmp_path / "ledger.db") as ledger, hold_lease(ledger, "duty"):
        yield Hands(ledger, tmp_path / "watched")


def clip_in(folder: Path, *, atoms: int) -> Path:
    folder.mkdir()
    shutil.copyfile(clip_path(), folder / NAME)
    with (folder / NAME).open("ab") as file:
        file.write(b"\0\0\0\x08free" * atoms)
    return folder / NAME


async def test_another_file_of_the_same_name_is_never_touched(hands: Hands, tmp_path: Path) -> None:
    watched, other = clip_in(hands.watched, atoms=1), clip_in(tmp_path / "extra", atoms=2)
    for clip in (watched, other):
        await hands.give_in_vain(clip)
    before = await hands.rows()
    await hands.give_in_vain(other)
    after = await hands.rows()
    assert after[watched] == before[watched]
    assert [step.event for step in await hands.ledger.run(queries.steps, after[watched].id)].count(
        "retry"
    ) == 0
    assert [step.event for step in await hands.ledger.run(queries.steps, after[other].id)].count(
        "retry"
    ) == 1


@pytest.mark.parametrize("is_gone", [True, False])
async def test_a_delivered_clip_travels_again_only_if_it_is_gone_from_frameio(
    is_gone: bool, hands: Hands
) -> None:
    clip = clip_in(hands.watched, atoms=0)
    await hands.give(clip)
    own = hands.ledger.ledger
    (row,) = queries.rows(own)
    assert row.run_id
    await hands.ledger.run(leases.end, row.run_id)
    transitions.done(own, bring_to_arrived(own, claim_one(own)))
    (row,) = queries.rows(own)
    hands.gone = {str(row.file_id)} if is_gone else set()
    again = await hands.give(clip)
    (row,) = queries.rows(own)
    assert (again.key is not None) == is_gone, "it has a claim, and a message"
    assert again.clip_id == row.id
    assert (row.state, row.view_url is None) == (
        (State.READY, True) if is_gone else (State.DONE, False)
    )


def test_what_goes_by_a_name_is_told_by_its_paths(ledger: Ledger, root: Root) -> None:
    other = roots.add(ledger, "main", Path("/mnt/extra"))
    for folder, path in ((root, NAME), (root, f"SQ07/{NAME}"), (other, NAME)):
        add(ledger, folder, path)
    paths = [root.path / NAME, root.path / "SQ07" / NAME, other.path / NAME]
    assert [each.path for each in retrying.named(ledger, NAME)] == paths
    assert [each.path for each in retrying.named(ledger, f"SQ07/{NAME}")] == paths[1:2]
    for there in paths:
        assert [each.path for each in retrying.named(ledger, str(there))] == [there]
    assert retrying.named(ledger, NAME, studio="other") == []


def test_a_clip_is_redone_once_and_never_while_a_run_has_it(ledger: Ledger, root: Root) -> None:
    add(ledger, root, NAME)
    claim = bring_to_arrived(ledger, claim_one(ledger))
    assert not retrying.redo(ledger, claim.clip_id, str(claim.file_id))
    transitions.done(ledger, claim)
    assert not retrying.redo(ledger, claim.clip_id, "another file")
    assert retrying.redo(ledger, claim.clip_id, str(claim.file_id))
    assert not retrying.redo(ledger, claim.clip_id, str(claim.file_id))
    assert queries.counts(ledger)[Phase.WAITING] == 1
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    assert queries.counts(ledger)[Phase.DELIVERED] == 1
