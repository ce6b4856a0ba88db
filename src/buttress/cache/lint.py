"""Cached functions whose code names models that their tags do not."""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

from sqlalchemy import inspect as mapper_of
from sqlalchemy.orm import Mapper

from buttress.cache import current
from buttress.cache.declaration import Declaration
from buttress.cache.watch import is_watched, tables_of


@dataclass(frozen=True)
class Uncovered:
    """A model a cached function refers to without being told of its changes."""

    function: str
    model: str
    watched: bool
    """Whether the model is watched, and only the function's tags leave it out."""

    @property
    def cure(self) -> str:
        """What to do about it."""
        if self.watched:
            return f"Add {self.model} to tags= of {self.function}."
        return f"Declare {self.model}.__cache_tags__ = (), and add it to tags= of {self.function}."

    def __str__(self) -> str:
        return f"{self.function} reads {self.model}, which its tags do not name"


def lint() -> list[Uncovered]:
    """What the cached functions imported so far refer to without naming it in their tags.

    Only what the code of the function itself names is found: what it reads through other functions
    is seen when it runs. A function whose tags are computed is left out.
    """
    found = {
        Uncovered(declaration.name, model.__name__, is_watched(model))
        for declaration in (entry.declaration for entry in current.registered())
        if not callable(declaration.tags)
        for model in _models(declaration)
        if not declaration.tables.issuperset(tables_of(model))
    }
    return sorted(found, key=lambda one: (one.function, one.model))


def _models(declaration: Declaration) -> Iterator[type[Any]]:
    function: Callable[..., Any] = inspect.unwrap(declaration.function)
    known = {
        **vars(builtins),
        **function.__globals__,
        **inspect.getclosurevars(function).nonlocals,
    }
    for name in _names(function.__code__):
        value = known.get(name)
        if isinstance(value, type) and isinstance(mapper_of(value, raiseerr=False), Mapper):
            yield value


def _names(code: CodeType) -> Iterator[str]:
    """The names a function's code uses, those of functions written inside it included."""
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
