"""Acting for somebody later, in a job they asked for: as who they are then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from buttress.access.identity import Identity, Origin, acting, current
from buttress.access.roles import permissions_of
from buttress.access.signing_in import Transaction
from buttress.access.tables import Person
from buttress.errors import Forbidden


class Later:
    """Keeps who acts as JSON, and has them act again; asks in transactions of its own."""

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction

    def now(self) -> dict[str, Any] | None:
        """Who acts here; None for nobody."""
        identity = current()
        if identity is None:
            return None
        kept: dict[str, Any] = {"person": str(identity.person), "name": identity.name}
        if identity.token is not None:
            kept |= {"token": identity.token, "permissions": sorted(identity.permissions)}
        if identity.origin.request_id:
            kept["request"] = identity.origin.request_id
        return kept

    @contextmanager
    def acting(self, kept: Mapping[str, Any]) -> Iterator[None]:
        """The person acts inside, with the role they have now, through a token with no more than it
        was allowed.

        Raises
        ------
        Forbidden
            The person was deleted or disabled meanwhile.
        """
        with acting(self._identity(kept)):
            yield

    def _identity(self, kept: Mapping[str, Any]) -> Identity:
        with self.transaction() as session:
            person = session.get(Person, UUID(kept["person"]))
        if person is None:
            raise Forbidden(
                f"{kept['name']}, for whom this was to be done, is no longer here",
                hint="Have somebody else ask for it.",
            )
        if person.disabled_at is not None:
            raise Forbidden(
                f"{person.name}, for whom this was to be done, is disabled",
                hint="Enable the person and retry it, or have somebody else ask for it.",
            )
        permissions = permissions_of(person.role)
        token = kept.get("token")
        if token is not None:
            permissions &= frozenset(kept["permissions"])
        origin = Origin(request_id=kept.get("request", ""))
        return Identity(
            person.id, person.name, person.role, permissions, token=token, origin=origin
        )
