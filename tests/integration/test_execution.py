"""Statements through every door are told of once."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import ExecutionContext, ForeignKey, bindparam, create_engine, insert, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from buttress.db.database import Database
from buttress.db.execution import observe
from buttress.errors import Conflict


class Table(DeclarativeBase):
    pass


class Shelf(Table):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list["Book"]] = relationship()


class Book(Table):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))


@pytest.fixture(params=["database_url", "sqlite_url"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    database = Database(request.getfixturevalue(request.param))
    with database.connection() as connection:
        Table.metadata.create_all(connection)
        connection.execute(insert(Shelf), [{"id": 1}, {"id": 2}])
        connection.execute(insert(Book), [{"id": 1, "shelf_id": 1}])
    yield database
    database.close()


class Seen:
    """The statements an observer was told of, without what SQLite's transactions send."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def __call__(self, context: ExecutionContext) -> None:
        assert context.root_connection is not None
        text = str(context.statement)
        if not text.startswith(("BEGIN", "PRAGMA")):
            self.statements.append(text.split("\n")[0])


def test_no_statement_is_missed_through_any_door(database):
    def everything(session: Session) -> None:
        session.execute(text("SELECT 1"))
        session.connection().exec_driver_sql("SELECT 2")
        session.execute(select(Shelf.id))
        rows = [{"key": 7}, {"key": 8}]
        session.connection().execute(
            Book.__table__.delete().where(Book.id == bindparam("key")), rows
        )
        session.connection().exec_driver_sql("DELETE FROM book WHERE id = 9")
        shelf = session.get_one(Shelf, 1)
        assert len(shelf.books) == 1  # a lazy load
        session.add(Book(id=3, shelf_id=2))

    seen = Seen()
    with observe(seen), database.session() as session:
        everything(session)
    assert [line.split()[0] for line in seen.statements] == [
        *("SELECT", "SELECT", "SELECT", "DELETE", "DELETE", "SELECT", "SELECT", "INSERT")
    ]


def test_async_sessions_are_observed_in_their_own_task_only(database):
    async def read(number: int) -> list[str]:
        seen = Seen()
        with observe(seen):
            async with database.async_session(read_only=True) as session:
                await session.execute(text(f"SELECT {number}"))
                await asyncio.sleep(0.01)
                await session.run_sync(lambda sync: sync.scalars(select(Shelf.id)).all())
        return seen.statements

    async def main() -> list[list[str]]:
        try:
            return await asyncio.gather(*(read(number) for number in range(5)))
        finally:
            await database.aclose()

    for number, statements in enumerate(asyncio.run(main())):
        assert statements == [f"SELECT {number}", "SELECT shelf.id "]


def test_threads_and_time_outside_are_not_observed(database):
    seen = Seen()

    def read() -> None:
        with database.session() as session:
            session.execute(text("SELECT 1"))

    with observe(seen):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    read()
    assert seen.statements == []


def test_an_observer_can_keep_a_statement_from_being_sent(database):
    def refuse(context: ExecutionContext) -> None:
        if context.isinsert:
            raise Conflict("no inserts here")

    with pytest.raises(Conflict), observe(refuse), database.session() as session:
        session.add(Shelf(id=5))
    with database.session() as session:
        assert session.get(Shelf, 5) is None


def test_every_statement_is_recorded_once_with_its_time_and_error(database):
    told: list[tuple[int, str, Any]] = []
    database.executions.record = lambda *given: told.append(
        (given[1] - given[0], given[3], given[6])
    )
    with database.session() as session:
        session.execute(text("SELECT 1"))
    with pytest.raises(Exception, match="nowhere"), database.session() as session:
        session.execute(text("SELECT * FROM nowhere"))

    told = [one for one in told if one[1].startswith("SELECT")]
    assert [statement for _, statement, _ in told] == ["SELECT 1", "SELECT * FROM nowhere"]
    assert 0 < told[0][0] < 1e9
    assert told[0][2] is None
    assert told[1][2] is not None


def test_a_record_that_fails_disturbs_no_statement(database, caplog):
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    database.executions.record = broken
    with database.session() as session:
        assert session.scalar(text("SELECT 1")) == 1
        assert session.scalar(text("SELECT 1")) == 1
    assert database.executions.failures >= 2
    assert caplog.text.count("could not be recorded") == 1


def test_other_engines_of_the_same_kind_are_left_alone(database, sqlite_url):
    told: list[object] = []
    database.executions.record = lambda *given: told.append(given)
    other = create_engine(database.url.sqlalchemy)
    with other.connect() as connection:
        connection.execute(text("SELECT 1"))
    other.dispose()
    assert told == []
