"""People: who may sign in, and as what."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from buttress.access import audit
from buttress.access.identity import Origin, current, in_person
from buttress.access.passwords import hash_password
from buttress.access.roles import ROLES
from buttress.access.tables import Link, Person, SignIn, Token
from buttress.errors import BadInput, Conflict, NotFound

NAME = re.compile(r"[^\s<>\"'\\,;:/]{2,200}")


def normal_name(name: str) -> str:
    """How a name is kept and looked up.

    Raises
    ------
    BadInput
        It cannot be one.
    """
    folded = unicodedata.normalize("NFKC", name).strip().lower()
    if not NAME.fullmatch(folded) or not folded.isprintable():
        raise BadInput(
            "that cannot be a name to sign in with",
            hint="Use an e-mail address, or 2 to 200 letters, digits, dots and hyphens.",
        )
    return folded


def create(
    session: Session,
    name: str,
    role: str,
    *,
    password: str | None = None,
    issuer: str | None = None,
    subject: str | None = None,
    actor: str | None = None,
    origin: Origin | None = None,
) -> Person:
    """Add a person.

    Raises
    ------
    BadInput
        The name, role or password cannot be used.
    Conflict
        There is one of that name.
    """
    normal = normal_name(name)
    _refuse_unknown(role)
    if session.scalar(select(Person.id).where(Person.name == normal)) is not None:
        raise Conflict(f"there is a person {normal}", hint="Choose another name.")
    person = Person(
        name=normal,
        role=role,
        password=None if password is None else hash_password(password, name=normal),
        issuer=issuer,
        subject=subject,
        created_at=datetime.now(UTC),
    )
    session.add(person)
    session.flush()
    audit.record(
        session, "person.create", normal, actor=actor, origin=origin, details={"role": role}
    )
    return person


def everybody(session: Session) -> list[Person]:
    """All people, by name."""
    return list(session.scalars(select(Person).order_by(Person.name)))


def any_admin(session: Session) -> bool:
    """Whether somebody is there who can let others in."""
    chosen = select(Person.id).where(Person.role == "admin", Person.disabled_at.is_(None))
    return session.scalar(chosen.limit(1)) is not None


def find(session: Session, who: UUID | str) -> Person:
    """A person by id or name; raises NotFound."""
    found = (
        session.get(Person, who)
        if isinstance(who, UUID)
        else session.scalars(select(Person).where(Person.name == normal_name(who))).first()
    )
    if found is None:
        raise NotFound(f"there is no person {who}", hint="`buttress people list` names them.")
    return found


def change_role(session: Session, person: Person, role: str) -> None:
    """Give another role; who is signed in has it from their next click.

    Raises
    ------
    BadInput
        There is no such role.
    Conflict
        Nobody would be admin any more.
    """
    in_person("change roles")
    _refuse_unknown(role)
    _hold_admins(session, person, stays=role == "admin")
    before, person.role = person.role, role
    session.flush()
    audit.record(session, "person.role", person.name, details={"before": before, "after": role})


def disable(session: Session, person: Person) -> None:
    """Let a person in no more: their sign-ins and tokens end at once; what they made stays.

    Raises
    ------
    Conflict
        Nobody would be admin any more.
    """
    in_person("disable people")
    _hold_admins(session, person, stays=False)
    person.disabled_at = datetime.now(UTC)
    session.execute(delete(SignIn).where(SignIn.person_id == person.id))
    session.execute(delete(Token).where(Token.person_id == person.id))
    session.execute(delete(Link).where(Link.person_id == person.id))
    audit.record(session, "person.disable", person.name)


def enable(session: Session, person: Person) -> None:
    """Let a person in again; they sign in anew."""
    in_person("enable people")
    person.disabled_at = None
    session.flush()
    audit.record(session, "person.enable", person.name)


def set_password(
    session: Session,
    person: Person,
    password: str,
    *,
    actor: str | None = None,
    origin: Origin | None = None,
) -> None:
    """Give a new password; the person's other sign-ins and links end; raises BadInput."""
    person.password = hash_password(password, name=person.name)
    identity = current()
    ended = delete(SignIn).where(SignIn.person_id == person.id)
    if identity is not None and identity.sign_in is not None:
        ended = ended.where(SignIn.id != identity.sign_in)
    session.execute(ended)
    session.execute(delete(Link).where(Link.person_id == person.id))
    session.flush()
    audit.record(session, "person.password", person.name, actor=actor, origin=origin)


def _refuse_unknown(role: str) -> None:
    if role not in ROLES:
        raise BadInput(f"there is no role {role!r}", hint=f"Choose one of {', '.join(ROLES)}.")


def _hold_admins(session: Session, person: Person, *, stays: bool) -> None:
    # Held until the commit, before the lock of the log: two who disable each other come one after
    # the other.
    admins = session.scalars(
        select(Person).where(Person.role == "admin", Person.disabled_at.is_(None)).with_for_update()
    ).all()
    if not stays and [admin.id for admin in admins] == [person.id]:
        raise Conflict(f"the only admin is {person.name}", hint="Make somebody else admin first.")
