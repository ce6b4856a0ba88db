"""Where a thread or task is, and for whom it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal


class Place:
    """What this thread or task does for somebody: it answers a route, shows a page, runs a job."""

    __slots__ = ("name", "seen")

    def __init__(self, kind: Literal["route", "page", "job"], name: str) -> None:
        self.name = f"{kind} {name}"
        self.seen: dict[Any, int] = {}
        """What the query monitor has counted since it began."""


place: ContextVar[Place | None] = ContextVar("place", default=None)


@contextmanager
def entering(kind: Literal["route", "page", "job"], name: str) -> Iterator[None]:
    """Everything inside is told as done there, by the query monitor for one."""
    token = place.set(Place(kind, name))
    try:
        yield
    finally:
        place.reset(token)


@dataclass(frozen=True)
class Context:
    """For whom and for what this thread or task works, as far as somebody said."""

    app: str | None = None
    person: str | None = None
    request_id: str | None = None
    job_id: str | None = None


_context: ContextVar[Context | None] = ContextVar("context", default=None)


def context() -> Context:
    """For whom and for what this thread or task works."""
    return _context.get() or Context()


@contextmanager
def working_for(
    *,
    app: str | None = None,
    person: str | None = None,
    request_id: str | None = None,
    job_id: str | None = None,
) -> Iterator[None]:
    """Everything inside is done for them; what is not named stays as it was around."""
    said = {"app": app, "person": person, "request_id": request_id, "job_id": job_id}
    known = {name: value for name, value in said.items() if value is not None}
    token = _context.set(replace(context(), **known))
    try:
        yield
    finally:
        _context.reset(token)
