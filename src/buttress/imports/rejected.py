"""Rows that an import refused, kept with their reasons in `buttress_import_rejected`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import SQLAlchemyError

from buttress.db.base import JSONDocument, UTCDateTime
from buttress.errors import ButtressError, Conflict

EXAMPLES = 1000
"""Rejected rows a report shows; the table has all."""

REJECTED = sa.Table(
    "buttress_import_rejected",
    sa.MetaData(),
    sa.Column("import_id", sa.Uuid, primary_key=True),
    sa.Column("row_number", sa.BigInteger, primary_key=True),
    sa.Column("table_name", sa.Text, nullable=False),
    sa.Column("row", JSONDocument, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("rejected_at", UTCDateTime, nullable=False, server_default=sa.func.now()),
)


@dataclass(frozen=True)
class Rejected:
    """One refused row; `row_number` counts the input's rows from 1."""

    row_number: int
    row: Mapping[str, Any]
    reason: str


def install(connection: Connection) -> None:
    """Create the table if it is not there; needs the right to create tables."""
    REJECTED.create(connection, checkfirst=True)


def ready(connection: Connection) -> None:
    """Have the table, or raise `Conflict` telling who must create it."""
    if sa.inspect(connection).has_table(REJECTED.name):
        return
    try:
        with connection.begin_nested():
            install(connection)
    except (ButtressError, SQLAlchemyError) as error:
        # Another import may have been first; else the role may not make tables.
        if not sa.inspect(connection).has_table(REJECTED.name):
            raise Conflict(
                "rows are rejected and there is no table to keep them in",
                hint="Run `buttress migrate`.",
            ) from error


def keep(
    connection: Connection, import_id: UUID, table: str, rows: Sequence[tuple[int, Any, str]]
) -> None:
    """Add rows: number, values by column, reason."""
    ready(connection)
    connection.execute(
        sa.insert(REJECTED),
        [
            {
                "import_id": import_id,
                "row_number": number,
                "table_name": table,
                "row": _storable(row),
                "reason": _visible(reason),
            }
            for number, row, reason in rows
        ],
    )


def examples(connection: Connection, import_id: UUID) -> list[Rejected]:
    """The first rows that an import refused."""
    rows = connection.execute(
        sa.select(REJECTED.c.row_number, REJECTED.c.row, REJECTED.c.reason)
        .where(REJECTED.c.import_id == import_id)
        .order_by(REJECTED.c.row_number)
        .limit(EXAMPLES)
    )
    return [Rejected(number, row, reason) for number, row, reason in rows]


def row_as_json(dialect: Dialect, columns: Sequence[tuple[str, bool]]) -> str:
    """SQL for a row `s` of the staging table; columns are names and whether they hold bytes."""
    if dialect.name == "postgresql":
        return "to_jsonb(s.*) - 'buttress_row'"
    quote = dialect.identifier_preparer.quote_identifier
    pairs = []
    for name, is_bytes in columns:
        label = "'" + name.replace("'", "''") + "'"
        value = f"s.{quote(name)}"
        pairs.append(f"{label}, hex({value})" if is_bytes else f"{label}, {value}")
    return f"json_object({', '.join(pairs)})"


def _storable(row: Mapping[Any, Any]) -> Any:
    """What JSON holds of a row: other values as their text, NaN as null, U+0000 escaped."""
    plain = {_visible(str(name)): _plain(value) for name, value in row.items()}
    return msgspec.to_builtins(plain, str_keys=True, enc_hook=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _visible(value)
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return str(value)
    if isinstance(value, Mapping):
        return {_visible(str(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | bytes):
        return value
    return _visible(str(value))


def _visible(text: str) -> str:
    return text.replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode()
