"""Who is asking, and from where: known to everything a request does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import UUID

from buttress import telemetry
from buttress.access.roles import PERMISSIONS, Permission
from buttress.db import tenancy
from buttress.db.tenancy import Scope
from buttress.errors import Forbidden, NotSignedIn


@dataclass(frozen=True)
class Origin:
    """Where a request came from, as far as it can be believed."""

    address: str = ""
    agent: str = ""
    request_id: str = ""


@dataclass(frozen=True)
class Identity:
    """A person who is signed in, or a program that acts for one."""

    person: UUID
    name: str
    role: str
    permissions: frozenset[Permission]
    sign_in: UUID | None = None
    """The browser's sign-in; None for a token."""
    token: str | None = None
    """The visible part of the token; None for a browser."""
    origin: Origin = field(default_factory=Origin)

    def may(self, permission: Permission) -> bool:
        """Whether this is allowed."""
        return permission in self.permissions


_current: ContextVar[Identity | None] = ContextVar("identity", default=None)

current = _current.get
"""Who is asking here, None when nobody is signed in; no argument."""


@contextmanager
def acting(identity: Identity | None) -> Iterator[None]:
    """Everything inside is done for that person, and told so: by logs, by calls of models.

    Of tables with tenancy, transactions that begin inside see the person's rows; those of everybody
    with the permission `data.all`; none for None.
    """
    token = _current.set(identity)
    try:
        with tenancy.entered(None if identity is None else scope_of(identity)):
            if identity is None:
                yield
            else:
                request = identity.origin.request_id or None
                with telemetry.working_for(person=identity.name, request_id=request):
                    yield
    finally:
        _current.reset(token)


def scope_of(identity: Identity) -> Scope:
    """Whose rows somebody sees."""
    return Scope(identity.person, everything=identity.may("data.all"))


def in_person(what: str) -> None:
    """Raise Forbidden when a program asks: nobody gets in, or gets more, by a token.

    What a token could hand on would outlive it, and reach further than it may itself.
    """
    identity = _current.get()
    if identity is not None and identity.token is not None:
        raise Forbidden(f"a token may not {what}", hint="Do it in the workspace.")


def require(permission: Permission) -> Identity:
    """Who is asking, if that is allowed.

    Raises
    ------
    NotSignedIn
        Nobody is signed in.
    Forbidden
        The person, or the token, may not.
    """
    identity = _current.get()
    if identity is None:
        raise NotSignedIn("nobody is signed in", hint="Sign in, then do it again.")
    if not identity.may(permission):
        least, what = PERMISSIONS[permission]
        raise Forbidden(
            f"{identity.name} may not {what}",
            hint=f"It takes the role {least}; an admin can give it."
            if identity.token is None
            else f"Make a token with the permission {permission}.",
        )
    return identity
