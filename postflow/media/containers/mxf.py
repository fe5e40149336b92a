"""MXF: a header partition at the front, a footer partition and a random index pack at the end.

Layout: SMPTE ST 377-1, sections 6 (KLV), 7 (partitions) and 12 (random index pack).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from postflow.language import N_

from .reading import (
    ASTRAY,
    HOLE,
    BrokenError,
    NoMediaError,
    Reader,
    Unknown,
    Verdict,
    Whole,
    judge_behind,
    spread,
)

KEY = 16
NEAR_THE_END = 256 * 1024
PREFIX = bytes.fromhex("060e2b34")
# Byte 8 of a key is the version of the registry; it says nothing about the meaning.
PARTITION = bytes.fromhex("060e2b3402050100") + bytes.fromhex("0d01020101")
RANDOM_INDEX = PARTITION + bytes.fromhex("110100")
FILL = bytes.fromhex("060e2b3401010100") + bytes.fromhex("0301021001")
ESSENCE = bytes.fromhex("060e2b3401020100") + bytes.fromhex("0d010301")
# Sets, packs and fill: all that is described, and all that describes.
METADATA = (bytes.fromhex("060e2b340253"), bytes.fromhex("060e2b340205"), FILL)
PARTITION_KINDS = frozenset((2, 3, 4))
CLOSED = frozenset((2, 4))
WIDEST_LENGTH = 8


class Item(NamedTuple):
    """One key-length-value: offsets in bytes from the start of the file."""

    key: bytes
    body: int
    end: int


class Partition(NamedTuple):
    kind: int
    closed: bool
    body_end: int
    footer: int
    metadata_bytes: int
    index_bytes: int


class NoKeyError(BrokenError):
    """No key stands where one should."""


def plain(key: bytes) -> bytes:
    return key[:7] + b"\0" + key[8:]


def read_item(reader: Reader, start: int) -> Item:
    """The item at `start`, which may end behind the file."""
    head = reader.some(start, KEY + 1 + WIDEST_LENGTH)
    if len(head) <= KEY or not head.startswith(PREFIX):
        raise NoKeyError("has no MXF key where one should be: it is cut or not written yet")
    first, body = head[KEY], start + KEY + 1
    if first < 0x80:
        return Item(plain(head[:KEY]), body, body + first)
    width = first & 0x7F
    if not 0 < width <= WIDEST_LENGTH:
        raise BrokenError("has an MXF item without a length in it")
    length = int.from_bytes(head[KEY + 1 : KEY + 1 + width], "big")
    return Item(plain(head[:KEY]), body + width, body + width + length)


def items(reader: Reader, start: int, cut: str) -> Iterator[Item]:
    """Item after item to the end of the file; BrokenError `cut` where one ends behind it."""
    while start < reader.size:
        item = read_item(reader, start)
        if item.end > reader.size:
            raise BrokenError(cut)
        yield item
        start = item.end


def partition(reader: Reader, start: int, kind: int | None = None) -> Partition:
    """The partition at `start`; BrokenError where none is, or one of another kind."""
    head = reader.some(start, KEY)
    if not _is_partition(head) or (kind is not None and head[13] != kind):
        raise BrokenError("has no MXF partition where its index names one")
    item = read_item(reader, start)
    offsets = reader.at(item.body + 24, 24)
    footer, metadata, index = (int.from_bytes(offsets[at : at + 8], "big") for at in (0, 8, 16))
    return Partition(item.key[13], item.key[14] in CLOSED, item.end, footer, metadata, index)


def last_key(reader: Reader, key: bytes) -> int | None:
    """Where the last item whose key begins so starts, in the last 256 KiB of the file."""
    begin = max(0, reader.size - NEAR_THE_END)
    reader.load(begin, reader.size)
    near = reader.at(begin, reader.size - begin)
    at = near.rfind(PREFIX)
    while at >= 0:
        found = plain(near[at : at + KEY])
        if found.startswith(key) and (key != PARTITION or _is_partition(found)):
            return begin + at
        at = near.rfind(PREFIX, 0, at)
    return None


def _is_partition(key: bytes) -> bool:
    found = plain(key)
    return found.startswith(PARTITION) and len(found) == KEY and found[13] in PARTITION_KINDS


LONGEST_RUN_IN = 64 * 1024
HEADER, FOOTER = 2, 4
ENTRY = 12
BEFORE_MEDIA = 64
MEDIA = bytes.fromhex("0d0103")
CUT_FOOTER = N_("ends within its footer")
CUT_KEY = N_("ends in the middle of a key")
NO_FOOTER = N_("has an open header and no footer: its writer has not finished it")


def begins_like_mxf(head: bytes) -> bool:
    return plain(head[:KEY]).startswith(PARTITION)


def judge(reader: Reader) -> Verdict:
    """Whether the file ends as MXF does: with its random index, or with its whole footer."""
    origin = run_in(reader)
    header = partition(reader, origin, HEADER)
    first_essence(reader, header)
    pack = random_index(reader)
    if pack is not None:
        behind = _judge_behind(reader, pack.end)
        if _finds_partitions(reader, pack, origin) or not isinstance(behind, Whole):
            return behind
        return Unknown(reason=ASTRAY)
    start = footer_of(reader, origin, header)
    if start is not None:
        return _judge_footer(reader, start)
    if not header.closed:
        raise BrokenError(NO_FOOTER)
    _demand_last_essence(reader)
    return Unknown(reason="is MXF without a footer, so nothing in it says where it ends")


def run_in(reader: Reader) -> int:
    """What may stand before the header partition: nothing, or up to 64 KiB."""
    if begins_like_mxf(reader.some(0, KEY)):
        return 0
    head = reader.some(0, LONGEST_RUN_IN + KEY)
    start = head.find(PREFIX)
    while start >= 0:
        if begins_like_mxf(head[start:]):
            return start
        start = head.find(PREFIX, start + 1)
    raise NoMediaError("has no MXF header at its front")


def random_index(reader: Reader) -> Item | None:
    """The random index pack near the end of the file; its last 4 bytes are its own length."""
    start: int | None = reader.size - reader.number(reader.size - 4, 4)
    if not plain(reader.some(start or 0, KEY)).startswith(RANDOM_INDEX):
        start = last_key(reader, RANDOM_INDEX)
    if start is None:
        return None
    pack = read_item(reader, start)
    if pack.end > reader.size or not reader.number(pack.end - 4, 4):
        raise BrokenError("ends within its random index")
    return pack


def entries(reader: Reader, pack: Item) -> list[int]:
    """Some offsets of partitions that the pack names, the last one among them."""
    count = (pack.end - 4 - pack.body) // ENTRY
    return [reader.number(pack.body + place * ENTRY + 4, 8) for place in spread(count)]


def footer_of(reader: Reader, origin: int, header: Partition) -> int | None:
    """Where the footer starts, by the header or as the last partition; None where there is none.

    An open header need not know it (ST 377-1, 6.2.4).
    """
    if header.footer:
        return origin + header.footer
    start = last_key(reader, PARTITION)
    if start is None or start == origin:
        return None
    found = partition(reader, start)
    return start if found.kind == FOOTER else None


def first_essence(reader: Reader, header: Partition) -> int | None:
    """Where the first piece of picture or sound starts; None where nobody sees it.

    BrokenError where the file ends without one.
    """
    at = behind_metadata(reader, header)
    for _ in range(BEFORE_MEDIA):
        if at == reader.size:
            raise BrokenError("has no frame in it: its export ended before the first one")
        try:
            item = read_item(reader, at)
        except BrokenError:
            return None
        if item.key[8:11] == MEDIA:
            return at
        at = item.end
    return None


def behind_metadata(reader: Reader, found: Partition) -> int:
    """Where what a partition says of its metadata and its index ends."""
    return _behind_fill(reader, found.body_end) + found.metadata_bytes + found.index_bytes


def _behind_fill(reader: Reader, at: int) -> int:
    is_fill = plain(reader.some(at, KEY)).startswith(FILL)
    return read_item(reader, at).end if is_fill else at


def _finds_partitions(reader: Reader, pack: Item, origin: int) -> bool:
    """Is there one wherever the pack names one? BrokenError where it names what is not there.

    Some writers count from the file's first byte, whatever stands before the header.
    """
    named = entries(reader, pack)
    heads = {base: [reader.some(base + offset, KEY) for offset in named] for base in (origin, 0)}
    base = max(heads, key=lambda each: sum(map(_is_partition, heads[each])))
    if any(base + offset >= pack.body for offset in named):
        raise BrokenError("ends before the last part that its random index names")
    if not all(map(any, heads[base])):
        raise BrokenError(HOLE)
    return all(map(_is_partition, heads[base]))


def _judge_footer(reader: Reader, start: int) -> Verdict:
    """A random index is optional: without one, the footer's items have to end with the file."""
    if start + KEY >= reader.size:
        there = N_(
            "ends before its footer: {size:,} of over {start:,} bytes are there",
            size=reader.size,
            start=start,
        )
        raise BrokenError(there)
    head = reader.some(start, KEY)
    if any(head) and not (_is_partition(head) and head[13] == FOOTER):
        return Unknown(reason=ASTRAY)
    footer = partition(reader, start, FOOTER)
    declared = footer.body_end + footer.metadata_bytes + footer.index_bytes
    if declared > reader.size:
        raise BrokenError(CUT_FOOTER)
    at = footer.body_end
    try:
        for item in items(reader, at, CUT_FOOTER):
            at = item.end
    except NoKeyError:
        if at < declared:
            raise
    return _judge_behind(reader, at)


def _judge_behind(reader: Reader, at: int) -> Verdict:
    """Fill items may follow; anything else is a stranger."""
    with suppress(BrokenError):
        for item in items(reader, at, CUT_KEY):
            if not item.key.startswith(FILL):
                break
            at = item.end
    rest = reader.some(at, len(PREFIX))
    if reader.size - at < KEY and rest and PREFIX.startswith(rest):
        raise BrokenError(CUT_KEY)
    return judge_behind(reader, at)


def _demand_last_essence(reader: Reader) -> None:
    """From the last piece of picture or sound in sight on, item follows item to the end."""
    last = last_key(reader, ESSENCE)
    if last is None:
        return
    if reader.size - last <= KEY:
        raise BrokenError(CUT_KEY)
    for item in items(reader, last, N_("ends in the middle of a frame")):
        if 0 < reader.size - item.end <= KEY:
            raise BrokenError(CUT_KEY)
