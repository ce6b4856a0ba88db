"""Tables without a usable key: both sides as multisets of whole rows.

Each row becomes a 128-bit digest of its cells' classes and contents. Digests are summed and counted
in partitions, so nothing grows with the table; a lost duplicate changes a count and a sum. Where a
partition differs, its digests are counted one by one, and only for those that differ the rows are
fetched.
"""

from __future__ import annotations

import hashlib
import marshal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from buttress.mover.plan import Table
from buttress.mover.proof.cells import Batch, Row, key_positions, python_cells, tag, untag
from buttress.mover.proof.compare import KEPT, Tally

Side = Callable[[], Iterator[Batch]]
"""Reads one side from the beginning, as often as called."""

_PARTITIONS = 4096
_COUNTED_AT_ONCE = 300_000
"""Digests held in memory while naming differences."""
_FETCHED = 400
"""Rows of each side fetched to name differences; beyond that they are only counted."""


def compare_digests(table: Table, classes: list[str], source: Side, target: Side) -> Tally:
    """Compare both sides as multisets; `classes` are those the columns' rules promise."""
    left, right = _Sums(), _Sums()
    left.add(source(), classes)
    right.add(target(), classes)
    tally = Tally(rows=left.rows)
    bad = [
        i
        for i in range(_PARTITIONS)
        if left.counts[i] != right.counts[i] or left.sums[i] != right.sums[i]
    ]
    tally.proven = sum(
        count
        for i, count in enumerate(left.counts)
        if count == right.counts[i] and left.sums[i] == right.sums[i]
    )
    for group in _groups(bad, left, right):
        _name(table, classes, source, target, group, tally)
    return tally


class _Sums:
    def __init__(self) -> None:
        self.rows = 0
        self.counts = [0] * _PARTITIONS
        self.sums = [0] * _PARTITIONS

    def add(self, batches: Iterator[Batch], classes: list[str]) -> None:
        counts, sums = self.counts, self.sums
        for batch in batches:
            for digest in _digests(batch, classes):
                number = int.from_bytes(digest, "little")
                place = number % _PARTITIONS
                counts[place] += 1
                sums[place] += number
            self.rows += batch.rows


def _digests(batch: Batch, classes: list[str]) -> Iterator[bytes]:
    blake2b, dumps = hashlib.blake2b, marshal.dumps
    for row in zip(*_uniform(batch, classes), strict=True):
        # Version 2 of marshal writes type, length and content of every cell, and no references.
        yield blake2b(dumps(row, 2), digest_size=16).digest()


def _uniform(batch: Batch, classes: list[str]) -> list[Sequence[object]]:
    """The columns such that equal cells are equal objects, whichever form their column has."""
    columns: list[Sequence[object]] = []
    for array, kind, promised in zip(batch.columns, batch.classes, classes, strict=True):
        if kind == promised:
            columns.append(python_cells(array, kind) if kind == "number" else array.to_pylist())
        else:
            columns.append([_plain(cell, promised) for cell in array.to_pylist()])
    return columns


_KINDS = {"integer": b"i", "real": b"r", "text": b"t", "blob": b"b", "number": b"ir"}


def _plain(tagged: bytes | None, promised: str) -> object:
    if tagged is None:
        return None
    if tagged[:1] not in _KINDS[promised]:
        return (tagged,)
    cell = untag(tagged)
    return bytes(cell) if isinstance(cell, bytearray) else cell


def _groups(bad: list[int], left: _Sums, right: _Sums) -> Iterator[frozenset[int]]:
    group: list[int] = []
    held = 0
    for place in bad:
        weight = left.counts[place] + right.counts[place]
        if group and held + weight > _COUNTED_AT_ONCE:
            yield frozenset(group)
            group, held = [], 0
        group.append(place)
        held += weight
    if group:
        yield frozenset(group)


def _name(
    table: Table,
    classes: list[str],
    source: Side,
    target: Side,
    group: frozenset[int],
    tally: Tally,
) -> None:
    """Count the digests of some partitions one by one, and name the rows of those that differ."""
    balance: Counter[bytes] = Counter()
    seen = 0
    for batch in source():
        for digest in _digests(batch, classes):
            if int.from_bytes(digest, "little") % _PARTITIONS in group:
                balance[digest] += 1
                seen += 1
    for batch in target():
        for digest in _digests(batch, classes):
            if int.from_bytes(digest, "little") % _PARTITIONS in group:
                balance[digest] -= 1
    missing = {digest: n for digest, n in balance.items() if n > 0}
    extra = {digest: -n for digest, n in balance.items() if n < 0}
    tally.proven += seen - sum(missing.values())
    before, missed, added = tally.different, sum(missing.values()), sum(extra.values())
    if len(tally.differences) < KEPT:
        _report(table, _rows(source, classes, missing), _rows(target, classes, extra), tally)
    if max(missed, added) > _FETCHED or tally.different == before:
        tally.different = before + missed + added


def _rows(side: Side, classes: list[str], wanted: dict[bytes, int]) -> list[Row]:
    found: list[Row] = []
    left = dict(list(wanted.items())[:_FETCHED])
    if not left:
        return found
    for batch in side():
        for i, digest in enumerate(_digests(batch, classes)):
            if left.get(digest, 0) > 0:
                left[digest] -= 1
                found += batch.cells(i, 1)
                if len(found) >= _FETCHED:
                    return found
    return found


def _by_key(table: Table, rows: list[Row]) -> dict[tuple[bytes | None, ...], Row]:
    places = key_positions(table)
    return {tuple(tag(row[i]) for i in places): row for row in rows}


def _report(table: Table, lost: list[Row], added: list[Row], tally: Tally) -> None:
    pairs = _by_key(table, added) if table.key else {}
    places = key_positions(table)
    paired = set()
    for row in lost:
        key = tuple(tag(row[i]) for i in places)
        if key in pairs and key not in paired:
            paired.add(key)
            tally.cells(table, row, pairs[key])
        else:
            tally.missing(table, row)
    for row in added:
        key = tuple(tag(row[i]) for i in places)
        if key not in paired or pairs[key] is not row:
            tally.extra(table, row)
