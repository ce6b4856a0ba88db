"""Addresses that work once: for the first admin, for who was invited, for a new password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from buttress.access import audit, people
from buttress.access.identity import Origin, in_person
from buttress.access.roles import ROLES
from buttress.access.secrets import digest, new_secret
from buttress.access.tables import Link, Person, Token
from buttress.errors import BadInput, Conflict, NotFound

Purpose = Literal["first", "invitation", "reset"]
FIRST, INVITATION, RESET = timedelta(days=1), timedelta(days=7), timedelta(hours=2)


@dataclass(frozen=True)
class Invitation:
    """Somebody who was invited and has not come yet; its link is known to nobody here."""

    id: UUID
    name: str
    role: str
    created_at: datetime
    expires_at: datetime


def for_first_admin(session: Session) -> str:
    """The secret of a link by which the first admin signs up; earlier ones stop working.

    Raises
    ------
    Conflict
        There is an admin.
    """
    if people.any_admin(session):
        raise Conflict("there is an admin already", hint="Sign in, or have one send you a link.")
    session.execute(delete(Link).where(Link.purpose == "first"))
    secret = _add(session, Link(purpose="first", role="admin"), FIRST)
    audit.record(session, "person.first-link")
    return secret


def invite(session: Session, name: str, role: str) -> str:
    """The secret of a link by which somebody of that name signs up.

    Raises
    ------
    BadInput
        The name or role cannot be used.
    Conflict
        There is such a person.
    """
    in_person("invite people")
    normal = people.normal_name(name)
    if role not in ROLES:
        raise BadInput(f"there is no role {role!r}", hint=f"Choose one of {', '.join(ROLES)}.")
    if session.scalar(select(Person.id).where(Person.name == normal)) is not None:
        raise Conflict(f"there is a person {normal}", hint="Send a link for a new password.")
    session.execute(delete(Link).where(Link.purpose == "invitation", Link.name == normal))
    secret = _add(session, Link(purpose="invitation", name=normal, role=role), INVITATION)
    audit.record(session, "person.invite", normal, details={"role": role})
    return secret


def invitations(session: Session) -> list[Invitation]:
    """Those that still work, the newest first."""
    chosen = select(Link).where(Link.purpose == "invitation", Link.expires_at > datetime.now(UTC))
    return [
        Invitation(
            UUID(bytes=link.digest[:16]), link.name or "", link.role or "", link.created_at,
            link.expires_at,
        )
        for link in session.scalars(chosen.order_by(Link.created_at.desc(), Link.name))
    ]  # fmt: skip


def revoke_invitation(session: Session, invitation_id: UUID) -> None:
    """Have its link work no more; raises NotFound."""
    chosen = select(Link).where(Link.purpose == "invitation")
    for link in session.scalars(chosen):
        if UUID(bytes=link.digest[:16]) == invitation_id:
            name = link.name or ""
            session.delete(link)
            audit.record(session, "invitation.revoke", name)
            return
    raise NotFound("there is no such invitation", hint="It may have been used, or have expired.")


def for_new_password(session: Session, person: Person) -> str:
    """The secret of a link by which a person chooses a new password; earlier ones stop working."""
    in_person("give new passwords")
    session.execute(delete(Link).where(Link.purpose == "reset", Link.person_id == person.id))
    secret = _add(session, Link(purpose="reset", person_id=person.id, name=person.name), RESET)
    audit.record(session, "person.reset", person.name)
    return secret


def find(session: Session, secret: str) -> Link:
    """What a link is for; raises NotFound when it was used or is too old."""
    found = session.get(Link, digest(secret))
    if found is None or found.expires_at <= datetime.now(UTC):
        raise NotFound("this link does not work any more", hint="Ask for a new one.")
    return found


def use(
    session: Session,
    secret: str,
    *,
    name: str | None,
    password: str,
    origin: Origin | None = None,
) -> Person:
    """Sign up, or choose a new password; the link works no more. `name` is the first admin's.

    A new password ends the person's tokens too: whoever asks for one may have lost control.

    Raises
    ------
    NotFound
        The link was used or is too old.
    BadInput
        The name or password cannot be used.
    Conflict
        There is an admin, or a person of that name, by now.
    """
    found = find(session, secret)
    # Who deletes the row has it: of two at once the other waits here and finds nothing.
    taken = delete(Link).where(Link.digest == found.digest).returning(Link.purpose)
    if session.scalar(taken) is None:
        raise NotFound("this link does not work any more", hint="Ask for a new one.")
    if found.purpose == "reset":
        person = session.get_one(Person, found.person_id)
        session.execute(delete(Token).where(Token.person_id == person.id))
        people.set_password(session, person, password, actor=person.name, origin=origin)
        return person
    if found.purpose == "first" and people.any_admin(session):
        raise Conflict("there is an admin already", hint="Have them invite you.")
    chosen = found.name or name
    if chosen is None:
        raise BadInput("a name is missing", hint="Choose the name to sign in with.")
    return people.create(
        session, chosen, found.role or "viewer", password=password,
        actor=people.normal_name(chosen), origin=origin,
    )  # fmt: skip


def _add(session: Session, link: Link, lifetime: timedelta) -> str:
    secret, now = new_secret(), datetime.now(UTC)
    link.digest, link.created_at, link.expires_at = digest(secret), now, now + lifetime
    session.execute(delete(Link).where(Link.expires_at <= now))
    session.add(link)
    session.flush()
    return secret
