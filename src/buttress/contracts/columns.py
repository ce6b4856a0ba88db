"""Whole columns looked at at once: which rows surely keep a contract.

What is found here decides nothing alone: every other row is judged by pydantic, whose words the
violations are in. So this may pass a row only when pydantic would, and change nothing in it.
"""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types as bounds
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel
from pydantic.fields import FieldInfo

HARMLESS_SETTINGS = frozenset(
    {"title", "frozen", "from_attributes", "arbitrary_types_allowed", "json_schema_extra"}
)
"""Settings of a model that change no value and refuse none; any other wants pydantic itself."""

OWN_WAYS = frozenset({"__init__", "__new__", "model_post_init", "__get_pydantic_core_schema__"})

# A day inside what Python has, so that no time zone leads outside.
_EARLIEST, _LATEST = dt.datetime(1, 1, 2, tzinfo=dt.UTC), dt.datetime(9999, 12, 30, tzinfo=dt.UTC)

_FITS: dict[Any, Callable[[pa.DataType], bool]] = {
    bool: pa.types.is_boolean,
    int: pa.types.is_integer,
    float: pa.types.is_float64,
    str: lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    Decimal: pa.types.is_decimal128,
    dt.date: pa.types.is_date32,
    dt.datetime: lambda kind: pa.types.is_timestamp(kind) and kind.unit != "ns",
}

_COMPARE: list[tuple[type, str, Callable[[Any, Any], Any]]] = [
    (bounds.Ge, "ge", pc.greater_equal),
    (bounds.Gt, "gt", pc.greater),
    (bounds.Le, "le", pc.less_equal),
    (bounds.Lt, "lt", pc.less),
]


def surely_valid(model: type[BaseModel], table: pa.Table) -> Any:
    """A mask of the rows of a table that keep a model as they are; None when it cannot tell."""
    if not _is_plain(model):
        return None
    mask = None
    for name, field in model.model_fields.items():
        if name not in table.column_names:
            return None
        passing = _passing(field, table.column(name))
        if passing is None:
            return None
        mask = passing if mask is None else pc.and_(mask, passing)
    return mask


def _is_plain(model: type[BaseModel]) -> bool:
    """Whether fields alone say what a row must be."""
    decorators = model.__pydantic_decorators__
    own = (
        decorators.validators,
        decorators.field_validators,
        decorators.root_validators,
        decorators.model_validators,
    )
    settings = model.model_config
    return not (
        any(own)
        or set(settings) - HARMLESS_SETTINGS - {"extra"}
        or settings.get("extra", "ignore") != "ignore"
        or any(OWN_WAYS & vars(kind).keys() for kind in _own_classes(model))
        or any(field.validation_alias for field in model.model_fields.values())
    )


def _own_classes(model: type[BaseModel]) -> list[type]:
    return [kind for kind in model.__mro__ if not kind.__module__.startswith("pydantic.")][:-1]


def _passing(field: FieldInfo, column: pa.ChunkedArray) -> Any:
    annotation, optional = _without_none(field.annotation)
    try:
        passing = _of_type(annotation, column)
        for rule in field.metadata if passing is not None else ():
            kept = _keeps(rule, annotation, column)
            if kept is None:
                return None
            passing = pc.and_(passing, kept)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return None
    return None if passing is None else pc.fill_null(passing, optional)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """The type of `X | None`, and whether it was one."""
    if get_origin(annotation) in (Union, types.UnionType):
        others = [one for one in get_args(annotation) if one is not type(None)]
        if len(others) == 1:
            return others[0], len(get_args(annotation)) == 2
    return annotation, False


def _of_type(annotation: Any, column: pa.ChunkedArray) -> Any:
    """Values of exactly that type; null where there is none."""
    kind = column.type
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        if not (all(type(one) is str for one in choices) and _FITS[str](kind)):
            return None
        known = pc.is_in(column, value_set=pa.array(choices, kind))
        return pc.if_else(column.is_null(), pa.scalar(None, pa.bool_()), known)
    fits = _FITS.get(annotation)
    if fits is None or not fits(kind):
        return None
    if annotation in (dt.date, dt.datetime):
        return _in_calendar(annotation, column)
    return pc.if_else(column.is_null(), pa.scalar(None, pa.bool_()), pa.scalar(True))


def _in_calendar(annotation: Any, column: pa.ChunkedArray) -> Any:
    """Arrow knows years that Python does not."""
    if annotation is dt.date:
        ends = [pa.scalar(day, pa.date32()) for day in (_EARLIEST.date(), _LATEST.date())]
    else:
        ends = [_moment(end, column.type) for end in (_EARLIEST, _LATEST)]
    return pc.and_(pc.greater_equal(column, ends[0]), pc.less_equal(column, ends[1]))


def _moment(end: dt.datetime, kind: pa.DataType) -> pa.Scalar:
    if kind.tz is None:
        return pa.scalar(end.replace(tzinfo=None), pa.timestamp("us")).cast(kind)
    return pa.scalar(end, pa.timestamp("us", "UTC")).cast(kind)


def _keeps(rule: Any, annotation: Any, column: pa.ChunkedArray) -> Any:
    """Whether values keep one constraint; None for one that is not known here."""
    for kind, name, compare in _COMPARE:
        if isinstance(rule, kind):
            bound = _bound(getattr(rule, name), annotation)
            return None if bound is None else compare(column, pa.scalar(bound, column.type))
    if annotation is str and isinstance(rule, bounds.MinLen):
        return pc.greater_equal(pc.utf8_length(column), rule.min_length)
    if annotation is str and isinstance(rule, bounds.MaxLen):
        return pc.less_equal(pc.utf8_length(column), rule.max_length)
    return None


def _bound(bound: Any, annotation: Any) -> int | float | None:
    """A limit as exactly the column's kind of number, or None."""
    if annotation is int:
        return bound if type(bound) is int else None
    if annotation is float and type(bound) in (int, float) and float(bound) == bound:
        return float(bound)
    return None
