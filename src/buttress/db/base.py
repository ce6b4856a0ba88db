"""What every table is built from: the declarative base, constraint names, portable column types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from buttress.errors import BadInput

# Names that can be told from the columns: a migration can drop what it did not create.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UTCDateTime(TypeDecorator[datetime]):
    """An instant: `timestamptz` on PostgreSQL, UTC text on SQLite, aware and in UTC in Python.

    Raises `BadInput` for a datetime without time zone: nobody can know which instant it means.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise BadInput(
                "a date and time without time zone cannot be stored",
                hint="Give it one: datetime.now(UTC), or value.replace(tzinfo=UTC).",
            )
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:  # SQLite keeps the digits only, and they were written in UTC
            return value.replace(tzinfo=UTC)
        return value.astimezone(UTC)


BigKey = BigInteger().with_variant(Integer(), "sqlite")
"""A primary key that is counted up: SQLite counts only what it calls INTEGER, of 64 bits too."""

JSONDocument = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON document: `jsonb` on PostgreSQL, text on SQLite; `None` is SQL's NULL."""


class Base(DeclarativeBase):
    """Base of all tables. An app's tables start with the app's name: `catalog_product`."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {  # noqa: RUF012 — SQLAlchemy reads it once, as a plain dict
        str: Text(),
        datetime: UTCDateTime(),
        dict[str, Any]: JSONDocument,
        list[Any]: JSONDocument,
    }
