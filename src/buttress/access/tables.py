"""The tables of people and what they may do; made by the foundation's migrations."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from buttress.db.base import NAMING_CONVENTION, Base


class Table(DeclarativeBase):
    """Apart from the apps' tables: they refer to people by id only."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = Base.type_annotation_map


class Person(Table):
    """Somebody who may sign in."""

    __tablename__ = "buttress_person"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(unique=True)
    """An e-mail address or a short name, in lower case."""
    role: Mapped[str]
    password: Mapped[str | None]
    """As Argon2 writes it; None for who signs in elsewhere or has not been here yet."""
    issuer: Mapped[str | None]
    subject: Mapped[str | None]
    """Who it is for the provider that signs in; never the address, which may change hands."""
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class SignIn(Table):
    """One browser somebody is signed in with."""

    __tablename__ = "buttress_sign_in"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    """Of the cookie; the cookie itself is nowhere."""
    id: Mapped[UUID] = mapped_column(unique=True, default=uuid4)
    """By which people name it."""
    person_id: Mapped[UUID] = mapped_column(ForeignKey("buttress_person.id"))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    address: Mapped[str]
    agent: Mapped[str]
    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class Token(Table):
    """What a program signs in with."""

    __tablename__ = "buttress_token"

    id: Mapped[str] = mapped_column(primary_key=True)
    """The part of the token that everybody may see."""
    digest: Mapped[bytes]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("buttress_person.id"))
    name: Mapped[str]
    permissions: Mapped[list[Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class Link(Table):
    """An address that works once: for the first admin, for who was invited, for a new password."""

    __tablename__ = "buttress_link"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("buttress_person.id"))
    name: Mapped[str | None]
    role: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Throttle(Table):
    """How often a name or an address failed to sign in lately."""

    __tablename__ = "buttress_throttle"

    key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    """When the audit log was last told that it is too often."""


class AuditEntry(Table):
    """Who did what; each entry's digest covers the one before."""

    __tablename__ = "buttress_audit"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    object: Mapped[str]
    outcome: Mapped[str]
    address: Mapped[str]
    request_id: Mapped[str]
    details: Mapped[dict[str, Any]]
    digest: Mapped[bytes]
