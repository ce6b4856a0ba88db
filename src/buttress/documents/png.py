"""Pixels as PNG, without a library of images in the jail."""

from __future__ import annotations

import struct
import zlib

COLOUR_TYPES = {1: 0, 3: 2}
"""Bytes a pixel (gray, red-green-blue) and what PNG calls them."""

COMPRESSION = 3


def png(width: int, height: int, stride: int, pixels: bytes, bytes_a_pixel: int) -> bytes:
    """A PNG of rows of pixels; `stride` is how many bytes one row takes, padding included."""
    used = width * bytes_a_pixel
    rows = b"".join(b"\0" + pixels[at : at + used] for at in range(0, height * stride, stride))
    head = struct.pack("!IIBBBBB", width, height, 8, COLOUR_TYPES[bytes_a_pixel], 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", head),
            _chunk(b"IDAT", zlib.compress(rows, COMPRESSION)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))
