"""Values as they come to values as a column takes them: whole columns at once where that works.

`fit` takes an Arrow column and casts it; when one value objects, the values of that batch are
taken one by one by `convert`, so that only the rows that cannot be stored are told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from buttress.errors import BadInput
from buttress.imports.convert import converter, is_missing
from buttress.imports.target import Column, Kind

ARROW: dict[Kind, pa.DataType] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "text": pa.large_string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "time": pa.time64("us"),
    "uuid": pa.binary(16),
    "bytes": pa.large_binary(),
    "json": pa.large_string(),
    "other": pa.large_string(),
}
# Days and microseconds since 1970 of the years 1 to 9999.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
_DAY = 86_400_000_000

# Of dates among moments, and the like, Arrow would make what the first ones are.
_ARROW_INFERS = {"bool", "int2", "int4", "int8", "float4", "float8", "text", "uuid", "bytes"}

_ERRORS = (pa.ArrowException, TypeError, ValueError, OverflowError)


class _OneByOne(ValueError):
    """Some value of the column needs a closer look."""


@dataclass(frozen=True)
class Fitted:
    """A column as it is stored, NULL where a row is refused; `refused` has reasons by position."""

    array: pa.Array
    refused: dict[int, str]


def fit(column: Column, values: pa.Array) -> Fitted:
    """One column of a batch; raises `BadInput` when its type is never right for the column."""
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_null(values.type):
        return _checked_nulls(column, Fitted(pa.nulls(len(values), _type_of(column)), {}))
    _refuse_type(column, values.type)
    try:
        fitted = Fitted(_cast(column, values), {})
    except _ERRORS:
        fitted = _one_by_one(column, values)
    return _checked_nulls(column, fitted)


def fit_objects(column: Column, values: Sequence[Any]) -> Fitted:
    """The same for Python's objects; one value of a wrong type refuses its row only."""
    if column.kind in _ARROW_INFERS:
        try:
            array = pa.array(values)
            if _accepts(column, array.type):
                return fit(column, array)
        except (*_ERRORS, AttributeError):
            pass
    return _checked_nulls(column, _each(column, values))


def _type_of(column: Column) -> pa.DataType:
    if column.kind != "numeric":
        return ARROW[column.kind]
    if _is_bounded(column):
        return pa.decimal128(column.precision, column.scale)
    return pa.decimal128(38, 0)


def _is_bounded(column: Column) -> bool:
    precision, scale = column.precision, column.scale
    return precision is not None and scale is not None and 0 <= scale <= precision <= 38


def _is_text(kind: pa.DataType) -> bool:
    return any(
        is_one(kind)
        for is_one in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )


def _is_binary(kind: pa.DataType) -> bool:
    return any(
        is_one(kind)
        for is_one in (
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_fixed_size_binary,
            pa.types.is_binary_view,
        )
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _accepts(column: Column, kind: pa.DataType) -> bool:
    """Whether values of an Arrow type may be right for the column."""
    if pa.types.is_null(kind) or pa.types.is_dictionary(kind):
        return True
    match column.kind:
        case "json":
            return True
        case "text":
            return _is_text(kind) or bool(pa.types.is_integer(kind))
        case "other":
            return _is_text(kind)
        case "bytes":
            return _is_binary(kind)
        case "uuid":
            return _is_text(kind) or _is_binary(kind)
        case "bool":
            return _is_text(kind) or bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind))
        case "time":
            return _is_text(kind) or bool(pa.types.is_time(kind))
        case "date":
            naive = pa.types.is_timestamp(kind) and kind.tz is None
            return _is_text(kind) or bool(pa.types.is_date(kind)) or naive
        case "timestamp":
            naive = pa.types.is_timestamp(kind) and kind.tz is None
            return _is_text(kind) or bool(pa.types.is_date(kind)) or naive
        case "timestamptz":
            return _is_text(kind) or bool(pa.types.is_timestamp(kind) and kind.tz is not None)
    return _is_text(kind) or _is_number(kind)


def _refuse_type(column: Column, kind: pa.DataType) -> None:
    if _accepts(column, kind):
        return
    hint = "Convert the column before the import."
    if column.kind == "timestamptz" and pa.types.is_timestamp(kind):
        hint = 'Say which instants they are: frame["at"].dt.tz_localize("UTC").'
    elif pa.types.is_timestamp(kind):
        hint = (
            'Drop the time zone knowingly: frame["at"].dt.tz_convert("UTC").dt.tz_localize(None).'
        )
    raise BadInput(
        f"column {column.name!r} holds {kind}, which {column.type_name} does not take", hint=hint
    )


def _cast(column: Column, values: pa.Array) -> pa.Array:
    """The whole column at once; raises one of `_ERRORS` when some value objects."""
    if _is_text(values.type) and column.kind not in ("text", "other", "float8"):
        raise _OneByOne  # Arrow reads less than people write, and more
    cast = _CASTS.get(column.kind, _cast_plainly)
    return cast(column, values)


def _cast_plainly(column: Column, values: pa.Array) -> pa.Array:
    if column.kind == "json" or pa.types.is_date64(values.type):
        raise _OneByOne
    return values.cast(ARROW[column.kind])


