"""Answers kept for calls that say `cache=True`, for a week."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from buttress.db.database import Database
from buttress.errors import ButtressError, Conflict
from buttress.llm.completion import Message
from buttress.llm.entry import storable
from buttress.llm.shape import Shape
from buttress.llm.tables import LLMAnswer
from buttress.llm.wire import Options

log = logging.getLogger(__name__)

KEPT = timedelta(days=7)
VERSION = 1
"""Part of every key: raise it when a key, or what is kept, means something else."""


def key_of(
    model: str,
    base_url: str,
    turns: Sequence[Message],
    options: Options,
    shape: Shape[object] | None,
) -> str:
    """A digest of everything that decides an answer."""
    whole = (
        VERSION,
        model,
        base_url,
        [(turn.role, turn.text.encode("utf-8", "surrogatepass")) for turn in turns],
        (options.temperature, options.max_tokens),
        shape and msgspec.json.encode(shape.schema, order="deterministic"),
    )
    return hashlib.sha256(msgspec.msgpack.encode(whole)).hexdigest()


def find(database: Database, key: str) -> str | None:
    """The answer kept under a key; none when the database does not tell."""
    chosen = select(LLMAnswer.text).where(
        LLMAnswer.key == key, LLMAnswer.expires_at > datetime.now(UTC)
    )
    try:
        with database.connection(read_only=True) as connection:
            return connection.execute(chosen).scalar()
    except (ButtressError, SQLAlchemyError) as error:
        log.warning("kept answers are not read", extra={"reason": type(error).__name__})
        return None


def keep(database: Database, key: str, text: str) -> None:
    """Keep an answer, and drop those that are too old."""
    now = datetime.now(UTC)
    if storable(text) != text:
        return  # it would not be the same text when it comes back
    try:
        with database.connection() as connection:
            connection.execute(
                delete(LLMAnswer).where((LLMAnswer.expires_at <= now) | (LLMAnswer.key == key))
            )
            connection.execute(insert(LLMAnswer).values(key=key, text=text, expires_at=now + KEPT))
    except (Conflict, IntegrityError):
        return  # another call kept the same answer meanwhile
    except (ButtressError, SQLAlchemyError) as error:
        log.warning("an answer is not kept", extra={"reason": type(error).__name__})
