"""Tokens by which programs act for a person, with the permissions they were given and no more."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from buttress.access import audit
from buttress.access.identity import Identity, Origin, in_person
from buttress.access.roles import PERMISSIONS, Permission, permissions_of
from buttress.access.secrets import digest, id_of, new_token
from buttress.access.tables import Person, Token
from buttress.errors import BadInput, Forbidden, NotFound, NotSignedIn

USED_EVERY = timedelta(minutes=1)


def create(
    session: Session,
    person: Person,
    name: str,
    permissions: Collection[str],
    *,
    days: float | None = 90,
) -> str:
    """A new token, shown this once; `days` None for one that never expires.

    Raises
    ------
    BadInput
        The name is empty, or there is no such permission.
    Forbidden
        The person has not all of these permissions, or a token asks.
    """
    in_person("make tokens")
    unknown = sorted(set(permissions) - set(PERMISSIONS))
    if unknown or not permissions:
        raise BadInput(
            f"there is no permission {unknown[0]!r}" if unknown else "no permission is named",
            hint=f"Choose among {', '.join(PERMISSIONS)}.",
        )
    if not name.strip() or (days is not None and days <= 0):
        raise BadInput("a token needs a name, and days in the future", hint="Name its purpose.")
    if beyond := sorted(set(permissions) - permissions_of(person.role)):
        raise Forbidden(f"{person.name} has not the permission {beyond[0]}")
    token, public = new_token()
    now = datetime.now(UTC)
    session.add(
        Token(
            id=public, digest=digest(token), person_id=person.id, name=name.strip(),
            permissions=sorted(permissions), created_at=now,
            expires_at=None if days is None else now + timedelta(days=days),
        )
    )  # fmt: skip
    session.flush()
    audit.record(
        session, "token.create", f"{person.name}/{public}",
        details={"permissions": sorted(permissions)},
    )  # fmt: skip
    return token


def identify(session: Session, token: str, origin: Origin) -> Identity:
    """Whose token it is, with what it may: never more than its person may today.

    Raises
    ------
    NotSignedIn
        It is nobody's, expired or revoked.
    """
    public, now = id_of(token), datetime.now(UTC)
    found = session.get(Token, public) if public is not None else None
    if found is None or not hmac.compare_digest(found.digest, digest(token)):
        raise NotSignedIn("the token is not known", hint="Was it revoked? Make a new one.")
    if found.person.disabled_at is not None:
        raise NotSignedIn("the token's person may not sign in any more", hint="Ask an admin.")
    if found.expires_at is not None and found.expires_at <= now:
        raise NotSignedIn(f"the token {found.id} has expired", hint="Make a new one.")
    if found.used_at is None or now - found.used_at > USED_EVERY:
        session.execute(update(Token).where(Token.id == found.id).values(used_at=now))
    person = found.person
    allowed: frozenset[Permission] = permissions_of(person.role) & frozenset(found.permissions)
    return Identity(person.id, person.name, person.role, allowed, token=found.id, origin=origin)


def tokens(session: Session, person: Person | None = None) -> list[Token]:
    """Tokens, the newest first."""
    chosen = select(Token).order_by(Token.created_at.desc())
    if person is not None:
        chosen = chosen.where(Token.person_id == person.id)
    return list(session.scalars(chosen))


def revoke(session: Session, token_id: str, *, person: UUID | None = None) -> None:
    """End a token at once, of that person only if one is given; raises NotFound."""
    found = session.get(Token, token_id)
    if found is None or person not in (None, found.person_id):
        raise NotFound(f"there is no token {token_id}", hint="It may have been revoked.")
    name = found.person.name
    session.delete(found)
    audit.record(session, "token.revoke", f"{name}/{token_id}")
