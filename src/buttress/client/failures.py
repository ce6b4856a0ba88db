"""What a deployment's refusals are raised as: the error it had itself."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import msgspec

from buttress.errors import (
    BadInput,
    ButtressError,
    Conflict,
    Forbidden,
    NotFound,
    NotSignedIn,
    TooLarge,
    TooMany,
    Unavailable,
    Unsupported,
)

KINDS: dict[int, type[ButtressError]] = {
    400: BadInput,
    401: NotSignedIn,
    403: Forbidden,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    412: Conflict,
    413: TooLarge,
    422: BadInput,
    501: Unsupported,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
LONGEST_TOLD = 300


def failure(response: httpx2.Response) -> ButtressError:
    """The error an answer tells of; its body has been read."""
    problem = _problem(response)
    message = str(problem.get("detail") or f"answered {response.status_code}")
    for fault in problem.get("errors") or []:
        message += f"; {fault.get('where')}: {fault.get('message')}"
    hint = problem.get("hint")
    if request_id := problem.get("request_id") or response.headers.get("x-request-id"):
        message += f" (request {request_id})"
    if response.status_code == 429:
        return TooMany(message, after_seconds=seconds_to_wait(response) or 1.0, hint=hint)
    if response.status_code < 400:
        hint = "Give the address that the deployment itself answers at."
        return BadInput(f"{response.request.url} leads elsewhere: {message}", hint=hint)
    return KINDS.get(response.status_code, ButtressError)(message, hint=hint)


def seconds_to_wait(response: httpx2.Response) -> float | None:
    """What Retry-After says, None when it says nothing."""
    told = response.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit() and len(told) < 7:
        return float(told)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    here = response.headers.get("date")
    try:
        now = parsedate_to_datetime(here) if here else None
    except ValueError:
        now = None
    return max((moment - now).total_seconds(), 0.0) if now and moment.tzinfo else None


def _problem(response: httpx2.Response) -> dict[str, Any]:
    """The problem document; something like it where a proxy answered."""
    try:
        found = msgspec.json.decode(response.content)
    except msgspec.MsgspecError:
        found = None
    if isinstance(found, dict):
        return found
    return {"detail": f"answered {response.status_code}: {response.text[:LONGEST_TOLD]!r}"}
