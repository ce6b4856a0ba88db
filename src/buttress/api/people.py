"""Who is asking, and the people of a deployment, under `/api/v1`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict

from buttress.access import Identity, Permission, Role, links, people, require
from buttress.access.tables import Person
from buttress.api.etags import refuse_changed
from buttress.api.paging import Asked, Listing, containing, equal
from buttress.api.permission import needs
from buttress.api.route import StrictRoute
from buttress.api.session import SessionDep
from buttress.api.types import Page, Text

NO_STORE = "no-store"

router = APIRouter(tags=["People"], route_class=StrictRoute)


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


class InvitationOut(BaseModel):
    """Somebody who was invited and has not come yet."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    role: str
    created_at: datetime
    expires_at: datetime


class LinkOut(BaseModel):
    """The path of a link that works once; put the address of the deployment before it."""

    path: str


PEOPLE = Listing(
    PersonOut,
    Person.id,
    sort={"name": Person.name, "created_at": Person.created_at},
    filters={"role": equal(Person.role, Role), "name": containing(Person.name)},
    first="name",
)


@router.get("/me", dependencies=[needs("apps.read")])
async def me() -> Me:
    """Who is asking, and what they may."""
    identity = asking()
    return Me(name=identity.name, role=identity.role, permissions=sorted(identity.permissions))


@router.get("/people", dependencies=[needs("people.manage")])
def list_people(session: SessionDep, asked: Annotated[Asked, Depends(PEOPLE)]) -> Page[PersonOut]:
    """Everybody, by name."""
    return PEOPLE.page(session, asked)


@router.get("/people/invitations", dependencies=[needs("people.manage")])
def list_invitations(session: SessionDep) -> list[InvitationOut]:
    """Who was invited within the last seven days and has not come yet."""
    return [InvitationOut.model_validate(one) for one in links.invitations(session)]


@router.post("/people/invitations", status_code=201, dependencies=[needs("people.manage")])
def invite(invitation: Invitation, session: SessionDep, response: Response) -> LinkOut:
    """Make a link by which somebody signs up; it works once, for seven days."""
    response.headers["cache-control"] = NO_STORE
    secret = links.invite(session, invitation.name, invitation.role)
    return LinkOut(path=f"/sign-in/link/{secret}")


@router.delete(
    "/people/invitations/{invitation_id}", status_code=204, dependencies=[needs("people.manage")]
)
def revoke_invitation(invitation_id: UUID, session: SessionDep) -> None:
    """Have the link of an invitation work no more."""
    links.revoke_invitation(session, invitation_id)


@router.get("/people/{person_id}", dependencies=[needs("people.manage")])
def show_person(person_id: UUID, session: SessionDep) -> PersonOut:
    """One person."""
    return PersonOut.model_validate(people.find(session, person_id))


@router.patch("/people/{person_id}", dependencies=[needs("people.manage")])
def change_person(
    person_id: UUID, change: PersonChange, session: SessionDep, request: Request
) -> PersonOut:
    """Give another role, disable or enable; with If-Match only what has not changed meanwhile."""
    person = people.find(session, person_id)
    refuse_changed(request, PersonOut.model_validate(person))
    if change.role is not None and change.role != person.role:
        people.change_role(session, person, change.role)
    if change.disabled is not None and change.disabled is (person.disabled_at is None):
        (people.disable if change.disabled else people.enable)(session, person)
    return PersonOut.model_validate(person)


@router.post("/people/{person_id}/password", status_code=201, dependencies=[needs("people.manage")])
def new_password(person_id: UUID, session: SessionDep, response: Response) -> LinkOut:
    """Make a link by which a person chooses a new password; it works once, for two hours."""
    response.headers["cache-control"] = NO_STORE
    secret = links.for_new_password(session, people.find(session, person_id))
    return LinkOut(path=f"/sign-in/link/{secret}")


def asking() -> Identity:
    """Who is asking; every route here has made sure that somebody is."""
    return require("apps.read")
