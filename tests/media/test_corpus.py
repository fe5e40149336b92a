"""Every format whole, cut, and given its size before its content."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from postflow.media.containers.reading import NotWhole, Reader, Whole
from postflow.media.containers.whole import judge, verdict
from tests.media.clips import FORMATS, PECULIAR

PLACES = 50
TAIL = 4096

Clip = Callable[[str], Path]

pytestmark = pytest.mark.slow


def places(name: str, last: int) -> list[int]:
    """Fifty sizes below `last`, the largest first, the same in every run."""
    return sorted(random.Random(name).sample(range(1, last), PLACES), reverse=True)


def accepted(path: Path, sizes: list[int], damage: Callable[[Path, int], None]) -> list[int]:
    """The sizes at which a file, damaged further and further, is not refused."""
    found = []
    for size in sizes:
        damage(path, size)
        if not isinstance(verdict(path), NotWhole):
            found.append(size)
    return found


def zero_from(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(size)
        file.write(bytes(path.stat().st_size - size))


@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_clip_is_whole(clip: Clip, name: str) -> None:
    assert verdict(clip(name)) == Whole()


@pytest.mark.parametrize("name", PECULIAR)
def test_a_whole_clip_with_zeros_where_they_belong_is_not_refused(clip: Clip, name: str) -> None:
    assert not isinstance(verdict(clip(name)), NotWhole)


@pytest.mark.parametrize("name", FORMATS)
def test_a_clip_cut_anywhere_is_refused(copy: Clip, name: str) -> None:
    path = copy(name)
    size = path.stat().st_size
    cuts = [size - missing for missing in range(1, 9)] + places(name, size - 8)
    assert accepted(path, cuts, os.truncate) == []


@pytest.mark.parametrize("name", [*FORMATS, "reserved_index.mov"])
def test_a_clip_whose_end_is_not_written_yet_is_refused(copy: Clip, name: str) -> None:
    """Preallocated: the full size from the start, zeros for what is still to come."""
    path = copy(name)
    last = path.stat().st_size - TAIL
    assert accepted(path, [last, *places(name, last)], zero_from) == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_clip_of_nothing_but_zeros_is_refused(copy: Clip, name: str) -> None:
    path = copy(name)
    zero_from(path, 0)
    assert isinstance(verdict(path), NotWhole)


@pytest.mark.parametrize("name", [*FORMATS, *PECULIAR])
def test_a_look_costs_few_small_reads(clip: Clip, name: str) -> None:
    with clip(name).open("rb") as file:
        reader = Reader(file.fileno(), os.fstat(file.fileno()).st_size)
        judge(reader, Path(name).suffix)
    assert reader.calls <= 100
    assert reader.read <= 64 * 1024


@pytest.mark.parametrize("name", FORMATS)
def test_no_damage_raises_or_reads_too_much(copy: Clip, name: str) -> None:
    """Headers overwritten at random: any verdict will do, as long as there is one."""
    path = copy(name)
    original = path.read_bytes()
    chance = random.Random(name)
    for _ in range(60):
        data = bytearray(original)
        for _ in range(chance.randint(1, 4)):
            at = chance.choice([chance.randrange(len(data)), chance.randrange(2000)])
            data[at : at + 4] = chance.choice([bytes(4), b"\xff" * 4, chance.randbytes(4)])
        path.write_bytes(data)
        with path.open("rb") as file:
            reader = Reader(file.fileno(), len(data))
            judge(reader, path.suffix)
        assert reader.read <= 1024 * 1024
