"""Signing in with a password, and the sign-ins that browsers hold.

A sign-in ends when it was idle for too long, when it is too old, and at once when it is revoked.
Its cookie is kept as a digest only.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from buttress.access import audit, passwords, people, throttle
from buttress.access.identity import Identity, Origin
from buttress.access.people import normal_name
from buttress.access.roles import permissions_of
from buttress.access.secrets import digest, new_secret
from buttress.access.tables import Person, SignIn
from buttress.errors import BadInput, NotFound, NotSignedIn, TooMany

SEEN_EVERY = timedelta(minutes=1)
AGENT_LENGTH = 200

Transaction = Callable[[], AbstractContextManager[Session]]
"""Opens one transaction, as `runtime.session` does."""


@dataclass(frozen=True)
class Lifetimes:
    """When sign-ins end by themselves."""

    idle: timedelta = timedelta(hours=12)
    absolute: timedelta = timedelta(days=7)


def sign_in(transaction: Transaction, name: str, password: str, origin: Origin) -> str:
    """Sign a person in; the cookie's value.

    Takes transactions of its own: a try counts before the password is looked at, and whoever is
    refused leaves an entry in the audit log.

    Raises
    ------
    NotSignedIn
        Name and password do not belong together; it is not told which of them is wrong.
    TooMany
        It was tried too often.
    """
    wrong = NotSignedIn(
        "name or password is wrong", hint="Check both, and whether Caps Lock is on."
    )
    try:
        normal = normal_name(name)
    except BadInput:
        raise wrong from None
    with transaction() as session:
        person = session.scalars(select(Person).where(Person.name == normal)).first()
        known = person is not None and _was_here(session, person, origin)
    _count(
        transaction, "sign-in", normal, origin, throttle.keys(normal, origin.address, known=known)
    )
    kept = person.password if person is not None and person.disabled_at is None else None
    if not passwords.matches(kept, password) or person is None:
        with transaction() as session:
            audit.record(session, "sign-in", normal, outcome="failed", actor=normal, origin=origin)
        raise wrong
    with transaction() as session:
        person = session.get_one(Person, person.id)
        if kept is not None and passwords.is_outdated(kept):
            person.password = passwords.rehash(password)
        throttle.forget(session, normal, origin.address)
        return begin(session, person, origin, how="password")


def change_password(
    transaction: Transaction, person_id: UUID, *, old: str, new: str, origin: Origin
) -> None:
    """What a person does with their own password; wrong ones count as at the sign-in.

    Raises
    ------
    BadInput
        The present password is another one, or the new one cannot be used.
    TooMany
        It was tried too often.
    """
    with transaction() as session:
        person = people.find(session, person_id)
    name = person.name
    counted = throttle.keys(name, origin.address, known=False)
    _count(transaction, "person.password", name, origin, counted)
    if not passwords.matches(person.password, old):
        with transaction() as session:
            audit.record(session, "person.password", name, outcome="failed")
        raise BadInput("the present password is another one", hint="Type it again.")
    with transaction() as session:
        throttle.forget(session, name, origin.address)
        people.set_password(session, people.find(session, person_id), new)


def begin(session: Session, person: Person, origin: Origin, *, how: str) -> str:
    """A new sign-in of a person who has proved to be who they are; the cookie's value.

    Raises
    ------
    NotSignedIn
        The person is disabled.
    """
    if person.disabled_at is not None:
        raise NotSignedIn(f"{person.name} may not sign in any more", hint="Ask an admin.")
    secret, now = new_secret(), datetime.now(UTC)
    session.add(
        SignIn(
            digest=digest(secret), person_id=person.id, created_at=now, seen_at=now,
            address=origin.address, agent=origin.agent[:AGENT_LENGTH],
        )
    )  # fmt: skip
    session.flush()
    audit.record(
        session, "sign-in", person.name, actor=person.name, origin=origin, details={"how": how}
    )
    return secret


def identify(
    session: Session, secret: str, origin: Origin, lifetimes: Lifetimes | None = None
) -> Identity:
    """Whose cookie it is.

    Raises
    ------
    NotSignedIn
        It is nobody's, or its sign-in has ended.
    """
    lifetimes, now = lifetimes or Lifetimes(), datetime.now(UTC)
    found = session.get(SignIn, digest(secret))
    if found is None:
        raise NotSignedIn("the sign-in has ended", hint="Sign in again.")
    identity = identity_of(found, origin, lifetimes, now)
    if now - found.seen_at > SEEN_EVERY:
        session.execute(update(SignIn).where(SignIn.digest == found.digest).values(seen_at=now))
    return identity


def identity_of(found: SignIn, origin: Origin, lifetimes: Lifetimes, now: datetime) -> Identity:
    """Who is signed in there at that moment; raises NotSignedIn when it has ended."""
    person = found.person
    if person.disabled_at is not None:
        raise NotSignedIn("the sign-in has ended", hint="Sign in again.")
    if now - found.seen_at > lifetimes.idle or now - found.created_at > lifetimes.absolute:
        raise NotSignedIn("the sign-in has ended after a while", hint="Sign in again.")
    return Identity(
        person.id, person.name, person.role, permissions_of(person.role), sign_in=found.id,
        origin=origin,
    )  # fmt: skip


def sign_out(session: Session, secret: str) -> None:
    """End the sign-in of this cookie; nothing happens when it has ended."""
    found = session.get(SignIn, digest(secret))
    if found is not None:
        audit.record(session, "sign-out", found.person.name, actor=found.person.name)
        session.delete(found)


def sign_ins(session: Session, person: Person | None = None) -> list[SignIn]:
    """Who is signed in where, the latest seen first."""
    chosen = select(SignIn).order_by(SignIn.seen_at.desc())
    if person is not None:
        chosen = chosen.where(SignIn.person_id == person.id)
    return list(session.scalars(chosen))


def revoke(session: Session, sign_in_id: UUID, *, person: UUID | None = None) -> None:
    """End one sign-in, of that person only if one is given; raises NotFound."""
    found = session.scalars(select(SignIn).where(SignIn.id == sign_in_id)).first()
    if found is None or person not in (None, found.person_id):
        raise NotFound("there is no such sign-in", hint="It may have ended.")
    name = found.person.name
    session.delete(found)
    audit.record(session, "sign-in.revoke", name)


def sweep(session: Session, lifetimes: Lifetimes | None = None) -> None:
    """Delete sign-ins that have ended by themselves, and tries nobody counts any more."""
    lifetimes, now = lifetimes or Lifetimes(), datetime.now(UTC)
    session.execute(
        delete(SignIn).where(
            or_(
                SignIn.seen_at < now - lifetimes.idle,
                SignIn.created_at < now - lifetimes.absolute,
            )
        )
    )
    throttle.sweep(session)


def _count(
    transaction: Transaction, action: str, name: str, origin: Origin, counted: dict[str, int]
) -> None:
    try:
        with transaction() as session:
            throttle.count(session, counted)
    except TooMany:
        with transaction() as session:
            # Once in a while: whoever is refused must not fill a log that nobody can shorten.
            if throttle.is_news(session, counted):
                audit.record(
                    session, action, name, outcome="refused", actor=name, origin=origin,
                    details={"why": "too many tries"},
                )  # fmt: skip
        raise


def _was_here(session: Session, person: Person, origin: Origin) -> bool:
    """Whether the person is signed in from this address already."""
    chosen = select(SignIn.id).where(
        SignIn.person_id == person.id, SignIn.address == origin.address
    )
    return session.scalar(chosen.limit(1)) is not None
