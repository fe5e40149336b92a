"""MXF: a header partition at the front, a footer partition and a random index pack at the end.

Layout: SMPTE ST 377-1, sections 6 (KLV), 7 (partitions) and 12 (random index pack).
"""

from __future__ import annotations

from .klv import (
    ESSENCE,
    FILL,
    KEY,
    PARTITION,
    PREFIX,
    RANDOM_INDEX,
    Item,
    NoKeyError,
    Partition,
    last_key,
    partition,
    plain,
    read_item,
)
from .reader import BrokenError, NoMediaError, Reader, spread
from .tail import judge_behind
from .verdicts import Unknown, Verdict

LONGEST_RUN_IN = 64 * 1024
HEADER, FOOTER = 2, 4
ENTRY = 12
BEFORE_MEDIA = 64
MEDIA = bytes.fromhex("0d0103")
NO_FOOTER = "has an open header and no footer: its writer has not finished it"


def begins_like_mxf(head: bytes) -> bool:
    return plain(head[:KEY]).startswith(PARTITION)


def judge(reader: Reader) -> Verdict:
    """Whether the file ends as MXF does: with its random index, or with its whole footer."""
    origin = run_in(reader)
    header = partition(reader, origin, HEADER)
    first_essence(reader, header)
    pack = random_index(reader)
    if pack is not None:
        _demand_partitions(reader, pack, origin)
        return _judge_behind(reader, pack.end)
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
    if pack.end > reader.size or reader.number(pack.end - 4, 4) != pack.end - start:
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


def _demand_partitions(reader: Reader, pack: Item, origin: int) -> None:
    for offset in entries(reader, pack):
        if origin + offset >= pack.body:
            raise BrokenError("ends before the last part that its random index names")
        partition(reader, origin + offset)


def _judge_footer(reader: Reader, start: int) -> Verdict:
    """A random index is optional: without one, the footer's items have to end with the file."""
    if start + KEY >= reader.size:
        raise BrokenError(
            f"ends before its footer: {reader.size:,} of over {start:,} bytes are there"
        )
    footer = partition(reader, start, FOOTER)
    declared = footer.body_end + footer.metadata_bytes + footer.index_bytes
    if declared > reader.size:
        raise BrokenError("ends within its footer")
    at = footer.body_end
    try:
        while at < reader.size:
            item = read_item(reader, at)
            if item.end > reader.size:
                raise BrokenError("ends within its footer")
            at = item.end
    except NoKeyError:
        if at < declared:
            raise
    return _judge_behind(reader, at)


def _judge_behind(reader: Reader, at: int) -> Verdict:
    """Fill items may follow; anything else is a stranger."""
    try:
        while at < reader.size:
            item = read_item(reader, at)
            if not item.key.startswith(FILL) or item.end > reader.size:
                break
            at = item.end
    except BrokenError:
        pass
    if reader.size - at < KEY and reader.some(at, len(PREFIX)) == PREFIX:
        raise BrokenError("ends in the middle of a key")
    return judge_behind(reader, at)


def _demand_last_essence(reader: Reader) -> None:
    """From the last piece of picture or sound in sight on, item follows item to the end."""
    at = last_key(reader, ESSENCE)
    while at is not None and at < reader.size:
        if reader.size - at <= KEY:
            raise BrokenError("ends in the middle of a key")
        item = read_item(reader, at)
        if item.end > reader.size:
            raise BrokenError("ends in the middle of a frame")
        at = item.end
