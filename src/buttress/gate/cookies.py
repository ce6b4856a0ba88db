"""The cookies: that of a sign-in, and what a browser keeps while its person is at a provider."""

from __future__ import annotations

import base64

import msgspec
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from buttress.access.oidc import Ticket
from buttress.access.signing_in import Lifetimes
from buttress.gate.origin import Arrival

TICKET_SECONDS = 600


def cookie_name(came: Arrival) -> str:
    """With the prefix a browser refuses it unless it is secure and for this host alone."""
    return "__Host-buttress" if came.secure else "buttress"


def cookies(headers: Headers) -> dict[str, str]:
    """All cookies of a request; what is no cookie is left out."""
    return cookie_parser(headers.get("cookie", ""))


def set_cookie(response: Response, came: Arrival, secret: str, lifetimes: Lifetimes) -> None:
    """Have the browser keep it."""
    response.set_cookie(
        cookie_name(came), secret, max_age=round(lifetimes.absolute.total_seconds()), path="/",
        secure=came.secure, httponly=True, samesite="lax",
    )  # fmt: skip


def forget_cookie(response: Response, came: Arrival) -> None:
    """Have the browser forget it."""
    response.delete_cookie(
        cookie_name(came), path="/", secure=came.secure, httponly=True, samesite="lax"
    )


def keep_ticket(response: Response, came: Arrival, ticket: Ticket) -> None:
    """Have the browser keep it until its person comes back, ten minutes at most."""
    content = base64.urlsafe_b64encode(msgspec.json.encode(ticket)).decode()
    response.set_cookie(
        f"{cookie_name(came)}-ticket", content, max_age=TICKET_SECONDS, path="/",
        secure=came.secure, httponly=True, samesite="lax",
    )  # fmt: skip


def read_ticket(headers: Headers, came: Arrival) -> Ticket | None:
    """What the browser kept, None when it kept nothing that is one."""
    try:
        content = base64.urlsafe_b64decode(cookies(headers).get(f"{cookie_name(came)}-ticket", ""))
        return msgspec.json.decode(content, type=Ticket)
    except (ValueError, msgspec.MsgspecError):
        return None


def forget_ticket(response: Response, came: Arrival) -> None:
    """It is good once."""
    response.delete_cookie(
        f"{cookie_name(came)}-ticket", path="/", secure=came.secure, httponly=True, samesite="lax"
    )
