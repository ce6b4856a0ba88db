"""For whom a job is: kept when it is made, entered again whenever it is begun.

A job is for the person who acts where it is made, or for the system where the system acts
(`buttress.db.tenancy.as_system`, schedules). One that nobody acts for sees no row that has an
owner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import UUID

from buttress.db import tenancy
from buttress.db.tenancy import Scope

Kept = Mapping[str, Any]
"""As it is stored with a job: `system` with what it does, or `person` with an id."""


class People(Protocol):
    """What knows who acts."""

    def now(self) -> Kept | None:
        """The person who acts here, as it is kept; None for nobody."""

    def acting(self, kept: Kept) -> Any:
        """A context in which that person acts; entering raises Forbidden if they no longer may."""


class Scopes:
    """Whose rows a job sees, where nobody knows people: for a database without accounts."""

    def now(self) -> Kept | None:
        whose = tenancy.scope()
        return None if whose is None else {"person": str(whose.person), "all": whose.everything}

    @contextmanager
    def acting(self, kept: Kept) -> Iterator[None]:
        with tenancy.entered(Scope(UUID(kept["person"]), everything=bool(kept.get("all")))):
            yield


def keep(people: People) -> Kept | None:
    """For whom a job is that is made here; None for nobody."""
    whose = tenancy.scope()
    if whose is not None and whose.person is None:
        return {"system": whose.system}
    return people.now()


@contextmanager
def acting(people: People, kept: Kept | None) -> Iterator[None]:
    """A job of theirs is done inside; raises Forbidden when they may do nothing any more."""
    if kept is None:
        with tenancy.entered(None):
            yield
    elif "system" in kept:
        with tenancy.as_system(str(kept["system"])):
            yield
    else:
        with people.acting(kept):
            yield


def told(kept: Kept | None) -> str | None:
    """For whom it is, as people read it."""
    if kept is None:
        return None
    if "system" in kept:
        return "system"
    return str(kept.get("name") or kept["person"])