def _cast_integers(column: Column, values: pa.Array) -> pa.Array:
    return _without_nan(values).cast(ARROW[column.kind])


def _cast_floats(column: Column, values: pa.Array) -> pa.Array:
    cast = values.cast(ARROW[column.kind])
    if column.kind == "float4" and pc.sum(pc.is_inf(cast)) != pc.sum(pc.is_inf(values)):
        raise _OneByOne
    return cast


def _cast_bools(column: Column, values: pa.Array) -> pa.Array:
    if not pa.types.is_boolean(values.type):
        bounds = pc.min_max(values).as_py()
        if (bounds["min"] or 0) < 0 or (bounds["max"] or 0) > 1:
            raise _OneByOne
    return values.cast(pa.bool_())


def _cast_text(column: Column, values: pa.Array) -> pa.Array:
    texts = values.cast(pa.large_string())
    texts.validate(full=True)
    if pc.any(pc.match_substring(texts, "\0")).as_py():
        raise _OneByOne
    if column.length is not None:
        longest = pc.max(pc.utf8_length(texts)).as_py()
        if longest is not None and longest > column.length:
            raise _OneByOne
    return texts


def _cast_decimals(column: Column, values: pa.Array) -> pa.Array:
    values = _without_nan(values)
    if _is_bounded(column):
        return values.cast(pa.decimal128(column.precision, column.scale))
    if pa.types.is_decimal(values.type):
        return values
    if pa.types.is_integer(values.type):
        return values.cast(pa.decimal128(20, 0))
    raise _OneByOne  # the digits of a float are those Python prints


def _cast_dates(column: Column, values: pa.Array) -> pa.Array:
    dates = values.cast(pa.date32())
    if pa.types.is_timestamp(values.type) and not dates.cast(values.type).equals(values):
        raise _OneByOne
    _check_bounds(dates.cast(pa.int32()), _FIRST_DAY, _LAST_DAY)
    return dates


def _cast_moments(column: Column, values: pa.Array) -> pa.Array:
    # What is finer than a microsecond is cut off, as PostgreSQL keeps microseconds.
    fine = pa.types.is_timestamp(values.type) and values.type.unit == "ns"
    moments = values.cast(ARROW[column.kind], safe=not fine)
    _check_bounds(moments.cast(pa.int64()), _FIRST_DAY * _DAY, (_LAST_DAY + 1) * _DAY - 1)
    return moments


def _cast_times(column: Column, values: pa.Array) -> pa.Array:
    return values.cast(ARROW["time"], safe=values.type != pa.time64("ns"))


_CASTS: dict[Kind, Callable[[Column, pa.Array], pa.Array]] = {
    "int2": _cast_integers,
    "int4": _cast_integers,
    "int8": _cast_integers,
    "float4": _cast_floats,
    "float8": _cast_floats,
    "bool": _cast_bools,
    "text": _cast_text,
    "other": _cast_text,
    "numeric": _cast_decimals,
    "date": _cast_dates,
    "timestamp": _cast_moments,
    "timestamptz": _cast_moments,
    "time": _cast_times,
}


def _without_nan(values: pa.Array) -> pa.Array:
    """NaN as NULL: a frame's way to leave a number out where the column has no NaN."""
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def _check_bounds(numbers: pa.Array, first: int, last: int) -> None:
    bounds = pc.min_max(numbers).as_py()
    if bounds["min"] is not None and not first <= bounds["min"] <= bounds["max"] <= last:
        raise _OneByOne


def _one_by_one(column: Column, values: pa.Array) -> Fitted:
    objects = []
    refused = {}
    for place, scalar in enumerate(values):
        try:
            objects.append(scalar.as_py())
        except (ValueError, OverflowError, UnicodeDecodeError):
            # Python's dates end with the year 9999; text may be no UTF-8.
            objects.append(None)
            refused[place] = f"{column.name}: a value that {column.type_name} does not take"
    fitted = _each(column, objects)
    return Fitted(fitted.array, refused | fitted.refused)


def _each(column: Column, values: Sequence[Any]) -> Fitted:
    convert = converter(column)
    converted: list[Any] = []
    refused = {}
    for place, value in enumerate(values):
        try:
            converted.append(None if is_missing(value, column.kind) else convert(value))
        except (ValueError, ArithmeticError) as error:
            converted.append(None)
            refused[place] = f"{column.name}: {error}"
    return Fitted(_array(column, converted), refused)


def _array(column: Column, values: list[Any]) -> pa.Array:
    if column.kind != "numeric" or _is_bounded(column):
        return pa.array(values, _type_of(column))
    if not any(value is not None for value in values):
        return pa.nulls(len(values), _type_of(column))
    return pa.array(values)  # of the precision and scale these values need, up to 76 digits


def _checked_nulls(column: Column, fitted: Fitted) -> Fitted:
    if column.nullable or not fitted.array.null_count:
        return fitted
    refused = dict(fitted.refused)
    for place in pc.indices_nonzero(fitted.array.is_null()).to_pylist():
        refused.setdefault(place, f"{column.name}: no value, and the column needs one")
    return Fitted(fitted.array, refused)
