"""What can be kept, how it is written, and what a hit hands out.

A kept value is encoded and decoded once, by the type the function declares, when it is computed: so
it is of that type, and nobody holds a reference into it. A hit then hands out

- the value itself when its type cannot be changed (numbers, text, tuples, frozen dataclasses and
  frozen structs of such);
- a copy of the outer container when its parts cannot be changed (`list[Row]`, `dict[str, int]`);
- a copy two levels deep for containers of such containers;
- a value decoded anew for everything else.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

import msgspec
from pydantic import BaseModel
from sqlalchemy import Row
from sqlalchemy import inspect as mapper_of

from buttress.errors import BadInput, ConfigurationError

UNCHANGEABLE = (
    int, str, bool, bytes, float, complex, type(None), Decimal, UUID, date, datetime, time,
    timedelta, Enum,
)  # fmt: skip

Copy = Callable[[Any], Any]


class Codec:
    """Writes, reads and copies values of one type."""

    def __init__(self, annotation: Any, where: str) -> None:
        """Raises ConfigurationError when values of this type cannot be kept."""
        self.where = where
        self.annotation = annotation
        refuse_unkeepable(annotation, where)
        self._checks = any(part is Any or part is object for part in _parts(annotation))
        self._encode = msgspec.msgpack.Encoder(enc_hook=_write_model).encode
        try:
            self._decode = msgspec.msgpack.Decoder(annotation, dec_hook=_read_model).decode
        except TypeError as error:
            raise _refused(annotation, where, str(error)) from error
        self.copy: Copy | None = copier(annotation)
        """Makes what a hit hands out; None when it takes decoding anew."""
        self.schema = blake2b(_shape(annotation).encode(), digest_size=6).hexdigest()
        """Changes with the structure of the type."""

    def encode(self, value: Any) -> bytes:
        """The value as MessagePack; raises ConfigurationError when it cannot be written."""
        try:
            return self._encode(value)
        except (TypeError, ValueError, OverflowError, NotImplementedError) as error:
            raise _refused(type(value), self.where, str(error)) from error

    def decode(self, encoded: bytes) -> Any:
        """The value; raises msgspec.DecodeError for bytes that are no such value."""
        return self._decode(encoded)

    def kept(self, value: Any) -> tuple[bytes, Any]:
        """The value written, and read back as it will be handed out.

        Raises ConfigurationError when it does not come back as it was.
        """
        encoded = self.encode(value)
        try:
            back = self._decode(encoded)
        except (msgspec.MsgspecError, ValueError) as error:
            raise ConfigurationError(
                f"{self.where} returned what is not {_label(self.annotation)}: {error}",
                hint="Correct the return annotation, or the function.",
            ) from error
        if self._checks and back != value:
            raise _refused(
                self.annotation, self.where, "it would come back changed: name the exact type"
            )
        return encoded, back


def refuse_unkeepable(annotation: Any, where: str) -> None:
    """Raise ConfigurationError when the annotation shows that values cannot be kept."""
    if annotation is None:
        return
    for part in _parts(annotation):
        if isinstance(part, type) and (
            mapper_of(part, raiseerr=False) is not None or issubclass(part, Row)
        ):
            raise _refused(part, where, "it belongs to a session")
        if part in (typing.Iterator, typing.Generator) or (
            isinstance(part, type) and hasattr(part, "__next__")
        ):
            raise _refused(part, where, "it can be read only once")


def copier(annotation: Any) -> Copy | None:
    """How a kept value of this type is handed out, None for decoding it anew."""
    if is_unchangeable(annotation):
        return lambda value: value
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if origin not in (list, dict, set):
        return None
    if not arguments:
        return None
    if all(is_unchangeable(part) for part in arguments):
        return origin.copy  # type: ignore[no-any-return]
    inner = copier(arguments[-1])
    if inner is None:
        return None
    if origin is list:
        return lambda value: [inner(part) for part in value]
    if origin is dict and is_unchangeable(arguments[0]):
        return lambda value: {name: inner(part) for name, part in value.items()}
    return None


def is_unchangeable(annotation: Any) -> bool:
    """Whether nobody can change a value of this type."""
    if annotation is None or annotation is Ellipsis:
        return True
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (typing.Union, types.UnionType, tuple, frozenset):
        return all(is_unchangeable(part) for part in arguments)
    if origin is typing.Annotated:
        return is_unchangeable(arguments[0])
    if origin is Literal:
        return True
    if not isinstance(annotation, type):
        return False
    if issubclass(annotation, UNCHANGEABLE):
        return True
    fields = _fields(annotation)
    return fields is not None and all(is_unchangeable(part) for part in fields.values())


def _fields(kind: type) -> dict[str, Any] | None:
    """The fields of a frozen class with their types, None when it is not one."""
    frozen = (
        (issubclass(kind, msgspec.Struct) and kind.__struct_config__.frozen)
        or (dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen)  # type: ignore[attr-defined]
        or (issubclass(kind, BaseModel) and kind.model_config.get("frozen", False))
        or (issubclass(kind, tuple) and hasattr(kind, "_fields"))
    )
    return _hints(kind) if frozen else None


def _hints(kind: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind)
    except (NameError, TypeError):
        return {"": Any}  # a name that is not there yet: nothing can be said of it


def _parts(annotation: Any, seen: tuple[Any, ...] = ()) -> list[Any]:
    """The annotation and every type in it, fields of classes included."""
    if any(annotation is earlier for earlier in seen):
        return []
    found = [annotation]
    seen = (*seen, annotation)
    if get_origin(annotation) is Literal:
        return found
    inside: list[Any] = [get_origin(annotation), *get_args(annotation)]
    if isinstance(annotation, type) and _has_fields(annotation):
        inside = list(_hints(annotation).values())
    for part in inside:
        if part is not None:
            found += _parts(part, seen)
    return found


def _has_fields(kind: type) -> bool:
    return (
        dataclasses.is_dataclass(kind)
        or issubclass(kind, msgspec.Struct | BaseModel)
        or typing.is_typeddict(kind)
        or (issubclass(kind, tuple) and hasattr(kind, "_fields"))
    )


def _shape(annotation: Any, seen: tuple[Any, ...] = ()) -> str:
    """The structure of a type as text: names and types of fields, down to the plain types."""
    label = _label(annotation)
    if any(annotation is earlier for earlier in seen):
        return label
    seen = (*seen, annotation)
    if get_origin(annotation) is Literal:
        return str(annotation)
    if isinstance(annotation, type) and _has_fields(annotation):
        fields = _hints(annotation).items()
        return f"{label}({','.join(f'{name}:{_shape(kind, seen)}' for name, kind in fields)})"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return f"{label}({','.join(f'{member.name}={member.value}' for member in annotation)})"
    arguments = ",".join(_shape(part, seen) for part in get_args(annotation))
    return f"{_label(get_origin(annotation) or annotation)}[{arguments}]"


def _label(annotation: Any) -> str:
    return getattr(annotation, "__qualname__", None) or str(annotation)


def _write_model(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"a {type(value).__name__} has no form in MessagePack")


def _read_model(kind: type, value: Any) -> Any:
    if issubclass(kind, BaseModel):
        return kind.model_validate(value)
    if kind is object:
        return value
    raise BadInput(f"a {kind.__name__} cannot be read from MessagePack")


def _refused(annotation: Any, where: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{where} cannot be cached: {_label(annotation)}: {why}",
        hint="Return numbers, text, dates, containers of them, dataclasses, msgspec structs or "
        "pydantic models.",
    )
