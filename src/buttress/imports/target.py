"""What a table takes: its columns, keys, checks and references, read from the database itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection, text
from sqlalchemy.types import TypeDecorator, TypeEngine

from buttress.errors import BadInput, NotFound

Kind = Literal[
    "bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "date", "timestamp",
    "timestamptz", "time", "uuid", "bytes", "json", "other",
]  # fmt: skip
"""How values of a column are checked and encoded; `other` is text in PostgreSQL's own form."""


@dataclass(frozen=True)
class Column:
    """One column; `length` counts characters, `precision` and `scale` decimal digits."""

    name: str
    kind: Kind
    type_name: str
    nullable: bool
    has_default: bool
    generated: bool = False
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    sqlalchemy_type: TypeEngine[Any] | None = None
    """How SQLite's driver is to be given the values; PostgreSQL needs none."""

    @property
    def staged_as_text(self) -> bool:
        """Whether PostgreSQL, not the encoder, judges and converts the values."""
        return self.kind in ("json", "other")


@dataclass(frozen=True)
class Reference:
    """A foreign key; `table` is quoted."""

    name: str
    columns: tuple[str, ...]
    table: str
    referred: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """A table; `sql` is its quoted name."""

    sql: str
    label: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    uniques: tuple[tuple[str, ...], ...]
    """Every set of columns a unique index covers, the primary key among them."""
    checks: tuple[tuple[str, str], ...]
    """Names and expressions."""
    references: tuple[Reference, ...]
    row_security: bool = False
    """Whether policies apply to this role, which COPY into the table itself would not obey."""


def read_target(connection: Connection, table: str | sa.Table | type[Any]) -> Target:
    """Look a table up by name (`schema.name` too), `Table` or model; raises `NotFound`."""
    given = table if isinstance(table, str | sa.Table) else table.__table__
    if connection.dialect.name == "sqlite":
        return _of_sqlite(connection, given)
    schema, name = (
        (given.schema, given.name) if isinstance(given, sa.Table) else _split(connection, given)
    )
    return _of_postgresql(connection, schema, name)


def imported_columns(target: Target, names: Sequence[str]) -> list[Column]:
    """The columns of those names; raises `BadInput` for unknown, missing and generated ones."""
    known = {column.name: column for column in target.columns}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadInput(
            f"{target.label} has no column {_listed(unknown)}",
            hint=f"Its columns are {_listed(known)}; rename or drop what is not among them.",
        )
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise BadInput(f"the rows have column {_listed(twice)} more than once")
    generated = [name for name in names if known[name].generated]
    if generated:
        raise BadInput(
            f"{target.label} computes {_listed(generated)} itself",
            hint="Drop it from the rows.",
        )
    missing = [
        column.name
        for column in target.columns
        if column.name not in names
        and not (column.nullable or column.has_default or column.generated)
    ]
    if missing:
        raise BadInput(
            f"the rows lack {_listed(missing)}, which {target.label} needs",
            hint="Add it to the rows, or give the column a default.",
        )
    return [known[name] for name in names]


_POSTGRESQL_KINDS: dict[str, Kind] = {
    "bool": "bool", "int2": "int2", "int4": "int4", "int8": "int8", "float4": "float4",
    "float8": "float8", "numeric": "numeric", "text": "text", "varchar": "text", "bpchar": "text",
    "date": "date", "timestamp": "timestamp", "timestamptz": "timestamptz", "time": "time",
    "uuid": "uuid", "bytea": "bytes", "json": "json", "jsonb": "json",
}  # fmt: skip

_COLUMNS = """
    SELECT a.attname, CASE t.typtype WHEN 'b' THEN t.typname END, format_type(a.atttypid, a.atttypmod),
        NOT a.attnotnull, a.atthasdef OR a.attidentity <> '',
        a.attgenerated <> '' OR a.attidentity = 'a', a.atttypmod
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""  # noqa: E501
_UNIQUES = """
    SELECT x.indisprimary, array_agg(a.attname::text ORDER BY k.place)
    FROM pg_index x, unnest(x.indkey::int[]) WITH ORDINALITY k(number, place)
        JOIN pg_attribute a ON a.attnum = k.number
    WHERE x.indrelid = :oid AND a.attrelid = :oid AND x.indisunique AND x.indisvalid
        AND x.indpred IS NULL AND x.indexprs IS NULL AND k.place <= x.indnkeyatts
    GROUP BY x.indexrelid, x.indisprimary ORDER BY x.indisprimary DESC, x.indexrelid
"""
_CHECKS = """
    SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint
    WHERE conrelid = :oid AND contype = 'c' ORDER BY conname
"""
_REFERENCES = """
    SELECT c.conname, c.confrelid::regclass::text,
        array(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k(number, place)
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY place),
        array(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY k(number, place)
            JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number ORDER BY place)
    FROM pg_constraint c WHERE c.conrelid = :oid AND c.contype = 'f' ORDER BY c.conname
