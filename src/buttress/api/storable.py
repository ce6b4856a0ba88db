"""What no database can hold is refused before a route sees it: NUL, halves of characters, NaN, and
numbers of more digits than any column has."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from buttress.api.types import storable

SUSPICIOUS = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|NaN|Infinity|[0-9]{19}|[0-9][eE][+]?[0-9]{3}")
"""Whatever is refused below contains one of these; most bodies contain none and are not read
twice."""
LARGEST_NUMBER = 2**63


def refuse_unstorable(request: Request, body: bytes) -> None:
    """Raise RequestValidationError for an address or a JSON body that holds such a value."""
    query = request.scope["query_string"]
    if b"%" in query and b"\0" in unquote_to_bytes(query.replace(b"+", b" ")):
        raise invalid("query", "it contains a NUL character")
    if "\0" in request.scope["path"]:
        raise invalid("path", "it contains a NUL character")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind.startswith("application/") and kind.endswith("json"):
        refuse_body(body)


def refuse_body(body: bytes) -> None:
    """Raise RequestValidationError for JSON with a value that cannot be stored."""
    if not SUSPICIOUS.search(body):
        return
    try:
        content = json.loads(body, parse_constant=no_number, parse_float=finite, parse_int=small)
    except json.JSONDecodeError:
        return  # it is told by what reads it for the route
    except (ValueError, RecursionError) as error:
        raise invalid("body", str(error)) from error
    for text in texts(content):
        try:
            storable(text)
        except ValueError as error:
            raise invalid("body", str(error)) from error


def texts(content: Any) -> Iterator[str]:
    """All texts in a JSON document, the names of members too."""
    waiting = [content]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            yield from one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def no_number(name: str) -> NoReturn:
    """NaN and the infinities are no JSON."""
    raise ValueError(f"{name} is no number")


def finite(digits: str) -> float:
    """A number that is not too large for a float; raises ValueError."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def small(digits: str) -> int:
    """A whole number of 64 bits; raises ValueError."""
    if len(digits) > 20 or not -LARGEST_NUMBER <= int(digits) < LARGEST_NUMBER:
        raise ValueError("a whole number is too large")
    return int(digits)


def invalid(where: str, message: str) -> RequestValidationError:
    """What to raise."""
    return RequestValidationError([{"type": "value_error", "loc": (where,), "msg": message}])
