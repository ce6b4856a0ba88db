"""Transactions whose connection breaks: which start again, and what the others raise."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event, text

from buttress.db.database import Database
from buttress.db.self_committing import commits_itself
from buttress.errors import Conflict, ConnectionLost, TransactionUndone
from buttress.settings import TimeoutSettings


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, timeouts=TimeoutSettings(lock_seconds=2))
    with database.connection() as connection:
        connection.execute(text("CREATE TABLE entry (id integer PRIMARY KEY)"))
    yield database
    database.close()


class Killer:
    """Ends the connection of the next statements that contain a word, or of the next COMMIT."""

    def __init__(self, database: Database) -> None:
        self.url = database.url.conninfo
        self.words: list[str] = []
        self.sent: list[str] = []

    def listen(self, engine: Any) -> None:
        event.listen(engine, "before_cursor_execute", self._statement)
        event.listen(engine, "commit", self._commit)

    def _statement(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        self.sent.append(statement)
        if self.words and self.words[0] in statement:
            self.words.pop(0)
            self._end(connection)

    def _commit(self, connection: Connection) -> None:
        if self.words and self.words[0] == "COMMIT":
            self.words.pop(0)
            self._end(connection)

    def _end(self, connection: Connection) -> None:
        pid = connection.connection.driver_connection.info.backend_pid
        with psycopg.connect(self.url, autocommit=True) as killer:
            killer.execute("SELECT pg_terminate_backend(%s)", [pid])
            while killer.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone():
                time.sleep(0.005)


@pytest.fixture
def killer(database: Database) -> Killer:
    killer = Killer(database)
    killer.listen(database.engine)
    return killer


def entries(database: Database) -> list[int]:
    with database.session(read_only=True) as session:
        return list(session.scalars(text("SELECT id FROM entry ORDER BY id")))


def execute(session: Any, *statements: str) -> None:
    for statement in statements:
        session.execute(text(statement))


def test_a_transaction_whose_first_statement_is_interrupted_starts_again(database, killer):
    killer.words = ["INSERT"]

    with database.session() as session:
        session.execute(text("INSERT INTO entry VALUES (1)"))
        session.execute(text("INSERT INTO entry VALUES (2)"))

    assert entries(database) == [1, 2]


def test_it_does_so_through_the_core_door_and_more_than_once(database, killer):
    killer.words = ["INSERT", "INSERT"]

    with database.connection() as connection:
        connection.exec_driver_sql("INSERT INTO entry VALUES (1)")

    assert entries(database) == [1]


def test_an_async_transaction_starts_again_too(database):
    killer = Killer(database)

    async def journey() -> None:
        async with database.async_session() as session:
            killer.listen((await session.connection()).sync_connection)
            killer.words = ["INSERT"]
            await session.execute(text("INSERT INTO entry VALUES (1)"))
        await database.aclose()

    asyncio.run(journey())

    assert entries(database) == [1]
    assert killer.words == []


def test_what_begins_a_transaction_is_sent_again(database, killer):
    def enter(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT set_config('app.tenant', '7', true)")

    event.listen(database.engine, "begin", enter)
    for word in ("set_config", "current_setting"):
        killer.words = [word]
        with database.session() as session:
            assert session.scalar(text("SELECT current_setting('app.tenant')")) == "7"
        assert killer.words == []


def test_a_read_only_transaction_that_started_again_is_still_read_only(database, killer):
    killer.words = ["SELECT 1"]

    with pytest.raises(Conflict), database.session(read_only=True) as session:
        execute(session, "SELECT 1", "INSERT INTO entry VALUES (1)")

    assert killer.words == []


def test_a_later_statement_raises_one_error_and_the_next_session_works(database, killer):
    killer.words = ["SELECT 2"]

    with pytest.raises(ConnectionLost) as caught, database.session() as session:
        execute(session, "INSERT INTO entry VALUES (1)", "SELECT 2")

    assert not caught.value.commit_unknown
    assert entries(database) == []


def test_a_commit_that_is_interrupted_says_that_its_outcome_is_unknown(database, killer):
    killer.words = ["COMMIT"]

    with pytest.raises(ConnectionLost) as caught, database.session() as session:
        session.execute(text("INSERT INTO entry VALUES (1)"))

    assert caught.value.commit_unknown
    assert "may have been committed" in caught.value.hint


@pytest.mark.parametrize("read_only", [False, True])
def test_a_lost_commit_counts_as_a_write_of_its_caller(database, read_only):
    url = database.url.conninfo
    with closing(Database(url, replica_urls=[url])) as followed:
        killer = Killer(followed)
        killer.listen(followed.engine)
        killer.words = ["COMMIT"]

        with (
            suppress(ConnectionLost),
            followed.session(read_only=read_only) as session,
        ):
            session.execute(text("SELECT 1" if read_only else "INSERT INTO entry VALUES (1)"))

        assert killer.words == []
        assert followed.replicas.bookmark.wrote is not read_only


def test_the_end_of_a_read_only_session_cannot_be_lost(database, killer):
    killer.words = ["COMMIT"]

    assert entries(database) == []
    assert killer.words == []


@pytest.mark.parametrize("place", ["first", "second"])
@pytest.mark.parametrize("comment", ["", " /* 'a; */", " -- it's"])
def test_a_statement_that_commits_itself_is_sent_once(database, killer, place, comment):
    killer.words = ["INSERT"]
    tries = []

    def work(session: Any) -> None:
        tries.append(1)
        if place == "second":
            session.execute(text("SELECT 1"))
        statement = f"/* of ours */ INSERT INTO entry VALUES (1);{comment}\nCOMMIT; SELECT 2"
        session.connection().exec_driver_sql(statement)

    with pytest.raises(ConnectionLost) as caught:
        database.retry(work)

    assert caught.value.commit_unknown
    assert tries == [1]
    assert sum("INSERT" in statement for statement in killer.sent) == 1


def test_a_text_that_ends_its_own_connection_after_a_commit_is_done_once(database):
    end = "SELECT pg_terminate_backend(pg_backend_pid())"

    with pytest.raises(ConnectionLost), database.connection() as connection:
        connection.exec_driver_sql(f"INSERT INTO entry VALUES (1); COMMIT; {end}")

    assert entries(database) == [1]


def test_one_statement_that_only_looks_like_several_is_sent_again(database, killer):
    killer.words = ["SELECT"]

    with database.connection() as connection:
        answer = connection.exec_driver_sql(
            "SELECT 'a; COMMIT', $b$; COMMIT$b$, 1 AS \";\" -- ; COMMIT\n; /* ; */ -- end",
            execution_options={"no_parameters": True},
        )
        assert answer.one() == ("a; COMMIT", "; COMMIT", 1)


@pytest.mark.parametrize(
    ("sql", "may_commit"),
    [
        *[
            (f"-- so\n {word} x", True)
            for word in ("COMMIT", "call", "Do", "END", "BEGIN", "ABORT")
        ],
        *[("PREPARE TRANSACTION 'x'", True), ("PREPARE x AS SELECT 1", False)],
        *[("START TRANSACTION", True), (";;ROLLBACK", True), ("SELECT 1;;; ", False)],
        *[("SELECT E'\\'; COMMIT; --'", False), ("SELECT '\\'; COMMIT; --'", True)],
        *[("SELECT $1 || $a$;$a$", False), ("SELECT $a$; $b$ $a$; COMMIT --$b$", True)],
        *[("/* /* */ ' */ ; COMMIT; --'", True), ("/* x */ SELECT 1; -- y", False)],
        *[("SELECT 'open; COMMIT", True), ("SAVEPOINT a", False), ("committed", False)],
        *[("do_it; SELECT 1", True), ("SELECT a$b$ FROM t; COMMIT; SELECT a$b$", True)],
    ],
)
def test_what_may_commit_by_itself_is_told_by_its_text(sql, may_commit):
    assert commits_itself(sql) is may_commit


def test_statements_outside_a_transaction_are_sent_once(database, killer):
    killer.words = ["INSERT"]

    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        with pytest.raises(ConnectionLost):
            execute(connection, "INSERT INTO entry VALUES (1)")

    assert sum("INSERT" in statement for statement in killer.sent) == 1


def test_the_callers_own_error_is_not_hidden_by_a_connection_lost_meanwhile(database, killer):
    def fail() -> None:
        with database.session() as session:
            session.execute(text("SELECT 1"))
            killer._end(session.connection())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def test_read_begins_again_from_the_start(database, killer):
    killer.words = ["SELECT 2", "SELECT 1"]

    def work(session: Any) -> list[int]:
        return [session.scalar(text(f"SELECT {number}")) for number in (1, 2, 3)]

    assert database.read(work) == [1, 2, 3]
    assert [statement for statement in killer.sent if "SELECT" in statement] == [
        *("SELECT 1", "SELECT 2", "SELECT 1", "SELECT 1", "SELECT 2", "SELECT 3")
    ]


def test_retry_does_what_was_undone_again(database, killer):
    killer.words = ["SELECT 2"]

    def work(session: Any) -> str:
        session.execute(text("INSERT INTO entry VALUES (1)"))
        session.execute(text("SELECT 2"))
        return "done"

    assert database.retry(work) == "done"
    assert entries(database) == [1]


def test_retry_repeats_a_lost_commit_only_when_told_that_it_may(database, killer):
    def work(session: Any) -> None:
        session.execute(text("INSERT INTO entry VALUES (1) ON CONFLICT DO NOTHING"))

    killer.words = ["COMMIT"]
    with pytest.raises(ConnectionLost):
        database.retry(work)
    killer.words = ["COMMIT"]
    database.retry(work, idempotent=True)

    assert entries(database) == [1]


def test_retry_gives_up_when_it_is_undone_again_and_again(database):
    tries = []

    def work(session: Any) -> None:
        tries.append(1)
        raise TransactionUndone("two transactions got in each other's way")

    with pytest.raises(TransactionUndone):
        database.retry(work)

    assert len(tries) == 5


def test_coroutines_are_read_and_retried_alike(database):
    lost = [ConnectionLost("gone"), ConnectionLost("gone")]

    async def work(session: Any) -> int:
        answer = await session.scalar(text("SELECT 1"))
        if lost:
            raise lost.pop()
        return int(answer)

    async def journey() -> list[int]:
        answers = [await database.async_read(work)]
        lost.append(ConnectionLost("gone"))
        answers.append(await database.async_retry(work))
        await database.aclose()
        return answers

    assert asyncio.run(journey()) == [1, 1]
    assert lost == []
