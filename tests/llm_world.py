"""A gateway on a real database, asking a scripted server: the frame of its tests."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
from pydantic import BaseModel, SecretStr
from sqlalchemy import select

from buttress.db.base import Base
from buttress.db.database import Database
from buttress.db.embedded import Servers
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

TABLES: list[Any] = [LLMCall.__table__, LLMAnswer.__table__]


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

    def forget(self) -> None:
        """Empty the tables."""
        with self.database.connection() as connection:
            for table in TABLES:
                connection.execute(table.delete())

    @property
    def outcomes(self) -> list[str]:
        """How the calls ended."""
        return [call["outcome"] for call in self.calls()]


@contextmanager
def one_database(servers: Servers) -> Iterator[str]:
    """URL of a new database in these servers."""
    name = f"test_llm_{secrets.token_hex(6)}"
    administrator = servers.postgres_url("postgres", "postgres")
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(f"create database {name} owner buttress_owner strategy file_copy")
        yield servers.postgres_url("owner", name)
        connection.execute(f"drop database if exists {name} with (force)")


@contextmanager
def gateway(
    url: str, server: ModelServer | None = None, *, tables: bool = True, **settings: Any
) -> Iterator[Gateway]:
    """A gateway on a database without calls, whose models are all at the server."""
    database = Database(url)
    if tables:
        Base.metadata.create_all(database.engine, tables=TABLES)
    chosen = {"model": OWN, "prices": PRICE, "deadline_seconds": 20.0} if server else {}
    names = ("openai", "openai-compatible", "perplexity")
    providers = Providers(
        {name: SecretStr(KEY) for name in names} if server else {},
        dict.fromkeys(names, server.url) if server else {},
    )
    options = LLMSettings.model_validate(chosen | settings)
    try:
        with Gateway(database, options, providers) as opened:
            if tables:
                opened.forget()
            yield opened
    finally:
        database.close()
