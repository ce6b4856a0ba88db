"""SQL functions that PostgreSQL and SQLite spell differently."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Date
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class month(GenericFunction[date]):  # noqa: N801 — reads like the function it is: month(Order.paid_on)
    """The first day of the month a date lies in; an instant counts as its day in UTC."""

    type = Date()
    inherit_cache = True


@compiles(month, "postgresql")
def _month_on_postgresql(element: month, compiler: SQLCompiler, **options: Any) -> str:
    # The session's time zone is UTC, so an instant is truncated in UTC as on SQLite.
    return f"CAST(date_trunc('month', {compiler.process(element.clauses, **options)}) AS date)"


@compiles(month, "sqlite")
def _month_on_sqlite(element: month, compiler: SQLCompiler, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)}, 'start of month')"


class day(GenericFunction[date]):  # noqa: N801 — the same
    """The day an instant lies in, in UTC."""

    type = Date()
    inherit_cache = True


@compiles(day, "postgresql")
def _day_on_postgresql(element: day, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS date)"


@compiles(day, "sqlite")
def _day_on_sqlite(element: day, compiler: SQLCompiler, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)})"
