"""MXF: a header partition at the front, a footer partition and a random index pack at the end.

Layout: SMPTE ST 377-1, sections 6 (KLV), 7 (partitions) and 12 (random index pack).
"""

from __future__ import annotations

from typing import NamedTuple

from postflow.readiness.reader import BrokenError, Reader
from postflow.readiness.verdicts import Unknown, Verdict, Whole

KEY = 16
LONGEST_RUN_IN = 64 * 1024
PREFIX = bytes.fromhex("060e2b34")
# Byte 8 of a key is the version of the registry; it says nothing about the meaning.
PARTITION = bytes.fromhex("060e2b3402050100") + bytes.fromhex("0d01020101")
RANDOM_INDEX = PARTITION + bytes.fromhex("110100")
HEADER, FOOTER = 2, 4
CLOSED = frozenset((2, 4))


class _Item(NamedTuple):
    """One key-length-value: offsets in bytes from the start of the file."""

    key: bytes
    body: int
    end: int


class _Partition(NamedTuple):
    kind: int
    closed: bool
    body_end: int
    footer: int
    metadata_bytes: int
    index_bytes: int


def begins_like_mxf(head: bytes) -> bool:
    return _plain(head[:KEY]).startswith(PARTITION)


def judge(reader: Reader) -> Verdict:
    """Whether the file ends as MXF does: with its random index, or with its whole footer."""
    origin = _run_in(reader)
    header = _partition(reader, origin, HEADER)
    listed = _last_listed(reader)
    if listed is not None:
        _partition(reader, origin + listed)
        return Whole()
    if header.footer:
        return _judge_footer(reader, origin + header.footer)
    if not header.closed:
        raise BrokenError("has an open header and no footer: its writer has not finished it")
    return Unknown(reason="is MXF without a footer, so nothing in it says where it ends")


def _plain(key: bytes) -> bytes:
    return key[:7] + b"\0" + key[8:]


def _run_in(reader: Reader) -> int:
    """What may stand before the header partition: nothing, or up to 64 KiB."""
    if begins_like_mxf(reader.at(0, min(KEY, reader.size))):
        return 0
    head = reader.at(0, min(LONGEST_RUN_IN + KEY, reader.size))
    start = head.find(PREFIX)
    if start < 0 or not begins_like_mxf(head[start:]):
        raise BrokenError("has no MXF header at its front")
    return start


def _item(reader: Reader, start: int) -> _Item:
    head = reader.at(start, min(KEY + 9, reader.size - start))
    if len(head) <= KEY or not head.startswith(PREFIX):
        raise BrokenError("has no MXF key where one should be: it is cut or still being copied")
    first, body = head[KEY], start + KEY + 1
    if first < 0x80:
        return _Item(_plain(head[:KEY]), body, body + first)
    width = first & 0x7F
    length = int.from_bytes(head[KEY + 1 : KEY + 1 + width], "big")
    return _Item(_plain(head[:KEY]), body + width, body + width + length)


def _partition(reader: Reader, start: int, kind: int | None = None) -> _Partition:
    item = _item(reader, start)
    if not item.key.startswith(PARTITION) or (kind is not None and item.key[13] != kind):
        raise BrokenError("has no MXF partition where its index names one")
    offsets = reader.at(item.body + 24, 24)
    footer, metadata, index = (int.from_bytes(offsets[at : at + 8], "big") for at in (0, 8, 16))
    return _Partition(item.key[13], item.key[14] in CLOSED, item.end, footer, metadata, index)


def _last_listed(reader: Reader) -> int | None:
    """The offset of the last partition in the random index pack that closes the file, if any."""
    length = reader.number(reader.size - 4, 4)
    if not KEY + 17 <= length <= reader.size:
        return None
    pack = _item_or_none(reader, reader.size - length)
    if pack is None or pack.key != RANDOM_INDEX:
        return None
    return reader.number(reader.size - 12, 8)


def _item_or_none(reader: Reader, start: int) -> _Item | None:
    try:
        return _item(reader, start)
    except BrokenError:
        return None


def _judge_footer(reader: Reader, start: int) -> Verdict:
    """A random index is optional: without one, the footer's items have to end with the file."""
    footer = _partition(reader, start, FOOTER)
    if footer.body_end + footer.metadata_bytes + footer.index_bytes > reader.size:
        raise BrokenError("ends within its footer")
    at = footer.body_end
    while at < reader.size:
        item = _item(reader, at)
        if item.key == RANDOM_INDEX:
            raise BrokenError("ends within its random index")
        at = item.end
    if at != reader.size:
        raise BrokenError("ends within its footer")
    return Whole()
