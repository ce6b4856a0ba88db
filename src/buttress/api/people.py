"""People, tokens and the audit log under `/api/v1`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from buttress.access import Identity, Permission, Role, audit, links, people, require, tokens
from buttress.access.secrets import id_of
from buttress.api.permission import needs
from buttress.api.session import SessionDep
from buttress.api.types import Page, Text

router = APIRouter(tags=["People"])


class Me(BaseModel):
    """Who is asking."""

    name: str
    role: str
    permissions: list[Permission]


class PersonOut(BaseModel):
    """Somebody who may sign in."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None


class PersonChange(BaseModel):
    """What to change of a person; what is left out stays."""

    role: Role | None = None
    disabled: bool | None = None


class Invitation(BaseModel):
    """Whom to let in, and as what."""

    name: Text
    role: Role = "viewer"


class LinkOut(BaseModel):
    """The path of a link that works once; put the address of the deployment before it."""

    path: str


class NewToken(BaseModel):
    """A token to be made."""

    name: Text
    permissions: list[Permission] = Field(min_length=1)
    days: Annotated[float, Field(gt=0, le=36_500)] | None = 90


class TokenOut(BaseModel):
    """A token, but for its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    permissions: list[str]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


class TokenMade(BaseModel):
    """A new token, shown this once."""

    id: str
    token: str


class AuditEntryOut(BaseModel):
    """Who did what."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    at: datetime
    actor: str
    action: str
    object: str
    outcome: str
    address: str
    request_id: str
    details: dict[str, Any]


@router.get("/me", dependencies=[needs("apps.read")])
async def me() -> Me:
    """Who is asking, and what they may."""
    identity = asking()
    return Me(name=identity.name, role=identity.role, permissions=sorted(identity.permissions))


@router.get("/people", dependencies=[needs("people.manage")])
def list_people(session: SessionDep) -> list[PersonOut]:
    """Everybody, by name."""
    return [PersonOut.model_validate(person) for person in people.everybody(session)]


@router.post("/people/invitations", status_code=201, dependencies=[needs("people.manage")])
def invite(invitation: Invitation, session: SessionDep) -> LinkOut:
    """Make a link by which somebody signs up; it works once, for seven days."""
    secret = links.invite(session, invitation.name, invitation.role)
    return LinkOut(path=f"/sign-in/link/{secret}")


@router.patch("/people/{person_id}", dependencies=[needs("people.manage")])
def change_person(person_id: UUID, change: PersonChange, session: SessionDep) -> PersonOut:
    """Give another role, disable or enable."""
    person = people.find(session, person_id)
    if change.role is not None and change.role != person.role:
        people.change_role(session, person, change.role)
    if change.disabled is not None and change.disabled is (person.disabled_at is None):
        (people.disable if change.disabled else people.enable)(session, person)
    return PersonOut.model_validate(person)


@router.post("/people/{person_id}/password", status_code=201, dependencies=[needs("people.manage")])
def new_password(person_id: UUID, session: SessionDep) -> LinkOut:
    """Make a link by which a person chooses a new password; it works once, for two hours."""
    secret = links.for_new_password(session, people.find(session, person_id))
    return LinkOut(path=f"/sign-in/link/{secret}")


@router.get("/tokens", dependencies=[needs("tokens.own")])
def own_tokens(session: SessionDep) -> list[TokenOut]:
    """One's own tokens, the newest first."""
    found = tokens.tokens(session, people.find(session, asking().person))
    return [TokenOut.model_validate(token) for token in found]


@router.post("/tokens", status_code=201, dependencies=[needs("tokens.own")])
def make_token(new: NewToken, session: SessionDep) -> TokenMade:
    """Make a token with some of what one may oneself."""
    person = people.find(session, asking().person)
    token = tokens.create(session, person, new.name, new.permissions, days=new.days)
    return TokenMade(id=id_of(token) or "", token=token)


@router.delete("/tokens/{token_id}", status_code=204, dependencies=[needs("tokens.own")])
def revoke_token(token_id: Text, session: SessionDep) -> None:
    """End one of one's own tokens at once."""
    tokens.revoke(session, token_id, person=asking().person)


@router.get("/audit", dependencies=[needs("audit.read")])
def audit_log(
    session: SessionDep,
    actor: Text | None = None,
    action: Text | None = None,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of a page")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[AuditEntryOut]:
    """Who did what, the newest first; an action may end with `*`."""
    found = audit.entries(session, actor=actor, action=action, before=before, limit=limit + 1)
    items = [AuditEntryOut.model_validate(entry) for entry in found[:limit]]
    return Page(items=items, next=str(items[-1].number) if len(found) > limit else None)


def asking() -> Identity:
    """Who is asking; every route here has made sure that somebody is."""
    return require("apps.read")
