"""What tells one cached function from another, so that none is handed the other's values."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from hashlib import blake2b
from types import CodeType
from typing import Any
from uuid import uuid4

from buttress.cache.keys import PLAIN


def identity_of(
    function: Callable[..., Any], namespace: str, version: int, schema: str, tags: object
) -> str:
    """The same in every process for the same function, another one as soon as anything differs.

    Its name is not enough: a factory makes many functions of one name, and every script is called
    `__main__`. So the code counts too, and what a closure holds; where that is nothing plain, the
    values are this declaration's alone.
    """
    found = [namespace, function.__module__, function.__qualname__, str(version), schema]
    code = getattr(function, "__code__", None)
    found.append(_code(code) if code is not None else uuid4().hex)
    if function.__module__ == "__main__" and code is not None:
        found.append(code.co_filename)
    found += [_told(part) for part in _held(function)]
    found += [_told(one) for one in tags] if isinstance(tags, list | tuple) else [_told(tags)]
    return blake2b("\0".join(found).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _code(code: CodeType) -> str:
    return "|".join([code.co_code.hex(), *code.co_names, *map(_constant, code.co_consts)])


def _constant(value: object) -> str:
    if isinstance(value, CodeType):
        return _code(value)
    # The order of a set differs from process to process.
    return str(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


def _held(function: Callable[..., Any]) -> list[object]:
    """What the function holds beside its code: closure cells and defaults."""
    cells = [
        cell.cell_contents if cell.cell_contents is not function else None
        for cell in function.__closure__ or ()
        if _filled(cell)
    ]
    keywords = (getattr(function, "__kwdefaults__", None) or {}).values()
    return [*itertools.chain(cells, getattr(function, "__defaults__", None) or (), keywords)]


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  an empty one raises
    except ValueError:
        return False
    return True


def _told(value: object) -> str:
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if type(value) in PLAIN:
        return f"{type(value).__name__}:{value!r}"
    if isinstance(value, tuple | list):
        return f"({','.join(map(_told, value))})"
    code = getattr(value, "__code__", None)
    if isinstance(code, CodeType):
        return f"{_code(code)}({','.join(map(_told, _held(value)))})"  # type: ignore[arg-type]
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return f"{type(value).__qualname__}({','.join(_told(getattr(value, n)) for n in fields)})"
    return uuid4().hex
