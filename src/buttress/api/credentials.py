"""What people and programs are signed in with: one's own under `/api/v1`, all for admins."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from buttress.access import Permission, people, signing_in, tokens
from buttress.access.secrets import id_of
from buttress.access.tables import SignIn, Token
from buttress.api.paging import Asked, Listing, containing, equal
from buttress.api.people import NO_STORE, asking
from buttress.api.permission import needs
from buttress.api.route import StrictRoute
from buttress.api.session import SessionDep
from buttress.api.types import Page, Text

router = APIRouter(tags=["Credentials"], route_class=StrictRoute)


class Holder(BaseModel):
    """Whose it is."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str


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
    person: Holder


class TokenMade(BaseModel):
    """A new token, shown this once."""

    id: str
    token: str


class SignInOut(BaseModel):
    """A browser somebody is signed in with."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str
    person: Holder


TOKENS = Listing(
    TokenOut,
    Token.id,
    sort={"created_at": Token.created_at, "name": Token.name},
    filters={"person": equal(Token.person_id), "name": containing(Token.name)},
    first="-created_at",
)
SIGN_INS = Listing(
    SignInOut,
    SignIn.id,
    sort={"seen_at": SignIn.seen_at, "created_at": SignIn.created_at},
    filters={"person": equal(SignIn.person_id), "address": equal(SignIn.address)},
    first="-seen_at",
)
TokensAsked = Annotated[Asked, Depends(TOKENS)]
SignInsAsked = Annotated[Asked, Depends(SIGN_INS)]


@router.get("/tokens", dependencies=[needs("tokens.own")])
def own_tokens(session: SessionDep, asked: TokensAsked) -> Page[TokenOut]:
    """One's own tokens, the newest first."""
    return TOKENS.page(session, asked, select(Token).where(Token.person_id == asking().person))


@router.post("/tokens", status_code=201, dependencies=[needs("tokens.own")])
def make_token(new: NewToken, session: SessionDep, response: Response) -> TokenMade:
    """Make a token with some of what one may oneself."""
    response.headers["cache-control"] = NO_STORE
    person = people.find(session, asking().person)
    token = tokens.create(session, person, new.name, new.permissions, days=new.days)
    return TokenMade(id=id_of(token) or "", token=token)


@router.delete("/tokens/{token_id}", status_code=204, dependencies=[needs("tokens.own")])
def revoke_token(token_id: Text, session: SessionDep) -> None:
    """End one of one's own tokens at once."""
    tokens.revoke(session, token_id, person=asking().person)


@router.get("/sign-ins", dependencies=[needs("apps.read")])
def own_sign_ins(session: SessionDep, asked: SignInsAsked) -> Page[SignInOut]:
    """Where one is signed in, the latest seen first."""
    own = select(SignIn).where(SignIn.person_id == asking().person)
    return SIGN_INS.page(session, asked, own)


@router.delete("/sign-ins/{sign_in_id}", status_code=204, dependencies=[needs("apps.read")])
def end_sign_in(sign_in_id: UUID, session: SessionDep) -> None:
    """Sign one of one's own browsers out."""
    signing_in.revoke(session, sign_in_id, person=asking().person)


@router.get("/admin/tokens", dependencies=[needs("people.manage")])
def all_tokens(session: SessionDep, asked: TokensAsked) -> Page[TokenOut]:
    """Everybody's tokens, the newest first."""
    return TOKENS.page(session, asked)


@router.delete("/admin/tokens/{token_id}", status_code=204, dependencies=[needs("people.manage")])
def revoke_anybodys_token(token_id: Text, session: SessionDep) -> None:
    """End anybody's token at once."""
    tokens.revoke(session, token_id)


@router.get("/admin/sign-ins", dependencies=[needs("people.manage")])
def all_sign_ins(session: SessionDep, asked: SignInsAsked) -> Page[SignInOut]:
    """Who is signed in where, the latest seen first."""
    return SIGN_INS.page(session, asked)


@router.delete(
    "/admin/sign-ins/{sign_in_id}", status_code=204, dependencies=[needs("people.manage")]
)
def end_anybodys_sign_in(sign_in_id: UUID, session: SessionDep) -> None:
    """Sign anybody's browser out."""
    signing_in.revoke(session, sign_in_id)
