"""The table everybody reads and writes, and the two statements they do it with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from benchmarks.torture.record import ITEMS
from buttress import Base

ROLLED_BACK = "to be rolled back"


class Item(Base):
    """One row: a version that only grows, and who wrote it."""

    __tablename__ = "torture_item"
    __cache_tags__ = ("id",)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    author: Mapped[str]


@dataclass(frozen=True)
class Seen:
    """What a reader gets."""

    version: int
    author: str


@dataclass(frozen=True)
class Place:
    """Where a run happens; handed to every process."""

    database_url: str
    owner_url: str
    valkey_url: str
    data_folder: Path
    record: Path


def load(session: Session, item: int) -> Seen:
    """Read one item from the database."""
    row = session.execute(select(Item.version, Item.author).where(Item.id == item)).one()
    return Seen(row.version, row.author)


def write(session: Session, item: int, author: str) -> int:
    """Give an item its next version, and tell it."""
    statement = update(Item).where(Item.id == item).values(version=Item.version + 1, author=author)
    return int(session.execute(statement.returning(Item.version)).scalar_one())


def fill(session: Session) -> None:
    """All items in their first version."""
    session.add_all(Item(id=item, version=1, author="nobody") for item in range(ITEMS))
