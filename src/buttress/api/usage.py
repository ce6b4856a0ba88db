"""What language models took, under `/api/v1`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict

from buttress.api.paging import USUAL, Cursor, Limit, read_cursor, write_cursor
from buttress.api.permission import needs
from buttress.api.route import StrictRoute
from buttress.api.session import SessionDep
from buttress.api.types import Page
from buttress.errors import BadInput
from buttress.exports import MEDIA_TYPES, Format, export_chunks
from buttress.llm.usage import Group, require_table, usage, usage_query

FIRST_DAYS, MOST_DAYS = 30, 400

router = APIRouter(tags=["Usage"], route_class=StrictRoute)


class UsageOut(BaseModel):
    """What the calls of one group took; cost in USD, of the calls whose price is known."""

    model_config = ConfigDict(from_attributes=True)

    calls: int
    failed: int
    cached: int
    unpriced: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: Decimal
    mean_latency_seconds: float
    day: date | None
    provider: str | None
    model: str | None
    app: str | None
    person: str | None
    purpose: str | None
    outcome: str | None


class Span(BaseModel):
    """Which calls, and how they are grouped."""

    since: datetime
    until: datetime
    by: list[Group]

    @property
    def request(self) -> str:
        """What a cursor belongs to."""
        return f"usage {self.since:%Y%m%d} {self.until:%Y%m%d} {','.join(self.by)}"


async def span(
    since: Annotated[date | None, Query(description="first day, in UTC")] = None,
    until: Annotated[date | None, Query(description="the day after the last")] = None,
    by: Annotated[Sequence[Group], Query(min_length=1, max_length=7)] = ("day", "model"),
) -> Span:
    """The last thirty days unless told otherwise; raises BadInput for more than 400."""
    try:
        last = until or datetime.now(UTC).date() + timedelta(days=1)
        first = since or last - timedelta(days=FIRST_DAYS)
    except OverflowError as error:
        raise BadInput("there was no such day") from error
    if not 0 < (last - first).days <= MOST_DAYS:
        raise BadInput(
            f"{first} to {last} is no span of 1 to {MOST_DAYS} days",
            hint="`since` is the first day, `until` the day after the last.",
        )
    start, end = (datetime.combine(day, time(), UTC) for day in (first, last))
    return Span(since=start, until=end, by=list(dict.fromkeys(by)))


SpanDep = Annotated[Span, Depends(span)]


@router.get("/usage", dependencies=[needs("models.usage")])
def model_usage(
    session: SessionDep,
    asked: SpanDep,
    limit: Limit = USUAL,
    cursor: Cursor = None,
) -> Page[UsageOut]:
    """What calls of language models took, a row for each group, in the order of the groups."""
    start = int(read_cursor(cursor, asked.request, (int,))[0]) if cursor is not None else 0
    rows = usage(session, asked.since, asked.until, asked.by)[max(start, 0) :]
    items = [UsageOut.model_validate(row) for row in rows[:limit]]
    more = write_cursor(asked.request, (start + limit,)) if rows[limit:] else None
    return Page(items=items, next=more)


@router.get(
    "/usage/export",
    dependencies=[needs("models.usage")],
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in MEDIA_TYPES.values()}}},
)
def export_usage(session: SessionDep, asked: SpanDep, format: Format = "csv") -> Response:
    """The same as a file."""
    require_table(session)
    query = usage_query(asked.since, asked.until, asked.by)
    name = f"model-usage-{asked.since:%Y-%m-%d}-{asked.until:%Y-%m-%d}.{format}"
    return Response(
        b"".join(export_chunks(session, query, format)),
        media_type=MEDIA_TYPES[format],
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )
