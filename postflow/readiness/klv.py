"""Keys, lengths and values, which MXF files are made of (SMPTE ST 336 and ST 377-1)."""

from __future__ import annotations

from typing import NamedTuple

from .reader import BrokenError, Reader

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

    def __init__(self) -> None:
        super().__init__("has no MXF key where one should be: it is cut or not written yet")


def plain(key: bytes) -> bytes:
    return key[:7] + b"\0" + key[8:]


def read_item(reader: Reader, start: int) -> Item:
    """The item at `start`, which may end behind the file."""
    head = reader.some(start, KEY + 1 + WIDEST_LENGTH)
    if len(head) <= KEY or not head.startswith(PREFIX):
        raise NoKeyError
    first, body = head[KEY], start + KEY + 1
    if first < 0x80:
        return Item(plain(head[:KEY]), body, body + first)
    width = first & 0x7F
    if not 0 < width <= WIDEST_LENGTH:
        raise BrokenError("has an MXF item without a length in it")
    length = int.from_bytes(head[KEY + 1 : KEY + 1 + width], "big")
    return Item(plain(head[:KEY]), body + width, body + width + length)


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