"""


def _of_postgresql(connection: Connection, schema: str | None, name: str) -> Target:
    quote = connection.dialect.identifier_preparer.quote_identifier
    sql = quote(name) if schema is None else f"{quote(schema)}.{quote(name)}"
    oid = connection.scalar(text("SELECT to_regclass(:name)::oid"), {"name": sql})
    label = name if schema is None else f"{schema}.{name}"
    if oid is None:
        raise NotFound(f"there is no table {label}", hint="Run `buttress migrate`.")

    def ask(query: str) -> Any:
        return connection.execute(text(query), {"oid": oid})

    uniques = [(primary, tuple(columns)) for primary, columns in ask(_UNIQUES)]
    return Target(
        sql=sql,
        label=label,
        columns=tuple(_postgresql_column(*row) for row in ask(_COLUMNS)),
        primary_key=next((columns for primary, columns in uniques if primary), ()),
        uniques=tuple(columns for _, columns in uniques),
        checks=tuple((name, expression) for name, expression in ask(_CHECKS)),
        references=tuple(
            Reference(name, tuple(columns), table, tuple(referred))
            for name, table, columns, referred in ask(_REFERENCES)
        ),
        row_security=bool(ask("SELECT row_security_active(:oid)").scalar()),
    )


def _postgresql_column(
    name: str, type: str | None, full: str, nullable: bool, default: bool, made: bool, modifier: int
) -> Column:
    kind = _POSTGRESQL_KINDS.get(type or "", "other")
    length = modifier - 4 if kind == "text" and modifier >= 4 else None
    precision = scale = None
    if kind == "numeric" and modifier >= 4:
        # Eleven signed bits since PostgreSQL 15.
        precision, scale = (modifier - 4) >> 16, (((modifier - 4) & 0x7FF) ^ 1024) - 1024
    return Column(name, kind, full, nullable, default, made, length, precision, scale)


def _of_sqlite(connection: Connection, given: str | sa.Table) -> Target:
    inspector = sa.inspect(connection)
    name = given if isinstance(given, str) else given.name
    if not inspector.has_table(name):
        raise NotFound(f"there is no table {name}", hint="Run `buttress migrate`.")
    quote = connection.dialect.identifier_preparer.quote_identifier
    types = {} if isinstance(given, str) else {c.name: c.type for c in given.columns}
    primary = tuple(inspector.get_pk_constraint(name)["constrained_columns"])
    columns = inspector.get_columns(name)
    # A sole INTEGER primary key numbers itself.
    numbered = len(primary) == 1 and any(
        c["name"] == primary[0] and isinstance(c["type"], sa.Integer) for c in columns
    )
    uniques = [primary] if primary else []
    uniques += _sqlite_uniques(connection, quote(name))
    return Target(
        sql=quote(name),
        label=name,
        columns=tuple(
            _sqlite_column(found, types.get(found["name"], found["type"]), primary, numbered)
            for found in columns
        ),
        primary_key=primary,
        uniques=tuple(dict.fromkeys(uniques)),
        checks=tuple(
            (check["name"] or "check", check["sqltext"])
            for check in inspector.get_check_constraints(name)
        ),
        references=tuple(
            Reference(
                key["name"] or "foreign key",
                tuple(key["constrained_columns"]),
                quote(key["referred_table"]),
                tuple(key["referred_columns"]),
            )
            for key in inspector.get_foreign_keys(name)
        ),
    )


def _sqlite_uniques(connection: Connection, table: str) -> list[tuple[str, ...]]:
    # SQLAlchemy reads them from the table's text and overlooks some.
    found = []
    for _, name, unique, _, partial in connection.exec_driver_sql(f"PRAGMA index_list({table})"):
        if unique and not partial:
            rows = connection.execute(
                text("SELECT name FROM pragma_index_info(:name) ORDER BY seqno"), {"name": name}
            )
            columns = tuple(column for (column,) in rows)
            if None not in columns:  # an expression
                found.append(columns)
    return sorted(found)


def _sqlite_column(
    found: Any, type: TypeEngine[Any], primary: tuple[str, ...], numbered: bool
) -> Column:
    name = found["name"]
    plain = type.impl_instance if isinstance(type, TypeDecorator) else type
    return Column(
        name=name,
        kind=_kind(plain),
        type_name=str(found["type"]),
        nullable=bool(found["nullable"]) and name not in primary,
        has_default=found["default"] is not None or (numbered and name in primary),
        generated="computed" in found,
        length=getattr(plain, "length", None) if isinstance(plain, sa.String) else None,
        precision=getattr(plain, "precision", None) if isinstance(plain, sa.Numeric) else None,
        scale=getattr(plain, "scale", None) if isinstance(plain, sa.Numeric) else None,
        sqlalchemy_type=type,
    )


def _kind(type: TypeEngine[Any]) -> Kind:
    kinds: list[tuple[Any, Kind]] = [
        (sa.Boolean, "bool"),
        (sa.SmallInteger, "int2"),
        (sa.Integer, "int8"),  # SQLite's integers all have eight bytes
        (sa.Float, "float8"),
        (sa.Numeric, "numeric"),
        (sa.Date, "date"),
        (sa.Time, "time"),
        (sa.Uuid, "uuid"),
        (sa.LargeBinary, "bytes"),
        (sa.JSON, "json"),
        (sa.String, "text"),
    ]
    if isinstance(type, sa.DateTime):
        return "timestamptz" if type.timezone else "timestamp"
    return next((kind for family, kind in kinds if isinstance(type, family)), "other")


def _split(connection: Connection, name: str) -> tuple[str | None, str]:
    schema, dot, table = name.rpartition(".")
    return (schema, table) if dot else (None, name)


def _listed(names: Any) -> str:
    return ", ".join(repr(name) for name in names)
