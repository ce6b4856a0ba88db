"""JSON: one array of objects, or an object a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from buttress.exports.cells import as_text, plain
from buttress.exports.rows import OpenRows


def json_chunks(
    rows: OpenRows, *, lines: bool, decimals: Literal["string", "number"]
) -> Iterator[bytes]:
    """The file piece by piece.

    NaN and infinities are null, moments ISO 8601 in UTC, bytes base64, documents themselves;
    decimals are strings, which keep all digits, unless asked for as numbers.
    """
    encode = msgspec.json.Encoder(decimal_format=decimals, enc_hook=as_text).encode
    between, mark = (b"\n", b"") if lines else (b",\n", b"[\n")
    for batch in rows.batches:
        objects = [
            encode({name: plain(value) for name, value in zip(rows.names, row, strict=True)})
            for row in batch
        ]
        if objects:
            yield mark + between.join(objects)
            mark = between
    if lines:
        yield b"\n" if mark else b""
    else:
        yield b"\n]\n" if mark == between else b"[]\n"
