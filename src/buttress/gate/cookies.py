"""The cookie of a sign-in."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from buttress.access.signing_in import Lifetimes
from buttress.gate.origin import Arrival


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
