"""A small PNG for each asset: a plain gradient whose colour is drawn from its id."""

from __future__ import annotations

import colorsys
import struct
import zlib

WIDTH, HEIGHT = 320, 180


def thumbnail(asset_id: str) -> bytes:
    """The same picture each time."""
    hue = zlib.crc32(asset_id.encode()) % 360 / 360
    rows = b"".join(_row(hue, 0.55 - 0.4 * line / HEIGHT) for line in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _row(hue: float, light: float) -> bytes:
    red, green, blue = colorsys.hls_to_rgb(hue, light, 0.45)
    return b"\0" + bytes(round(part * 255) for part in (red, green, blue)) * WIDTH


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
