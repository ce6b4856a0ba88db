"""Values on their way into a column: SQLite's affinity, in the column's PostgreSQL type."""

from __future__ import annotations

from buttress.mover.plan import Column
from buttress.mover.translate.terms import (
    Term,
    Untranslatable,
    affinity_of,
    double,
    integer,
    kind_of,
    literal,
    native_literal,
    number,
    numeric_value,
    plain,
    regular,
    short_type,
    text,
)


def assigned(value: Term, column: Column) -> str:
    """The expression to store in the column; raises when the column could not hold every value."""
    if value.kind == "null":
        return "NULL"
    kind = kind_of(column.rule)
    if value.rule and value.rule == column.rule and value.kind == kind:
        return value.sql
    if value.kind == "mixed" or kind == "mixed":
        raise Untranslatable("stores a value in a column of several storage classes")
    if kind == "boolean":
        return _boolean(value)
    if kind == "native":
        return _native(value, column)
    value = _stored(value, column)
    if kind == "integer" and value.kind == "integer":
        return value.sql
    if kind == "real" and value.kind in ("integer", "real", "number"):
        if value.kind != "real" and affinity_of(column.declared) != "real":
            raise Untranslatable("stores an integer in a column of reals")
        return double(value)
    if kind == "text" and value.kind == "text":
        return value.sql
    if kind == "blob" and value.kind == "blob":
        return value.sql
    if kind == "number" and value.kind in ("integer", "number"):
        return value.sql
    if kind == "number" and value.constant and value.kind == "real":
        return value.sql
    raise Untranslatable(f"stores a {value.kind} in a column of rule {column.rule}")


def _stored(value: Term, column: Column) -> Term:
    """What the column's affinity makes of a value."""
    affinity = affinity_of(column.declared)
    found = integer(plain(value))
    if affinity == "text" and found.kind in ("integer", "real", "number"):
        return text(found)
    if affinity in ("integer", "real", "numeric") and found.kind == "text":
        if isinstance(found.value, str):
            constant = numeric_value(found.value)
            return found if constant is None else literal(constant)
        return number(found) if found.digits else found
    if affinity in ("integer", "numeric") and isinstance(found.value, float):
        whole = found.value.is_integer() and abs(found.value) < 2**53
        return literal(int(found.value)) if whole else found
    return found


def _boolean(value: Term) -> str:
    if value.kind == "boolean":
        return value.sql
    if value.value in (0, 1):
        return "true" if value.value else "false"
    raise Untranslatable(f"stores a {value.kind} in a column of booleans")


def _native(value: Term, column: Column) -> str:
    """A value for a column of a native type."""
    constant = native_literal(value, column.rule)
    if constant is not None:
        return constant.sql
    moment = column.rule.startswith("timestamp(")
    if moment and value.rule.startswith("timestamp("):
        zoned = column.rule.endswith(("Z)", "+00:00)"))
        from_zoned = value.rule.endswith(("Z)", "+00:00)"))
        return value.sql if zoned == from_zoned else f"({value.sql} AT TIME ZONE 'utc')"
    found = plain(value)
    if column.rule == "unix seconds" and found.kind == "integer":
        return f"to_timestamp({found.sql})"
    if column.rule == "unix milliseconds" and found.kind == "integer":
        return f"(timestamptz 'epoch' + {found.sql} * interval '1 millisecond')"
    if column.rule in ("json", "uuid") and found.kind == "text" and not found.constant:
        return f"{regular(found)}::{short_type(column.rule)}"
    raise Untranslatable(f"stores a {found.kind} in a column of rule {column.rule}")
