"""The demo: a prototype worth moving, built on the spot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect
from sqlalchemy.schema import DropSchema

from buttress.demo.prototype import build_prototype

if TYPE_CHECKING:
    from buttress.db.database import Database

__all__ = ["build_prototype", "forget_earlier_demo"]


def forget_earlier_demo(database: Database, schema: str) -> None:
    """Drop what a move kept when it replaced the schema, so that demos do not fill the disk."""
    with database.connection() as connection:
        for kept in inspect(connection).get_schema_names():
            if kept.startswith(f"{schema}__before_"):
                connection.execute(DropSchema(kept, cascade=True))
