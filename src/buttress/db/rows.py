"""Rows as programs hold them: mappings and objects with named fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec

from buttress.errors import BadInput


def as_mapping(row: Any) -> Mapping[str, Any]:
    """The fields of a mapping, dataclass, pydantic model or msgspec struct by name."""
    if isinstance(row, Mapping):
        return row
    if dataclasses.is_dataclass(row) and not isinstance(row, type):
        return {f.name: getattr(row, f.name) for f in dataclasses.fields(row)}
    if isinstance(row, msgspec.Struct):
        return {name: getattr(row, name) for name in row.__struct_fields__}
    if hasattr(type(row), "model_fields"):
        return {name: getattr(row, name) for name in type(row).model_fields}
    raise BadInput(
        f"a {type(row).__name__} is no row",
        hint="Give mappings, dataclasses, pydantic models, msgspec structs or a frame.",
    )
