"""Whether a rule holds every value of a column exactly.

SQLite tests most values at C speed with a condition that is sufficient for the rule; the rule
itself judges only the values the condition leaves over, so its answer is the one that counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import apsw

from buttress.mover import values
from buttress.mover.source.schema import SourceColumn, SourceTable, quoted

_SHOWN_CHARACTERS = 40
_RFC_UUID = re.compile(
    r"[0-9a-f]{8}-?[0-9a-f]{4}-?[1-8][0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}"
)
_TIMESTAMP = re.compile(r"timestamp\((space|T), (0|3|6|auto)(?:, (Z|\+00:00))?\)")
_DECIMAL = re.compile(r"decimal\((\d+), (\d+)\)")
_HEX = "[0-9a-f]"
_SAMPLE = 2_000


@dataclass(frozen=True)
class Candidate:
    """A rule to test; `rfc` accepts UUIDs only with the version and variant of RFC 9562."""

    rule: str
    rfc: bool = False

    def accepts(self, value: values.SqliteValue) -> bool:
        """Whether the column may have this value."""
        if self.rfc and not (isinstance(value, str) and _RFC_UUID.fullmatch(value)):
            return False
        try:
            return values.rule(self.rule).holds(value)
        except ArithmeticError:
            # A number with more digits than Python's decimals have.
            return False


@dataclass(frozen=True)
class Refused:
    """A value that forbids a rule, and where it is; as text it is fit for a plan."""

    rowid: int | None
    value: values.SqliteValue
    broken: str = ""
    """What prevents reading the value, if anything."""

    def __str__(self) -> str:
        where = "a row" if self.rowid is None else f"rowid {self.rowid}"
        return f"{where} {self.broken}" if self.broken else f"{where} holds {_shown(self.value)}"


def _shown(value: values.SqliteValue) -> str:
    if isinstance(value, bytes):
        text = f"x'{value[:_SHOWN_CHARACTERS].hex()}'"
    else:
        text = repr(value[: _SHOWN_CHARACTERS + 1] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def first_refused(
    connection: apsw.Connection,
    table: SourceTable,
    column: SourceColumn,
    candidate: Candidate,
    encoding: str,
) -> Refused | None:
    """The first value the rule does not hold; None when it holds all."""
    name = quoted(column.name)
    condition = _sufficient(candidate, name, 1 if encoding == "UTF-8" else 2)
    leftover = f"{name} IS NOT NULL AND ({condition}) IS NOT TRUE"
    rowid: int | None = None
    try:
        for found, value in connection.execute(_select(table, name, leftover)):
            rowid = found if isinstance(found, int) else None
            if not candidate.accepts(value):
                return Refused(rowid, value)
    except UnicodeDecodeError:
        return Refused(rowid, None, "holds text that is not valid Unicode")
    except (apsw.CorruptError, apsw.IOError):
        return Refused(rowid, None, "cannot be read")
    return None


def first_value(
    connection: apsw.Connection, table: SourceTable, column: SourceColumn
) -> Refused | None:
    """The first value that is not NULL; None when it cannot be read."""
    name = quoted(column.name)
    try:
        for rowid, value in connection.execute(_select(table, name, f"{name} IS NOT NULL")):
            return Refused(rowid if isinstance(rowid, int) else None, value)
    except (UnicodeDecodeError, apsw.CorruptError, apsw.IOError):
        return None
    return None


def number_range(
    connection: apsw.Connection, table: SourceTable, column: SourceColumn
) -> tuple[float, float]:
    """Smallest and largest number; (0, 0) when the table cannot be read to its end."""
    name = quoted(column.name)
    try:
        low, high = connection.execute(
            f"SELECT min({name}), max({name}) FROM {quoted(table.name)}"
        ).fetchall()[0]
    except (UnicodeDecodeError, apsw.CorruptError, apsw.IOError):
        return 0, 0
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        return low, high
    return 0, 0


def share_that_is_no_text(
    connection: apsw.Connection, table: SourceTable, column: SourceColumn, encoding: str
) -> float:
    """Which part of the column's first texts PostgreSQL's text cannot hold, between 0 and 1."""
    name = quoted(column.name)
    refused = seen = 0
    try:
        for (raw,) in connection.execute(
            f"SELECT CAST({name} AS BLOB) FROM {quoted(table.name)}"
            f" WHERE typeof({name}) = 'text' LIMIT {_SAMPLE}"
        ):
            assert isinstance(raw, bytes)
            seen += 1
            try:
                refused += "\0" in raw.decode(encoding)
            except UnicodeDecodeError:
                refused += 1
    except (apsw.CorruptError, apsw.IOError):
        return refused / max(seen, 1)
    return refused / max(seen, 1)


def _select(table: SourceTable, name: str, condition: str) -> str:
    rowid = quoted(table.rowid) if table.rowid else "NULL"
    return f"SELECT {rowid}, {name} FROM {quoted(table.name)} WHERE {condition}"


def _sufficient(candidate: Candidate, c: str, width: int) -> str:
    """A SQL condition on column `c`; wherever it is true, the rule holds the value.

    `width` is the number of bytes of an ASCII character in the source. Lengths count bytes, because
    SQLite's text functions stop at U+0000.
    """
    rule = candidate.rule
    if match := _TIMESTAMP.fullmatch(rule):
        return _sufficient_moment(c, width, *match.groups(""))
    if match := _DECIMAL.fullmatch(rule):
        return _sufficient_decimal(c, int(match[1]), int(match[2]))
    version, variant = ("[1-8]", "[89ab]") if candidate.rfc else (_HEX, _HEX)
    groups = (_HEX * 8, _HEX * 4, version + _HEX * 3, variant + _HEX * 3, _HEX * 12)
    return {
        "boolean": f"{c} IN (0, 1)",
        # The years that both PostgreSQL and Python know.
        "unix seconds": f"{c} BETWEEN -62135596800 AND 253402300799",
        "unix milliseconds": f"{c} BETWEEN -62135596800000 AND 253402300799999",
        "date": f"octet_length({c}) = {10 * width} AND date({c}) = {c} COLLATE BINARY"
        f" AND substr({c}, 1, 4) <> '0000'",
        "json": f"json_valid({c}) AND instr({c}, char(0)) = 0",
        "numeric": f"NOT (typeof({c}) = 'real' AND {c} = 0.0)",
        "uuid": f"octet_length({c}) = {36 * width} AND {c} GLOB '{'-'.join(groups)}'",
        "uuid(hex)": f"octet_length({c}) = {32 * width} AND {c} GLOB '{''.join(groups)}'",
        "uuid(blob)": f"length({c}) = 16",
    }.get(rule, "false")


def _sufficient_moment(c: str, width: int, separator: str, digits: str, zone: str) -> str:
    tail = f"substr({c}, 20)"
    # datetime() answers much faster than strftime(), always with a space.
    start = f"substr({c}, 1, 19)"
    spaced = f"substr({c}, 1, 10) || ' ' || substr({c}, 12, 8)" if separator == "T" else start
    mark = "T" if separator == "T" else " "

    def ends(count: int) -> str:
        length = 19 + (count + 1 if count else 0) + len(zone)
        pattern = ("." + "[0-9]" * count if count else "") + zone
        return f"octet_length({c}) = {length * width} AND {tail} GLOB '{pattern}'"

    end = {
        "0": ends(0),
        "3": ends(3),
        "6": ends(6),
        "auto": f"({ends(0)} OR ({ends(6)} AND substr({c}, 21, 6) <> '000000'))",
    }[digits]
    real = f"datetime({start}) = {spaced} COLLATE BINARY AND substr({c}, 11, 1) = '{mark}'"
    return f"{end} AND {real} AND substr({c}, 1, 4) <> '0000'"


def _sufficient_decimal(c: str, precision: int, scale: int) -> str:
    """Reals of up to 15 digits are the same number in decimal and in binary."""
    # Python's decimals compute with 28 digits, SQLite's integers have up to 19.
    whole = min(precision, 28) - scale
    integers = "true" if whole >= 19 else "false"
    if 0 <= whole < 19:
        integers = f"{c} > -1{'0' * whole} AND {c} < 1{'0' * whole}"
    limit = f"1e{min(precision, 15) - scale}"
    reals = (
        f"{c} > -{limit} AND {c} < {limit} AND round({c}, {scale}) = {c}"
        f" AND {c} <> CAST({c} AS INTEGER)"
    )
    return f"CASE typeof({c}) WHEN 'integer' THEN {integers} WHEN 'real' THEN {reals} END"
