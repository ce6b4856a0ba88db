"""Arguments, results and errors of jobs as JSON that comes back as it went in.

Pickle would run whatever somebody writes into the job tables; this only makes values.
"""

from __future__ import annotations

import base64
import builtins
import datetime as dt
import inspect
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

from buttress import errors
from buttress.errors import BadInput, ButtressError
from buttress.jobs.errors import JobFailed

TAG = "$"
MOST_CHARACTERS = 16_000_000
MANY_CHARACTERS = 1_000_000
"""More is told to the log: every look at such a job reads it."""
PLAIN = (type(None), bool, int, float, str)

_WRITE: dict[type, tuple[str, Callable[[Any], object]]] = {
    bytes: ("bytes", lambda value: base64.b64encode(value).decode()),
    dt.datetime: ("datetime", dt.datetime.isoformat),
    dt.date: ("date", dt.date.isoformat),
    dt.time: ("time", dt.time.isoformat),
    dt.timedelta: ("timedelta", lambda v: [v.days, v.seconds, v.microseconds]),
    Decimal: ("decimal", str),
    UUID: ("uuid", str),
}
_READ: dict[str, Callable[[Any], object]] = {
    "bytes": base64.b64decode,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "timedelta": lambda parts: dt.timedelta(*parts),
    "decimal": Decimal,
    "uuid": UUID,
    "tuple": lambda parts: tuple(_read(part) for part in parts),
    "set": lambda parts: {_read(part) for part in parts},
    "dict": lambda pairs: {_read(key): _read(value) for key, value in pairs},
    "error": lambda parts: _error(*parts),
}


STORED = {*PLAIN, *_WRITE, list, tuple}


def encode(value: object) -> str:
    """The value as JSON.

    Raises
    ------
    BadInput
        It holds something else than plain values, dates, decimals, UUIDs, bytes and collections of
        them; or it is nested too deeply, or longer than 16 million characters of JSON.
    """
    try:
        text = json.dumps(_write(value))
    except RecursionError:
        raise BadInput(
            "the value is nested too deeply to be stored", hint="Store it and pass its key."
        ) from None
    if len(text) > MOST_CHARACTERS:
        raise BadInput(
            f"the value takes {len(text):,} characters, and at most {MOST_CHARACTERS:,} are stored "
            "with a job",
            hint="Store it in a table or a file, and pass or return its key.",
        )
    return text


def decode(text: str) -> Any:
    """The value that `encode` was given; errors come back as their own type where it is known."""
    return _read(json.loads(text))


def _write(value: Any) -> object:
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is list:
        return [_write(part) for part in value]
    if kind is dict:
        if TAG not in value and all(type(key) is str for key in value):
            return {key: _write(part) for key, part in value.items()}
        return {TAG: "dict", "v": [[_write(key), _write(part)] for key, part in value.items()]}
    if kind in (tuple, set):
        return {TAG: kind.__name__, "v": [_write(part) for part in value]}
    if isinstance(value, BaseException):
        hint = getattr(value, "hint", None)
        parts = [getattr(value, "kind", kind.__name__), str(value), hint and str(hint)]
        return {TAG: "error", "v": [*parts, _more(value)]}
    if kind in _WRITE:
        name, write = _WRITE[kind]
        return {TAG: name, "v": write(value)}
    raise BadInput(
        f"a value of type {kind.__module__}.{kind.__qualname__} cannot be stored with a job",
        hint="Pass keys instead of objects, and plain values, dates, decimals, UUIDs or bytes.",
    )


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(part) for part in value]
    if isinstance(value, dict):
        if TAG in value:
            return _READ[value[TAG]](value["v"])
        return {key: _read(part) for key, part in value.items()}
    return value


def _more(error: BaseException) -> dict[str, object]:
    """What an error of ours tells beside message and hint, as far as it can be stored."""
    kind = type(error)
    if not isinstance(error, ButtressError) or getattr(errors, kind.__name__, None) is not kind:
        return {}
    known = inspect.signature(kind).parameters.keys() - {"message", "hint"}
    return {
        name: _write(value)
        for name, value in vars(error).items()
        if name in known and type(value) in STORED
    }


def _error(
    name: str, message: str, hint: str | None, more: Mapping[str, Any] | None = None
) -> Exception:
    own = getattr(errors, name, None)
    if isinstance(own, type) and issubclass(own, ButtressError):
        with suppress(TypeError):  # it wants what was not stored: a MoveMismatch its report
            return own(message, hint=hint, **_read(dict(more or {})))
    known = getattr(builtins, name, None)
    if isinstance(known, type) and issubclass(known, Exception) and name not in AWKWARD:
        return known(message)
    return JobFailed(message, kind=name, hint=hint)


AWKWARD = {
    "ExceptionGroup",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeTranslateError",
}
"""Built-in errors that cannot be made from a message alone."""
