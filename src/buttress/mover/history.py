"""The moves a database has seen, from the table `buttress_moves` that each left in its schema."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Column, Connection, DateTime, MetaData, Table, Text, cast, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.orm import Session

from buttress.errors import NotFound
from buttress.mover.report import MoveReport, Verdict

MOVES = "buttress_moves"
READABLE = text(
    "SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE c.relname = :table AND c.relkind = 'r' AND has_schema_privilege(n.oid, 'USAGE')"
    " AND has_table_privilege(c.oid, 'SELECT') ORDER BY n.nspname"
)


@dataclass(frozen=True)
class PastMove:
    """One finished move, as a list shows it."""

    id: str
    schema: str
    source: str
    finished_at: datetime
    verdict: Verdict
    tables: int
    rows_proven: int
    rows_quarantined: int


def list_moves(session: Session) -> list[PastMove]:
    """The moves into any schema of this database that the session's role may read, latest first."""
    connection = session.connection()
    found: list[PastMove] = []
    for schema in schemas_with_moves(connection):
        moves = moves_table(schema)
        report = moves.c.report
        numbers = func.jsonb_path_query_array
        rows = session.execute(
            select(
                moves.c.id,
                moves.c.source,
                moves.c.finished_at,
                report["verdict"].astext.label("verdict"),
                numbers(report, cast("$.proof.tables[*].proven", JSONPATH)).label("proven"),
                numbers(report, cast("$.proof.tables[*].quarantined", JSONPATH)).label(
                    "quarantined"
                ),
            )
        )
        found.extend(
            PastMove(
                id=row.id,
                schema=schema,
                source=row.source,
                finished_at=row.finished_at,
                verdict=row.verdict,
                tables=len(row.proven),
                rows_proven=sum(row.proven),
                rows_quarantined=sum(row.quarantined),
            )
            for row in rows
        )
    return sorted(found, key=lambda move: move.finished_at, reverse=True)


def load_report(session: Session, *, schema: str, move_id: str) -> MoveReport:
    """The whole report of one move.

    Raises
    ------
    NotFound
        There is no such move, or the session's role may not read it.
    """
    stored: str | None = None
    if schema in schemas_with_moves(session.connection()):
        moves = moves_table(schema)
        stored = session.scalar(select(cast(moves.c.report, Text)).where(moves.c.id == move_id))
    if stored is None:
        raise NotFound(
            f"no move {move_id!r} into schema {schema!r}",
            hint="A later move may have replaced it; the list of moves shows what is there.",
        )
    return msgspec.json.decode(stored, type=MoveReport)


def schemas_with_moves(connection: Connection) -> list[str]:
    """The schemas whose moves this role may read; moves only ever go to PostgreSQL."""
    if connection.dialect.name != "postgresql":
        return []
    return list(connection.scalars(READABLE, {"table": MOVES}))


def moves_table(schema: str) -> Table:
    """The table of moves in that schema."""
    return Table(
        MOVES,
        MetaData(schema=schema),
        Column("id", Text),
        Column("source", Text),
        Column("finished_at", DateTime(timezone=True)),
        Column("report", JSONB),
    )
