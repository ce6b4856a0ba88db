"""Arrow batches in PostgreSQL's binary COPY format, column by column instead of value by value.

A row of the format is the number of its fields, then each field's length and bytes, so fields of
one column lie at irregular places. Values of equal width are written by one vectorised copy to
all their places; a text column is as many such copies as it has different lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psycopg.types.numeric import DecimalBinaryDumper

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_DAYS_1970_TO_2000 = 10_957
_MICROSECONDS_1970_TO_2000 = 946_684_800_000_000
_NULL = (-1).to_bytes(4, signed=True)


class Fixed:
    """Values of one width, as rows of bytes, and which of them are NULL."""

    def __init__(self, values: Bytes, null: npt.NDArray[np.bool_] | None) -> None:
        self._width = values.shape[1]
        self._null = null
        self._fields = np.empty((len(values), 4 + self._width), np.uint8)
        self._fields[:, :4] = np.frombuffer(self._width.to_bytes(4), np.uint8)
        self._fields[:, 4:] = values

    def sizes(self) -> Places | int:
        """Bytes of each field without its length."""
        return self._width if self._null is None else np.where(self._null, 0, self._width)

    def write(self, out: Bytes, places: Places) -> None:
        """Copy the fields to their places."""
        fields = self._fields
        if self._null is not None:
            _spread(out, places[self._null], _NULL)
            fields, places = fields[~self._null], places[~self._null]
        width = 4 + self._width
        _windows(out, width)[places] = fields.view(f"V{width}").ravel()


class Varying:
    """Values of any length: slices of one stretch of bytes."""

    def __init__(self, array: pa.Array) -> None:
        _, offsets, data = array.buffers()
        ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        self._data = np.frombuffer(data or b"", np.uint8)
        self._starts = ends[:-1]
        self._sizes = np.diff(ends)
        self._null = _nulls(array)
        if self._null is not None:
            self._sizes[self._null] = 0

    def sizes(self) -> Places:
        """Bytes of each field without its length."""
        return self._sizes

    def write(self, out: Bytes, places: Places) -> None:
        """Copy the fields to their places."""
        sizes = self._sizes
        if not len(sizes):
            return
        order = np.argsort(
            sizes.astype(np.uint16) if sizes.max() < 65_536 else sizes, kind="stable"
        )
        cuts = np.flatnonzero(np.diff(sizes[order])) + 1
        for first, last in pairwise([0, *cuts.tolist(), len(order)]):
            rows = order[first:last]
            size = int(sizes[rows[0]])
            _spread(out, places[rows], size.to_bytes(4))
            if size:
                source = _windows(self._data, size)[self._starts[rows]]
                _windows(out, size)[places[rows] + 4] = source
        if self._null is not None:
            _spread(out, places[self._null], _NULL)


Fields = Fixed | Varying


def encode_rows(columns: Sequence[pa.Array]) -> Bytes:
    """All rows of columns of equal length, without signature and trailer.

    Columns are of the types `fit` gives: integers, floats, booleans, decimals, large strings and
    binaries, binaries of 16 bytes (UUIDs), dates, times and timestamps in microseconds.
    """
    count = len(columns[0])
    fields = [_fields(column) for column in columns]
    sizes = [field.sizes() for field in fields]
    row_sizes: Places = np.full(count, 2 + 4 * len(columns), np.int64)
    for size in sizes:
        row_sizes += size
    ends = np.cumsum(row_sizes)
    out = np.empty(int(ends[-1]) if count else 0, np.uint8)
    if not count:
        return out
    places: Places = ends - row_sizes
    _spread(out, places, len(columns).to_bytes(2))
    places += 2
    for field, size in zip(fields, sizes, strict=True):
        field.write(out, places)
        places += size
        places += 4
    return out


def _fields(array: pa.Array) -> Fields:
    kind = array.type
    if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        return Varying(array)
    null = _nulls(array)
    if pa.types.is_decimal(kind):
        digits = _digits(array)
        return Varying(_decimals(array)) if digits is None else Fixed(digits, null)
    if pa.types.is_fixed_size_binary(kind):
        raw = np.frombuffer(array.buffers()[1], np.uint8).reshape(-1, kind.byte_width)
        return Fixed(raw[array.offset : array.offset + len(array)], null)
    if pa.types.is_boolean(kind):
        array = array.cast(pa.int8())
    if pa.types.is_date32(kind):
        array = pc.subtract(array.cast(pa.int32()), pa.scalar(_DAYS_1970_TO_2000, pa.int32()))
    elif pa.types.is_timestamp(kind):
        array = pc.subtract(array.cast(pa.int64()), _MICROSECONDS_1970_TO_2000)
    elif pa.types.is_time64(kind):
        array = array.cast(pa.int64())
    values = _plain(array)
    swapped = values.astype(values.dtype.newbyteorder(">"))
    return Fixed(swapped.view(np.uint8).reshape(len(array), values.dtype.itemsize), null)


def _plain(array: pa.Array) -> npt.NDArray[Any]:
    """The values without looking at which are NULL: those places hold anything."""
    numbers = np.frombuffer(array.buffers()[1], array.type.to_pandas_dtype())
    return numbers[array.offset : array.offset + len(array)]


def _digits(array: pa.Array) -> Bytes | None:
    """Binary numerics with all digits written out; None when they do not fit eight bytes.

    PostgreSQL strips leading and trailing zeros as it reads, so all values can have one width.
    """
    scale = array.type.scale
    if not pa.types.is_decimal128(array.type) or scale < 0:
        return None
    halves = np.frombuffer(array.buffers()[1], np.int64).reshape(-1, 2)
    halves = halves[array.offset : array.offset + len(array)]
    low, high = halves[:, 0], halves[:, 1]
    null = _nulls(array)
    if null is not None:
        low, high = np.where(null, 0, low), np.where(null, 0, high)
    padding = 10 ** (-scale % 4)
    limit = (2**63 - 1) // padding
    if not (
        np.array_equal(high, low >> 63) and (np.abs(low) <= limit).all() and (low > -limit).all()
    ):
        return None
    after = -(-scale // 4)
    before = max(5 - after, 1)
    rest = np.abs(low) * padding
    groups = np.zeros((len(array), 4 + before + after), ">i2")
    groups[:, 0] = before + after
    groups[:, 1] = before - 1
    groups[:, 2] = np.where(low < 0, 0x4000, 0)
    groups[:, 3] = scale
    for place in range(3 + before + after, 3, -1):
        rest, groups[:, place] = np.divmod(rest, 10_000)
    return groups.view(np.uint8).reshape(len(array), -1)


def _decimals(array: pa.Array) -> pa.Array:
    dump = DecimalBinaryDumper(Decimal).dump
    return pa.array(
        [None if value is None else bytes(dump(value) or b"") for value in array.to_pylist()],
        pa.large_binary(),
    )


def _nulls(array: pa.Array) -> npt.NDArray[np.bool_] | None:
    if not array.null_count:
        return None
    nulls: npt.NDArray[np.bool_] = array.is_null().to_numpy(zero_copy_only=False)
    return nulls


def _spread(out: Bytes, places: Places, value: bytes) -> None:
    _windows(out, len(value))[places] = np.frombuffer(value, f"V{len(value)}")


def _windows(buffer: Bytes, width: int) -> npt.NDArray[np.void]:
    """Every stretch of that many bytes, as one item each, at the place where it begins."""
    count = max(len(buffer) - width + 1, 0)
    return np.ndarray((count,), f"V{width}", buffer, strides=(1,))
