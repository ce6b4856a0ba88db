"""Statements as spans, where somebody asked for spans."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from buttress.db.execution import Record
from buttress.db.monitor.statement import READ_CHARACTERS, Statement, statement_of
from buttress.telemetry import add_span

KNOWN = 2_000

statement = lru_cache(KNOWN)(statement_of)


def traced(record: Record, system: str) -> Record:
    """The same, telling of each statement as a span of what it was sent for: without values."""

    def both(
        began: int,
        ended: int,
        cursor: Any,
        sql: str,
        parameters: Any,
        context: Any,
        error: BaseException | None,
    ) -> None:
        sent: Statement = statement(sql[:READ_CHARACTERS])
        add_span(
            sent.kind,
            "client",
            {
                "db.system.name": system,
                "db.operation.name": sent.kind,
                "db.query.text": sent.text,
                "db.query.fingerprint": sent.fingerprint,
            },
            seconds=(ended - began) / 1e9,
            error="" if error is None else type(error).__name__,
        )
        record(began, ended, cursor, sql, parameters, context, error)

    return both
