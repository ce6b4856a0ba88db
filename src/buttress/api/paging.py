"""Lists in pages: which columns may be filtered and sorted by is declared once, and the parameters
of the route, its OpenAPI and the query follow from it.

    TICKETS = Listing(
        TicketOut,
        Ticket.id,
        sort={"opened_at": Ticket.opened_at, "title": Ticket.title},
        filters={"state": equal(Ticket.state, State), "title": containing(Ticket.title)},
        first="-opened_at",
    )

    @app.api.get("/tickets")
    def tickets(session: SessionDep, asked: Annotated[Asked, Depends(TICKETS)]) -> Page[TicketOut]:
        return TICKETS.page(session, asked)

A page begins where the last row of the one before stood, not after so many rows: rows that come or
go meanwhile make none appear twice or be left out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import ColumnElement, Integer, Select, TypeDecorator, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from buttress.api.types import LONGEST_TEXT, Page, Text, storable
from buttress.errors import BadInput, ConfigurationError

Out = TypeVar("Out", bound=BaseModel)
Column = InstrumentedAttribute[Any]
Condition = Callable[[Any], ColumnElement[bool]]

MOST, USUAL = 1000, 100
RESERVED = {"cursor", "limit", "sort"}
WHOLE = Annotated[int, Field(ge=-(2**31), lt=2**31)]
WHOLE_64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Cursor = Annotated[
    Text | None, Query(description="`next` of the page before, with the same sort and filters")
]


@dataclass(frozen=True)
class Filter:
    """One parameter: its type, and the rows it leaves."""

    kind: Any
    condition: Condition
    description: str = ""


def equal(column: Column, kind: Any = None) -> Filter:
    """Rows with exactly this value; `kind` where the column's own type is too wide."""
    return Filter(kind or parameter_type(column), lambda value: column == value)


def containing(column: Column) -> Filter:
    """Rows whose text contains this one, capitals or not."""
    return Filter(Text, lambda value: column.icontains(value, autoescape=True), "part of it")


def beginning(column: Column) -> Filter:
    """Rows whose text begins so where it ends with `*`, else is exactly this."""

    def condition(value: str) -> ColumnElement[bool]:
        if value.endswith("*"):
            return column.startswith(value[:-1], autoescape=True)
        return column == value

    return Filter(Text, condition, "may end with `*`")


def at_least(column: Column) -> Filter:
    """Rows of this value or more."""
    return Filter(parameter_type(column), lambda value: column >= value, "this or later")


def below(column: Column) -> Filter:
    """Rows of less than this value."""
    return Filter(parameter_type(column), lambda value: column < value, "before this")


@dataclass(frozen=True)
class Asked:
    """What a request wants to see of a list."""

    limit: int
    sort: str
    cursor: str | None
    filters: Mapping[str, Any] = field(default_factory=dict)


