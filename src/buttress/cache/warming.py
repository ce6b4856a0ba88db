"""Calls made before anybody asks: those registered with `function.warm(...)`, and refreshes."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from buttress.cache import current
from buttress.cache.bound import Bound
from buttress.cache.coverage import computing
from buttress.cache.reading import Call, read
from buttress.cache.steps import drive, drive_async
from buttress.db.transactions import noted_alone

if TYPE_CHECKING:
    from buttress.cache.cache import Cache

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Warmed:
    """What `warm` did."""

    calls: int
    failed: int


def warm(cache: Cache) -> Warmed:
    """Make the registered calls, one after another; one that fails is logged and left."""
    failed = 0
    calls = [call for call in current.warming if call[0] is not None]
    for _, declaration, arguments, keywords in calls:
        try:
            run_call(cache, cache.bind(declaration), arguments, keywords)
        # What an app's function raises must not keep the process from starting.
        except Exception:
            failed += 1
            log.exception("warming failed", extra={"function": declaration.name})
    return Warmed(len(calls), failed)


def run_call(cache: Cache, bound: Bound, arguments: Any, keywords: Any) -> Any:
    """Read one value strictly, in a read-only session of its own when the function takes one."""
    with noted_alone():
        token = computing.set(())
        try:
            if bound.declaration.is_async:
                return asyncio.run(_read_async(cache, bound, arguments, keywords))
            if not bound.declaration.has_session:
                return drive(read(_call(bound, arguments, keywords)))
            with cache.database.session(read_only=True) as session:
                return drive(read(_call(bound, (session, *arguments), keywords)))
        finally:
            computing.reset(token)


def call_again(cache: Cache, call: Call) -> None:
    """Make a call again, strictly, in a session of its own."""
    declaration = call.bound.declaration
    arguments, keywords = call.arguments, dict(call.keywords)
    if declaration.has_session:
        if arguments:
            arguments = arguments[1:]
        else:
            keywords.pop(next(iter(declaration.signature.parameters)))
    run_call(cache, call.bound, arguments, keywords)


async def _read_async(cache: Cache, bound: Bound, arguments: Any, keywords: Any) -> Any:
    if not bound.declaration.has_session:
        return await drive_async(read(_call(bound, arguments, keywords)))
    async with cache.database.async_session(read_only=True) as session:
        return await drive_async(read(_call(bound, (session, *arguments), keywords)))


def _call(bound: Bound, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Call:
    return Call(bound, bound.key(arguments, keywords), arguments, keywords, strictly=True)
