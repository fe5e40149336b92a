"""Room that a file keeps free: blank, or with what an editor left of an index or of metadata."""

from __future__ import annotations

from .reader import Reader, spread

BLANK = b"\0\t\n\r "
PIECE = 4096
PIECES = 8
NEAR = 256
# An editor that moves the index, or that takes a packet out, makes `free` of the old one's name.
LEFT_OVER = frozenset(
    (b"mvhd", b"trak", b"udta", b"meta", b"moov", b"cmov", b"iods", b"ilst", b"hdlr", b"XMP_")
)
COPYRIGHT = 0xA9
PACKETS = (b"<?xpacket", b"<x:xmpmeta", b"<?xml", b"<rdf:RDF")
IDENTIFIERS = (
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"),  # XMP
    bytes.fromhex("d8fec3d61b0e483c92975828877ec481"),  # C2PA
)


def is_padding(reader: Reader, start: int, stop: int) -> bool:
    return (
        is_blank(reader, start, stop)
        or is_metadata(reader, start)
        or _is_left_over(reader, start, stop)
    )


def is_blank(reader: Reader, start: int, stop: int) -> bool:
    """Zeros and white space, as far as some pieces of a longer part can tell."""
    pieces = -(-(stop - start) // PIECE)
    return not any(
        reader.at(at, min(PIECE, stop - at)).strip(BLANK)
        for at in (start + place * PIECE for place in spread(pieces, PIECES))
    )


def is_metadata(reader: Reader, start: int) -> bool:
    """A packet of XMP or of another kind that is known."""
    head = reader.some(start, NEAR)
    return head.startswith(IDENTIFIERS) or any(packet in head for packet in PACKETS)


def _is_left_over(reader: Reader, start: int, stop: int) -> bool:
    head = reader.some(start, 12)
    size, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if head[8:12] == b"hdlr":  # the body of a `meta` begins with four bytes of its own
        return True
    return 8 <= size <= stop - start and (kind in LEFT_OVER or kind[:1] == bytes([COPYRIGHT]))