class Listing(Generic[Out]):
    """A list that is asked for page by page; as a dependency it reads the parameters.

    Parameters
    ----------
    out
        What a row is told as.
    unique
        A column no two rows share, which decides between rows that are equal otherwise.
    sort
        The columns it may be sorted by, none of which may be NULL; a `-` before the name turns it.
    filters
        The parameters that leave out rows.
    first
        How it is sorted unless asked otherwise.

    Raises
    ------
    ConfigurationError
        A column may be NULL, or a name cannot be used.
    """

    def __init__(
        self,
        out: type[Out],
        unique: Column,
        *,
        sort: Mapping[str, Column],
        filters: Mapping[str, Filter] | None = None,
        first: str,
    ) -> None:
        self.out = out
        self.unique = unique
        self.sort = dict(sort)
        self.filters = dict(filters or {})
        self.first = first
        nullable = [
            name for name, column in self.sort.items() if column.property.columns[0].nullable
        ]
        if nullable or first.removeprefix("-") not in self.sort or RESERVED & set(self.filters):
            raise ConfigurationError(
                f"the list of {out.__name__} cannot be declared so",
                hint="Sort by columns that are never NULL, the first of them declared; "
                f"{', '.join(sorted(RESERVED))} are no names of filters.",
            )
        # FastAPI reads the parameters of a dependency from here.
        self.__signature__ = self._signature()

    async def __call__(self, **given: Any) -> Asked:
        """What the parameters of a request say; a coroutine, so that no thread is asked for it."""
        filters = {name: given[name] for name in self.filters if given[name] is not None}
        return Asked(given["limit"], given["sort"], given["cursor"], filters)

    def page(self, session: Session, asked: Asked, rows: Select[Any] | None = None) -> Page[Out]:
        """One page of these rows, of the whole table when none are given.

        Raises
        ------
        BadInput
            The cursor is not one that this list gave for the same sort and filters.
        """
        chosen = select(self.unique.class_) if rows is None else rows
        for name, value in asked.filters.items():
            chosen = chosen.where(self.filters[name].condition(value))
        column = self.sort[asked.sort.removeprefix("-")]
        turned = asked.sort.startswith("-")
        if asked.cursor is not None:
            last = self._read_cursor(asked, column)
            here = tuple_(column, self.unique)
            there = tuple_(literal(last[0], column.type), literal(last[1], self.unique.type))
            chosen = chosen.where(here < there if turned else here > there)
        order = [one.desc() if turned else one.asc() for one in (column, self.unique)]
        found = list(session.scalars(chosen.order_by(*order).limit(asked.limit + 1)))
        items = [self.out.model_validate(row) for row in found[: asked.limit]]
        more = self._cursor(asked, column, found[asked.limit - 1]) if found[asked.limit :] else None
        return Page(items=items, next=more)

    def count(self, session: Session, asked: Asked) -> int:
        """How many rows the filters leave."""
        chosen = select(func.count()).select_from(self.unique.class_)
        for name, value in asked.filters.items():
            chosen = chosen.where(self.filters[name].condition(value))
        return session.scalar(chosen) or 0

    def _cursor(self, asked: Asked, column: Column, row: Any) -> str:
        last = (getattr(row, column.key), getattr(row, self.unique.key))
        return write_cursor(_request(asked), last)

    def _read_cursor(self, asked: Asked, column: Column) -> tuple[Any, Any]:
        kinds = (python_type(column), python_type(self.unique))
        found: tuple[Any, Any] = read_cursor(asked.cursor or "", _request(asked), kinds)
        return found

    def _signature(self) -> inspect.Signature:
        names = [way for name in self.sort for way in (name, f"-{name}")]
        parameters: dict[str, tuple[Any, Any]] = {
            name: (Annotated[one.kind | None, Query(description=one.description)], None)
            for name, one in self.filters.items()
        }
        parameters["sort"] = (
            Annotated[Literal[tuple(names)], Query(description="- turns it round")],
            self.first,
        )
        parameters["limit"] = (Limit, USUAL)
        parameters["cursor"] = (Cursor, None)
        return inspect.Signature(
            [
                inspect.Parameter(
                    name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
                )
                for name, (kind, default) in parameters.items()
            ]
        )


def parameter_type(column: Column) -> Any:
    """What a request may give for a column: no more than the column can hold."""
    kind = python_type(column)
    if kind is str:
        return Text
    if kind is datetime:
        return AwareDatetime
    if kind is int:
        return WHOLE if type(column.type) is Integer else WHOLE_64
    return kind


def python_type(column: Column) -> Any:
    """Of the values of a column; a type of ours has that of what it is stored as."""
    kind = column.type
    return (kind.impl_instance if isinstance(kind, TypeDecorator) else kind).python_type


def write_cursor(request: str, last: tuple[Any, ...]) -> str:
    """Where a page ended, for the same request only."""
    content = msgspec.json.encode([request, *last])
    check = hashlib.sha256(content).digest()[:6]
    return base64.urlsafe_b64encode(check + content).decode().rstrip("=")


def read_cursor(cursor: str, request: str, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Where the page before ended.

    It leads to no row that the request could not see without it: a forged one begins elsewhere in
    the same list. What cannot be one raises BadInput before it reaches the database.
    """
    wrong = BadInput(
        "this cursor is none of this list",
        hint="Send `next` of the page before as it is, with the same sort and filters.",
    )
    shape: Any = tuple.__class_getitem__((str, *kinds))
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        check, content = data[:6], data[6:]
        found: tuple[Any, ...] = msgspec.json.decode(content, type=shape)
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise wrong from error
    whole = base64.urlsafe_b64encode(data).decode().rstrip("=") == cursor
    if not whole or hashlib.sha256(content).digest()[:6] != check or found[0] != request:
        raise wrong
    for value in found[1:]:
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise wrong
        if isinstance(value, datetime) and value.tzinfo is None:
            raise wrong
        if isinstance(value, str):
            try:
                storable(value[: LONGEST_TEXT + 1])
            except ValueError as error:
                raise wrong from error
    return found[1:]


def _request(asked: Asked) -> str:
    """What a cursor belongs to, in few characters."""
    filters = sorted((name, _told(value)) for name, value in asked.filters.items())
    told = msgspec.json.encode([asked.sort, filters])
    return hashlib.sha256(told).hexdigest()[:12]


def _told(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
