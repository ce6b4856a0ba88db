"""Which cache the cached functions of this process use, and which functions there are."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from buttress.cache.bound import Bound
    from buttress.cache.cache import Cache
    from buttress.cache.declaration import Declaration


class Registered:
    """A declared function and, while a cache is open, what ties it to that cache."""

    __slots__ = ("__weakref__", "bound", "declaration")

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration
        self.bound: Bound | None = None


_registered: weakref.WeakSet[Registered] = weakref.WeakSet()
_registering = threading.Lock()
warming: list[tuple[Callable[..., Any], Declaration, tuple[Any, ...], dict[str, Any]]] = []
"""Calls to be made when a process starts, without their sessions."""
_open: list[Cache] = []


def register(declaration: Declaration) -> Registered:
    """Note a function at declaration; it is bound when a cache is open already."""
    entry = Registered(declaration)
    with _registering:
        _registered.add(entry)
        if _open:
            entry.bound = _open[-1].bind(declaration)
    return entry


def registered() -> list[Registered]:
    """The functions declared and still in use: a script that runs again declares them anew."""
    with _registering:
        return list(_registered)


def opened(cache: Cache) -> None:
    """Have every cached function use this cache."""
    _open.append(cache)
    _bind()


def closed(cache: Cache) -> None:
    """Have them use the one that was open before, or none."""
    if cache in _open:
        _open.remove(cache)
    _bind()


def _bind() -> None:
    for entry in registered():
        entry.bound = _open[-1].bind(entry.declaration) if _open else None
