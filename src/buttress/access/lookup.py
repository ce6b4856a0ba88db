"""Whose cookie, token or sign-in it is, asked once a second at most."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from buttress.access import signing_in, tokens
from buttress.access.identity import Identity, Origin
from buttress.access.secrets import digest
from buttress.access.signing_in import Lifetimes, Transaction
from buttress.access.tables import SignIn
from buttress.errors import NotSignedIn

SECONDS = 1.0
"""How long an answer holds: whoever is signed out or disabled is out that much later at most."""
MOST = 10_000

Key = tuple[str, bytes | UUID]


class Identities:
    """Looks identities up for a process, in transactions of its own."""

    def __init__(self, transaction: Transaction, lifetimes: Lifetimes) -> None:
        self.transaction = transaction
        self.lifetimes = lifetimes
        self._known: dict[Key, tuple[float, Identity | NotSignedIn]] = {}
        self._lock = threading.Lock()

    def of_cookie(self, secret: str, origin: Origin) -> Identity:
        """Whose cookie it is; raises NotSignedIn."""
        return self._ask(
            ("cookie", digest(secret)),
            lambda session: signing_in.identify(session, secret, origin, self.lifetimes),
            origin,
        )

    def of_token(self, token: str, origin: Origin) -> Identity:
        """Whose token it is; raises NotSignedIn."""
        return self._ask(
            ("token", digest(token)),
            lambda session: tokens.identify(session, token, origin),
            origin,
        )

    def of_sign_in(self, sign_in: UUID) -> Identity:
        """Whose sign-in it is, by the id a gate has told; raises NotSignedIn."""

        def look(session: Session) -> Identity:
            found = session.scalars(select(SignIn).where(SignIn.id == sign_in)).first()
            if found is None:
                raise NotSignedIn("the sign-in has ended", hint="Sign in again.")
            return signing_in.identity_of(found, Origin(), self.lifetimes, datetime.now(UTC))

        return self._ask(("sign-in", sign_in), look, Origin())

    def known_cookie(self, secret: str, origin: Origin) -> Identity | None:
        """What was answered for this cookie within the last second, without waiting."""
        return self._known_as(("cookie", digest(secret)), origin, SECONDS)

    def once_known_cookie(self, secret: str, origin: Origin) -> Identity | None:
        """Whose it was when this process last asked, however long ago that is."""
        return self._known_as(("cookie", digest(secret)), origin, math.inf)

    def known_token(self, token: str, origin: Origin) -> Identity | None:
        """The same for a token."""
        return self._known_as(("token", digest(token)), origin, SECONDS)

    def known_sign_in(self, sign_in: UUID) -> Identity | None:
        """The same for a sign-in."""
        return self._known_as(("sign-in", sign_in), Origin(), SECONDS)

    def forget(self, secret: str) -> None:
        """Ask anew for this cookie."""
        self._known.pop(("cookie", digest(secret)), None)

    def _known_as(self, key: Key, origin: Origin, seconds: float) -> Identity | None:
        found = self._known.get(key)
        if found is None or time.monotonic() - found[0] >= seconds:
            return None
        return replace(found[1], origin=origin) if isinstance(found[1], Identity) else None

    def _ask(self, key: Key, look: Callable[[Session], Identity], origin: Origin) -> Identity:
        now = time.monotonic()
        found = self._known.get(key)
        if found is None or now - found[0] >= SECONDS:
            try:
                with self.transaction() as session:
                    answer: Identity | NotSignedIn = look(session)
            except NotSignedIn as error:
                answer = error
            found = (now, answer)
            with self._lock:
                if len(self._known) >= MOST:
                    self._known.clear()
                self._known[key] = found
        if isinstance(found[1], NotSignedIn):
            raise NotSignedIn(found[1].message, hint=found[1].hint)
        return replace(found[1], origin=origin)
