"""Whether a view gives the same rows in SQLite and in PostgreSQL.

Both sides are read once as streams and folded into sums of row digests, so memory stays flat and
order does not matter. Only when the sums differ are the rows of the differing buckets read again,
to tell a real difference from the last digits of a sum of reals and to show an example.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from decimal import Decimal

import apsw
import psycopg
from psycopg import sql
from psycopg.types.string import TextLoader

_BUCKETS = 4096
_EXAMPLES = 20_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(Z|[+-]\d\d:\d\d)?)?", re.ASCII
)

Row = tuple[object, ...]
Cell = str | float
Reader = Callable[[], Generator[tuple[Cell, ...], None, None]]


class _TooLong(Exception):
    """The time allowed for the comparison is over."""


def same_rows(
    snapshot: apsw.Connection,
    connection: psycopg.Connection,
    source_view: str,
    target_view: str,
    *,
    max_rows: int = 1_000_000,
    timeout_seconds: float = 60,
) -> str:
    """Compare a view of the source with one on the connection's search path as multisets of rows.

    Returns an empty string when they are the same, otherwise a reason with an example. Numbers
    compare by value at 15 significant digits, moments by meaning, booleans as 1 and 0; a column
    that is text in PostgreSQL compares with the text of SQLite's numbers.
    """
    deadline = time.monotonic() + timeout_seconds
    snapshot.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL statement_timeout = {int(timeout_seconds * 1000)}")
            return _compare(snapshot, connection, source_view, target_view, max_rows, deadline)
    except (_TooLong, apsw.InterruptError, psycopg.errors.QueryCanceled):
        return f"could not be compared within {timeout_seconds:g} seconds"
    except apsw.Error as error:
        return f"SQLite cannot read it: {error}"
    except psycopg.Error as error:
        return f"PostgreSQL cannot read it: {str(error).splitlines()[0]}"
    finally:
        snapshot.set_progress_handler(None)


def _compare(
    snapshot: apsw.Connection,
    connection: psycopg.Connection,
    source_view: str,
    target_view: str,
    max_rows: int,
    deadline: float,
) -> str:
    kinds = _column_kinds(connection, target_view)
    own = len(snapshot.execute(f"PRAGMA table_info({_quoted(source_view)})").fetchall())
    if own != len(kinds):
        return f"SQLite shows {own} columns, PostgreSQL {len(kinds)}"

    def source() -> Generator[tuple[Cell, ...], None, None]:
        with closing(_source_rows(snapshot, source_view)) as rows:
            for row in _in_time(rows, deadline):
                yield tuple(map(source_cell, row, kinds))

    def target() -> Generator[tuple[Cell, ...], None, None]:
        with closing(_target_rows(connection, target_view)) as rows:
            for row in _in_time(rows, deadline):
                yield tuple(map(target_cell, row))

    left, left_rows = _digests(source, max_rows)
    if left_rows > max_rows:
        return f"has more than {max_rows} rows, too many to compare"
    right, right_rows = _digests(target, left_rows)
    if left_rows != right_rows:
        other = "more" if right_rows > left_rows else str(right_rows)
        return f"SQLite gives {left_rows} rows, PostgreSQL {other}"
    return _difference(source, target, left, right) if left != right else ""


def _column_kinds(connection: psycopg.Connection, view: str) -> list[str]:
    """What the columns of a view hold."""
    # Never prepared: a view of the same name may have had other columns a moment ago.
    statement = sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(view))
    found = connection.execute(statement, prepare=False)
    return cell_kinds(connection, found.description)


def cell_kinds(
    connection: psycopg.Connection, description: Sequence[psycopg.Column] | None
) -> list[str]:
    """What cells of SQLite have to become to compare with each column of a result."""
    names = {
        "timestamp": "moment",
        "timestamptz": "moment",
        "date": "moment",
        "uuid": "uuid",
        "text": "text",
        "json": "text",
    }
    kinds = []
    for column in description or []:
        known = connection.adapters.types.get(column.type_code)
        kinds.append(names.get(known.name if known else "", ""))
    return kinds


def _in_time(rows: Iterator[Row], deadline: float) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number % 4096 == 0 and time.monotonic() > deadline:
            raise _TooLong
        yield row


def _source_rows(snapshot: apsw.Connection, view: str) -> Generator[Row, None, None]:
    cursor = snapshot.cursor()
    try:
        yield from cursor.execute(f"SELECT * FROM {_quoted(view)}")
    finally:
        # An unfinished statement would keep its snapshot and its locks.
        cursor.close(True)


def _target_rows(connection: psycopg.Connection, view: str) -> Generator[Row, None, None]:
    with connection.cursor(name="buttress_compare") as cursor:
        cursor.itersize = 2000
        cursor.adapters.register_loader("json", TextLoader)
        cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(view)))
        yield from cursor


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def source_cell(value: object, kind: str) -> Cell:
    """One cell of SQLite, in the form its PostgreSQL counterpart takes (`cell_kinds`)."""
    if value is None:
        return "n"
    if kind == "moment":
        return _moment_of(value)
    if kind == "uuid":
        return _uuid_of(value)
    if isinstance(value, bytes):
        return "t" + value.hex() if kind == "text" else "b" + value.hex()
    if isinstance(value, int | float):
        return "t" + repr(value) if kind == "text" else _number(value)
    return f"t{value}"


def target_cell(value: object) -> Cell:
    """One cell of PostgreSQL, in the form in which equal cells are equal."""
    if value is None:
        return "n"
    if isinstance(value, bool):
        return _number(int(value))
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, bytes):
        return "b" + value.hex()
    if isinstance(value, dt.datetime):
        return _moment(value if value.tzinfo else value.replace(tzinfo=dt.UTC))
    if isinstance(value, dt.date):
        return _moment(dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC))
    if isinstance(value, uuid.UUID):
        return "u" + value.hex
    return "t" + str(value)


def _number(value: float | Decimal) -> Cell:
    """Integers as exact text, everything else as a float."""
    if isinstance(value, int):
        return f"i{value}"
    if isinstance(value, Decimal):
        if value.is_finite() and value == value.to_integral_value():
            return f"i{int(value)}"
        return float(value)
    if value.is_integer() and abs(value) < 1e15:
        return f"i{int(value)}"
    return value


def _moment(value: dt.datetime) -> Cell:
    return f"m{(value - _EPOCH) // dt.timedelta(microseconds=1)}"


def _moment_of(value: object) -> Cell:
    """The moment a stored form stands for: text, unix seconds or milliseconds, or a Julian day."""
    if isinstance(value, int):
        return f"m{value * (1_000_000 if abs(value) < 100_000_000_000 else 1000)}"
    if isinstance(value, float):
        return f"m{round((value - 2440587.5) * 86_400_000_000)}"
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return f"t{value!r}"
    spelled = f"{match[1]}T{match[2] or '00:00'}{(match[3] or '+00:00').replace('Z', '+00:00')}"
    try:
        return _moment(dt.datetime.fromisoformat(_six_digits(spelled)))
    except ValueError:
        return f"t{value!r}"


def _six_digits(text: str) -> str:
    return re.sub(r"\.(\d+)", lambda match: "." + match[1].ljust(6, "0"), text)


def _uuid_of(value: object) -> Cell:
    try:
        found = uuid.UUID(bytes=value) if isinstance(value, bytes) else uuid.UUID(str(value))
    except ValueError:
        return f"t{value!r}"
    return "u" + found.hex


def _digest(row: Sequence[Cell]) -> int:
    joined = hashlib.blake2b(digest_size=16)
    for cell in row:
        text = cell if isinstance(cell, str) else _rounded(cell)
        raw = text.encode("utf-8", "surrogatepass")
        joined.update(len(raw).to_bytes(8, "big") + raw)
    return int.from_bytes(joined.digest(), "big")


def _rounded(value: float) -> str:
    """A real at 15 significant digits; whole ones as the integer they equal."""
    text = format(value, ".15g")
    number = float(text)
    return f"i{int(number)}" if number.is_integer() and abs(number) < 1e15 else f"r{text}"


def _digests(rows: Reader, most: int) -> tuple[list[int], int]:
    """Sums of row digests by bucket, and the rows (one more than `most` when exceeded)."""
    sums, count = [0] * _BUCKETS, 0
    with closing(rows()) as cells:
        for row in cells:
            count += 1
            if count > most:
                break
            digest = _digest(row)
            sums[digest % _BUCKETS] = (sums[digest % _BUCKETS] + digest) % (1 << 128)
    return sums, count


def _difference(source: Reader, target: Reader, left: list[int], right: list[int]) -> str:
    """The first row that is on one side only; empty when reals differ in their last digits only."""
    differing = {
        bucket for bucket, (one, other) in enumerate(zip(left, right, strict=True)) if one != other
    }
    ours, complete_left = _rows_in(source, differing)
    theirs, complete_right = _rows_in(target, differing)
    only_left, only_right = ours - theirs, theirs - ours
    if complete_left and complete_right:
        only_left, only_right = _without_near(only_left, only_right)
        if not only_left and not only_right:
            return ""
    if only_left and only_right:
        one = min(only_left, key=repr)
        other = min(only_right, key=lambda row: _distance(one, row))
        return f"SQLite gives {_readable(one)}, PostgreSQL {_readable(other)}"
    side, rows = ("SQLite", only_left) if only_left else ("PostgreSQL", only_right)
    return f"only {side} gives {_readable(min(rows, key=repr))}" if rows else "the rows differ"


def _rows_in(rows: Reader, buckets: set[int]) -> tuple[Counter[tuple[Cell, ...]], bool]:
    """The rows of these buckets, and whether these are all of them."""
    found: Counter[tuple[Cell, ...]] = Counter()
    with closing(rows()) as cells:
        for row in cells:
            if _digest(row) % _BUCKETS in buckets:
                found[row] += 1
                if len(found) >= _EXAMPLES:
                    return found, False
    return found, True


def _without_near(
    left: Counter[tuple[Cell, ...]], right: Counter[tuple[Cell, ...]]
) -> tuple[Counter[tuple[Cell, ...]], Counter[tuple[Cell, ...]]]:
    """Take out pairs that differ only in how a real was summed up or rounded at the 15th digit."""
    waiting: dict[tuple[str, ...], list[tuple[Cell, ...]]] = {}
    for row in sorted(right.elements(), key=_numbers):
        waiting.setdefault(_words(row), []).append(row)
    rest: Counter[tuple[Cell, ...]] = Counter()
    for row in sorted(left.elements(), key=_numbers):
        candidates = waiting.get(_words(row), [])
        match = next((other for other in candidates if near(row, other)), None)
        if match is None:
            rest[row] += 1
        else:
            candidates.remove(match)
    return rest, Counter(row for rows in waiting.values() for row in rows)


def _numbers(row: tuple[Cell, ...]) -> list[float]:
    return [_as_float(cell) for cell in row if _is_number(cell)]


def _words(row: tuple[Cell, ...]) -> tuple[str, ...]:
    """The row without its numbers."""
    return tuple("#" if _is_number(cell) else str(cell) for cell in row)


def _is_number(cell: Cell) -> bool:
    return not isinstance(cell, str) or cell.startswith("i")


def _as_float(cell: Cell) -> float:
    return float(cell[1:]) if isinstance(cell, str) else cell


def near(one: tuple[Cell, ...], other: tuple[Cell, ...]) -> bool:
    """Whether all numbers agree; integers exactly, unless the other side has a real."""
    for left, right in zip(one, other, strict=True):
        if left == right:
            continue
        if isinstance(left, str) and isinstance(right, str):
            return False
        if not math.isclose(_as_float(left), _as_float(right), rel_tol=1e-12, abs_tol=1e-300):
            return False
    return True


def _distance(one: tuple[Cell, ...], other: tuple[Cell, ...]) -> tuple[int, str]:
    return sum(left != right for left, right in zip(one, other, strict=True)), repr(other)


def _readable(row: tuple[Cell, ...]) -> str:
    cells = [_shown(cell) for cell in row]
    text = ", ".join(cells)
    return f"({text[:197]}…)" if len(text) > 198 else f"({text})"


def _shown(cell: Cell) -> str:
    if not isinstance(cell, str):
        return repr(cell)
    kind, text = cell[:1], cell[1:]
    if kind == "n":
        return "NULL"
    if kind == "m":
        return str(_EPOCH + dt.timedelta(microseconds=int(text)))
    if kind == "t":
        return repr(text)
    return f"x'{text}'" if kind == "b" else text
