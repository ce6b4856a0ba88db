"""What calls of models took: by day, provider, model, app, person, purpose, outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, get_args

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    case,
    cast,
    func,
    inspect,
    literal_column,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from buttress.db.functions import day
from buttress.errors import BadInput, Conflict
from buttress.llm.tables import LLMCall

Group = Literal["day", "provider", "model", "app", "person", "purpose", "outcome"]
GROUPS: tuple[Group, ...] = get_args(Group)
ANSWERED = ("ok", "cached", "offline")


@dataclass(frozen=True)
class UsageRow:
    """What the calls of one group took; a field that was not grouped by is None.

    `cost` is in USD, of the calls whose price is known; `unpriced` counts the others. `failed`
    counts those that brought no answer, `cached` those that were answered before.
    """

    calls: int
    failed: int
    cached: int
    unpriced: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: Decimal
    mean_latency_seconds: float
    day: date | None = None
    provider: str | None = None
    model: str | None = None
    app: str | None = None
    person: str | None = None
    purpose: str | None = None
    outcome: str | None = None


def usage_query(
    since: datetime, until: datetime, by: Sequence[Group] = ("day", "model")
) -> Select[Any]:
    """The select behind `usage`: groups first, in their order; for `buttress.exports` too.

    Raises
    ------
    BadInput
        There is no such group, or none is named.
    """
    unknown = [name for name in by if name not in GROUPS]
    if unknown or not by:
        raise BadInput(
            f"usage cannot be told by {', '.join(map(repr, unknown)) or 'nothing'}",
            hint=f"Groups are {', '.join(GROUPS)}.",
        )
    groups = {name: _column(name) for name in dict.fromkeys(by)}
    totals = (
        func.count().label("calls"),
        _count(LLMCall.outcome.not_in(ANSWERED)).label("failed"),
        _count(LLMCall.outcome == "cached").label("cached"),
        _count(LLMCall.cost.is_(None)).label("unpriced"),
        _sum(LLMCall.input_tokens).label("input_tokens"),
        _sum(LLMCall.output_tokens).label("output_tokens"),
        _sum(LLMCall.cached_tokens).label("cached_tokens"),
        func.coalesce(func.sum(LLMCall.cost), 0).label("cost"),
        (func.avg(LLMCall.latency_ms) / 1000.0).label("mean_latency_seconds"),
    )
    return (
        select(*(column.label(name) for name, column in groups.items()), *totals)
        .where(LLMCall.at >= since, LLMCall.at < until)
        .group_by(*groups.values())
        .order_by(*groups.values())
    )


def usage(
    session: Session, since: datetime, until: datetime, by: Sequence[Group] = ("day", "model")
) -> list[UsageRow]:
    """What calls between two moments took, a row for each group, in the order of the groups.

    Raises `BadInput` for a group that is none, `Conflict` where the table is missing.
    """
    require_table(session)
    rows = session.execute(usage_query(since, until, by)).mappings()
    return [
        UsageRow(
            **{
                **row,
                "cost": Decimal(row["cost"]),
                "mean_latency_seconds": float(row["mean_latency_seconds"]),
            }
        )
        for row in rows
    ]


def require_table(session: Session) -> None:
    """Raise `Conflict` where `buttress migrate` has not run yet."""
    if not inspect(session.connection()).has_table(LLMCall.__tablename__):
        raise Conflict("there is no table of model calls yet", hint="Run `buttress migrate`.")


def _column(name: Group) -> ColumnElement[Any]:
    if name == "day":
        return day(LLMCall.at)
    if name == "model":
        return LLMCall.provider + literal_column("':'") + LLMCall.model
    column: ColumnElement[Any] = getattr(LLMCall, name)
    return column


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _sum(column: InstrumentedAttribute[int]) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(column), 0), BigInteger)
