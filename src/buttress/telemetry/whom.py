"""Where a thread or task is, and for whom it works."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal

from buttress.telemetry.spans import span, traceparent


class Place:
    """What this thread or task does for somebody: it answers a route, shows a page, runs a job."""

    __slots__ = ("name", "seen")

    def __init__(self, kind: Literal["route", "page", "job"], name: str) -> None:
        self.name = f"{kind} {name}"
        self.seen: dict[Any, int] = {}
        """What the query monitor has counted since it began."""


place: ContextVar[Place | None] = ContextVar("place", default=None)


@contextmanager
def entering(
    kind: Literal["route", "page", "job"], name: str, *, parent: str = ""
) -> Iterator[None]:
    """Everything inside is told as done there: by the query monitor, and as a span.

    `parent` is the `traceparent` of the span it belongs to, where that is not the one around.
    """
    here = Place(kind, name)
    token = place.set(here)
    try:
        with span(here.name, "consumer" if kind == "job" else "internal", parent=parent):
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


def handed_on() -> dict[str, str]:
    """What work that is done later, elsewhere, is to know of who asked for it: ids, no names."""
    asked = {"request_id": context().request_id, "traceparent": traceparent()}
    return {name: value for name, value in asked.items() if value}


@contextmanager
def doing_job(job_id: str, name: str, handed: Mapping[str, object] | None) -> Iterator[None]:
    """Everything inside is that job; `handed` is what `handed_on` gave whoever asked for it."""
    known = {key: value for key, value in (handed or {}).items() if isinstance(value, str)}
    with (
        working_for(job_id=job_id, request_id=known.get("request_id")),
        entering("job", name, parent=known.get("traceparent", "")),
    ):
        yield
