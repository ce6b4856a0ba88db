"""A gateway on a real database, asking a scripted server: the frame of its tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, SecretStr
from sqlalchemy import select

from buttress.db.base import Base
from buttress.db.database import Database
from buttress.llm import LLM, Providers
from buttress.llm.tables import LLMAnswer, LLMCall
from buttress.settings import LLMSettings
from buttress.testing.models import ModelServer

KEY = "sk-canary-7f3a9c51d2"
PRICED = "openai:gpt-4o-mini"
OWN = "openai-compatible:acorn"
PRICE = {OWN: (1.0, 2.0)}
"""USD per million tokens in and out: a call of 11 and 7 tokens costs 0.000025."""
A_CALL = Decimal("0.000025")


class Offer(BaseModel):
    """What tests ask for."""

    name: str
    price: float
    currency: str = "EUR"


class Gateway(LLM):
    """The gateway with a look at its table."""

    def calls(self) -> list[dict[str, Any]]:
        """What is written, the oldest first."""
        with self.database.connection(read_only=True) as connection:
            rows = connection.execute(select(LLMCall.__table__).order_by(LLMCall.at)).mappings()
            return [dict(row) for row in rows]

    @property
    def outcomes(self) -> list[str]:
        """How the calls ended."""
        return [call["outcome"] for call in self.calls()]


@contextmanager
def gateway(
    url: str, server: ModelServer | None = None, *, tables: bool = True, **settings: Any
) -> Iterator[Gateway]:
    """A gateway on an empty database, whose models are all at the server."""
    database = Database(url)
    if tables:
        both = [LLMCall.__table__, LLMAnswer.__table__]
        Base.metadata.create_all(database.engine, tables=both)  # type: ignore[arg-type]
    chosen = {"model": OWN, "prices": PRICE, "deadline_seconds": 20.0} if server else {}
    names = ("openai", "openai-compatible", "perplexity")
    providers = Providers(
        {name: SecretStr(KEY) for name in names} if server else {},
        {name: server.url for name in names} if server else {},
    )
    options = LLMSettings.model_validate(chosen | settings)
    try:
        with Gateway(database, options, providers) as opened:
            yield opened
    finally:
        database.close()
