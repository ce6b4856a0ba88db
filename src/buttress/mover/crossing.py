"""What a rule is: one exact way for values of SQLite's storage classes to cross to PostgreSQL.

Python stands in for SQLite's classes as usual: None, int, float, str, bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

SqliteValue = None | int | float | str | bytes

CLASSES: dict[type, str] = {
    int: "integer",
    float: "real",
    str: "text",
    bytes: "blob",
    type(None): "null",
}


class Unholdable(ValueError):
    """The rule's PostgreSQL type cannot hold this value exactly; the message says why."""


@dataclass(frozen=True)
class Rule:
    """One way for values of a column to cross.

    Parameters
    ----------
    name
        As written in a plan, arguments included.
    type
        The PostgreSQL type; a plan may name another one that PostgreSQL casts to losslessly.
    wire
        The PostgreSQL type name binary COPY sends, e.g. `int8`.
    encode
        Non-NULL SQLite value to the Python value psycopg dumps; raises `Unholdable`.
    decode_sql
        Expression over `{c}` (a quoted column) whose value in the target is the SQLite value again.
    decoded
        Storage class of `decode_sql`'s result when it is always the same one; empty when `decode`
        is needed to tell.
    decode
        Target text and, for `mixed`, the cell's storage class, to the SQLite value.
    direct
        True when encode is the identity for the one class in `decoded`: rows go to COPY as read.
    """

    name: str
    type: str
    wire: str
    encode: Callable[[SqliteValue], object]
    decode_sql: str
    decoded: str = ""
    decode: Callable[[str, str], SqliteValue] | None = None
    direct: bool = False

    def holds(self, value: SqliteValue) -> bool:
        """Whether the value can cross exactly."""
        if value is None:
            return True
        try:
            self.encode(value)
        except Unholdable:
            return False
        return True


def same(left: SqliteValue, right: SqliteValue) -> bool:
    """Equality as the proof means it: same storage class, same bits (0.0 is not −0.0)."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float) and isinstance(right, float):
        return struct.pack(">d", left) == struct.pack(">d", right)
    return left == right


def require(value: SqliteValue, kind: type, what: str) -> None:
    """Raise `Unholdable` for a value of another class."""
    if type(value) is not kind:
        raise Unholdable(f"{CLASSES[type(value)]} in a column of {what}")


def integer(value: SqliteValue) -> int:
    """The value, which must be an integer."""
    require(value, int, "integers")
    assert isinstance(value, int)
    return value


def real(value: SqliteValue) -> float:
    """The value, which must be a real."""
    require(value, float, "reals")
    assert isinstance(value, float)
    return value
