"""Roll-ups stay what their source adds up to, whoever writes and however."""

from __future__ import annotations

import datetime as dt
import math
import random
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Connection, MetaData, Numeric, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from buttress.db.base import Base
from buttress.db.database import Database
from buttress.db.rollup_histogram import BUCKET_FUNCTION, bucket_value
from buttress.db.rollups import (
    Rollup,
    RollupDifference,
    declared,
    fold,
    install,
    percentiles,
    rebuild,
    uninstall,
    verify,
)
from buttress.errors import ConfigurationError, NotFound, Unsupported


class Tables(DeclarativeBase):
    metadata = MetaData()
    type_annotation_map = Base.type_annotation_map


class Evaluation(Tables):
    __tablename__ = "evaluation"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[dt.date | None]
    model: Mapped[str | None]
    cost: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    tokens: Mapped[int | None]
    score: Mapped[float | None]
    seen_at: Mapped[dt.datetime | None]


DAILY = Rollup(
    "evaluations_daily",
    source=Evaluation,
    by={"month": "date_trunc('month', at)::date", "model": "model"},
    sums=["cost", "tokens", "score"],
    histogram="score",
    fold_every=5,
)
BY_MODEL = Rollup(
    "evaluations_by_model", source=Evaluation, by=["model"], sums=["tokens"], fold_every=5
)

BY_DAY = Rollup(
    "evaluations_by_day",
    source=Evaluation,
    by={
        "day": "seen_at::date",
        "told": "at::text || (seen_at - '2026-01-01Z')::text || score::text",
    },
    fold_every=5,
)
SESSIONS = [
    "SET LOCAL timezone = 'Asia/Tokyo'",
    "SET LOCAL timezone = 'America/Los_Angeles'",
    "SET LOCAL datestyle = 'SQL, DMY'",
    "SET LOCAL intervalstyle = 'iso_8601'",
    "SET LOCAL extra_float_digits = -5",
]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with database.connection() as connection:
        Tables.metadata.create_all(connection)
        for rollup in declared(Tables.metadata):
            install(connection, rollup)
    yield database
    database.close()


def execute(database: Database, *statements: str) -> None:
    with database.connection() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def differences(database: Database, setting: str = "") -> list[RollupDifference]:
    with database.connection(read_only=True) as connection:
        if setting:
            connection.exec_driver_sql(setting)
        return [one for rollup in declared(Tables.metadata) for one in verify(connection, rollup)]


def rows(database: Database, table: str = "evaluations_by_model") -> list[tuple[Any, ...]]:
    with database.connection(read_only=True) as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1"))]


def test_a_roll_up_adds_up_its_source_at_once(database):
    execute(
        database,
        "INSERT INTO evaluation (id, model, tokens) VALUES (1, 'a', 2), (2, 'a', 3), (3, NULL, NULL)",
    )

    assert rows(database) == [("a", 2, 5, 2), (None, 1, 0, 0)]


def test_a_combination_without_rows_is_gone(database):
    execute(
        database,
        "INSERT INTO evaluation (id, model) VALUES (1, 'a'), (2, 'b')",
        "DELETE FROM evaluation WHERE id = 1",
        "UPDATE evaluation SET model = 'c'",
    )

    assert rows(database) == [("c", 1, 0, 0)]


def test_what_is_rolled_back_was_never_added(database):
    with psycopg.connect(database.url.conninfo) as connection:
        connection.execute("INSERT INTO evaluation (id, model) VALUES (1, 'a')")
        connection.rollback()

    assert rows(database) == []


def test_copy_and_truncate_count(database, conninfo):
    with psycopg.connect(conninfo) as connection:
        with connection.cursor().copy("COPY evaluation (id, model) FROM STDIN") as copy:
            for number in range(1000):
                copy.write_row((number, f"m{number % 3}"))
        connection.commit()
        assert differences(database) == []
        assert len(rows(database)) == 3

        connection.execute("TRUNCATE evaluation")
        connection.commit()
    assert rows(database) == []
    assert rows(database, "evaluations_daily_histogram") == []


def test_an_upsert_counts_what_it_inserts_and_what_it_updates(database):
    upsert = "INSERT INTO evaluation (id, model, tokens) VALUES {} ON CONFLICT (id) DO UPDATE SET model = excluded.model, tokens = excluded.tokens"
    execute(
        database,
        upsert.format("(1, 'a', 1), (2, 'a', 1)"),
        upsert.format("(2, 'b', 5), (3, 'a', 1)"),
    )

    assert rows(database) == [("a", 2, 2, 2), ("b", 1, 5, 1)]


MODELS = st.sampled_from(["'a'", "'b'", "NULL"])
MONTHS = st.sampled_from(["'2026-01-05'", "'2026-02-07'", "'2026-02-09'", "NULL"])
COSTS = st.sampled_from(["NULL", "0.1", "-2.5", "99999999.9999"])
TOKENS = st.sampled_from(["NULL", "0", "7", "2147483647"])
SCORES = st.sampled_from(["NULL", "0.1", "0.2", "-1e-9", "1e300", "3.5", "'NaN'", "'Infinity'"])
MOMENTS = st.sampled_from(["NULL", "'2026-01-05 20:00Z'", "'2026-01-06 03:00Z'"])
ROW = st.tuples(st.integers(1, 12).map(str), MONTHS, MODELS, COSTS, TOKENS, SCORES, MOMENTS).map(
    lambda cells: f"({', '.join(cells)})"
)
SET = st.one_of(
    MODELS.map(lambda v: f"model = {v}"),
    MONTHS.map(lambda v: f"at = {v}"),
    COSTS.map(lambda v: f"cost = {v}"),
    SCORES.map(lambda v: f"score = {v}"),
    MOMENTS.map(lambda v: f"seen_at = {v}"),
    st.just("tokens = coalesce(tokens, 0) / 2"),
    st.just("model = model"),
)
CONDITION = st.sampled_from(
    ["true", "id % 2 = 0", "model = 'a'", "model IS NULL", "id < 4", "false"]
)
WRITES = st.one_of(
    st.lists(ROW, min_size=1, max_size=6).map(
        lambda rows: f"INSERT INTO evaluation VALUES {', '.join(rows)} ON CONFLICT DO NOTHING"
    ),
    st.tuples(SET, CONDITION).map(lambda one: f"UPDATE evaluation SET {one[0]} WHERE {one[1]}"),
    CONDITION.map(lambda condition: f"DELETE FROM evaluation WHERE {condition}"),
    st.just("TRUNCATE evaluation"),
)


@given(st.lists(st.tuples(st.sampled_from(SESSIONS), WRITES), max_size=12))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_sequence_of_writes_leaves_it_exact(database, writes):
    execute(database, "TRUNCATE evaluation")
    for setting, write in writes:
        execute(database, setting, write)
        assert differences(database) == []
    assert all(row[1] > 0 for row in rows(database))


@pytest.mark.parametrize("setting", SESSIONS)
def test_what_the_writer_has_set_changes_nothing(database, setting):
    execute(
        database,
        setting,
        "INSERT INTO evaluation (id, at, score, seen_at) VALUES (1, '2026-02-01', 0.1, '2026-02-01 20:00Z')",
    )
    before = rows(database, "evaluations_by_day")
    assert before[0][0] == dt.date(2026, 2, 1)
    assert differences(database, setting) == []

    for remake in (rebuild, install_anew):
        with database.connection() as connection:
            connection.exec_driver_sql(setting)
            shown = connection.exec_driver_sql(SHOWN).all()
            remake(connection, BY_DAY)
            assert connection.exec_driver_sql(SHOWN).all() == shown  # as its caller had set it
        assert rows(database, "evaluations_by_day") == before
    execute(database, "DELETE FROM evaluation")
    assert rows(database, "evaluations_by_day") == []


SHOWN = "SELECT name, setting FROM pg_settings ORDER BY name"


def install_anew(connection: Connection, rollup: Rollup) -> None:
    uninstall(connection, rollup)
    assert install(connection, rollup)


def test_writers_at_once_leave_it_exact(database, conninfo):
    failures: list[Exception] = []

    def write(seed: int) -> None:
        choose = random.Random(seed)
        try:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                for turn in range(60):
                    models = [f"m{choose.randrange(6)}" for _ in range(20)]
                    choose.shuffle(models)
                    first = (seed * 1000 + turn) * 100
                    connection.cursor().executemany(
                        "INSERT INTO evaluation (id, at, model, tokens, score) VALUES (%s, '2026-01-01', %s, 3, 0.5)",
                        [(first + n, model) for n, model in enumerate(models[:3])],
                    )
                    connection.execute(
                        "INSERT INTO evaluation (id, model, tokens) SELECT %s + n, 'm' || n %% 6, n FROM generate_series(10, 40) n",
                        (first,),
                    )
                    connection.execute(
                        "UPDATE evaluation SET model = %s, tokens = tokens + 1 WHERE id BETWEEN %s AND %s",
                        (choose.choice([*models, None]), first, first + 20),
                    )
                    connection.execute(
                        "DELETE FROM evaluation WHERE id BETWEEN %s AND %s",
                        (first + 15, first + 45),
                    )
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert differences(database) == []  # at every moment, in every snapshot
    for thread in threads:
        thread.join()

    assert failures == []
    assert differences(database) == []
    assert sum(row[1] for row in rows(database)) > 500


def test_transactions_that_write_in_opposite_orders_do_not_wait_for_each_other(database, conninfo):
    insert = "INSERT INTO evaluation (id, model) VALUES (%s, %s)"
    with psycopg.connect(conninfo) as one, psycopg.connect(conninfo) as other:
        for connection in (one, other):
            connection.execute("SET lock_timeout = '5s'")
        one.execute(insert, (1, "a"))
        other.execute(insert, (2, "b"))
        one.execute(insert, (3, "b"))
        other.execute(insert, (4, "a"))

    assert [row[:2] for row in rows(database)] == [("a", 2), ("b", 2)]


def test_folding_leaves_one_part_of_each_combination(database):
    insert = "INSERT INTO evaluation (id, model, tokens) VALUES ({}, 'a', 1)"
    execute(database, *map(insert.format, range(40)))

    with database.connection() as connection:
        fold(connection, BY_MODEL)

    assert rows(database, "evaluations_by_model_parts") == [("a", 40, 40, 40)]
    assert differences(database) == []


def test_writers_fold_from_time_to_time(database):
    insert = "INSERT INTO evaluation (id, model, tokens) VALUES ({}, 'a', 1)"
    for number in range(150):
        execute(database, insert.format(number))

    assert len(rows(database, "evaluations_by_model_parts")) < 100  # less often than 1e-14


def test_verify_names_what_differs_and_rebuild_mends_it(database):
    execute(
        database,
        "INSERT INTO evaluation (id, model, tokens) VALUES (1, 'a', 2), (2, 'b', 3)",
        "UPDATE evaluations_by_model_parts SET tokens_sum = 9 WHERE model = 'a'",
        "DELETE FROM evaluations_by_model_parts WHERE model = 'b'",
        "INSERT INTO evaluations_by_model_parts VALUES ('c', 1, 0, 0)",
    )

    found = {one.dimensions["model"]: (one.expected, one.found) for one in differences(database)}
    assert found == {
        "a": (
            {"rows": 1, "tokens_sum": 2, "tokens_count": 1},
            {"rows": 1, "tokens_sum": 9, "tokens_count": 1},
        ),
        "b": ({"rows": 1, "tokens_sum": 3, "tokens_count": 1}, None),
        "c": (None, {"rows": 1, "tokens_sum": 0, "tokens_count": 0}),
    }

    with database.connection() as connection:
        rebuild(connection, BY_MODEL)
    assert differences(database) == []


def test_verify_runs_outside_a_transaction_too(database):
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        assert verify(connection, BY_MODEL) == []
        assert verify(connection, BY_MODEL) == []


def test_a_trigger_that_is_off_is_found_by_verify(database):
    execute(
        database,
        "ALTER TABLE evaluation DISABLE TRIGGER rollup_evaluations_by_model_insert",
        "INSERT INTO evaluation (id, model) VALUES (1, 'a')",
    )

    assert [one.table for one in differences(database)] == ["evaluations_by_model"]


def test_installing_fills_and_installing_again_does_nothing(database):
    with database.connection() as connection:
        uninstall(connection, BY_MODEL)
    execute(database, "INSERT INTO evaluation (id, model) VALUES (1, 'a')")
    with pytest.raises(NotFound, match="is not installed"):
        differences(database)

    with database.connection() as connection:
        assert install(connection, BY_MODEL)
        assert not install(connection, BY_MODEL)
    assert differences(database) == []


def test_a_roll_up_declared_differently_is_made_anew(database):
    class Other(DeclarativeBase):
        metadata = MetaData()

    table = Evaluation.__table__.to_metadata(Other.metadata)
    other = Rollup("evaluations_by_model", source=table, by=["model", "at"], sums=["cost"])
    execute(database, "INSERT INTO evaluation (id, model, cost) VALUES (1, 'a', 1.5)")

    with database.connection() as connection:
        assert install(connection, other)
        assert verify(connection, other) == []
    assert rows(database) == [("a", None, 1, Decimal("1.5"), 1)]


def test_the_app_role_needs_no_right_on_the_summary(servers, database):
    execute(
        database,
        f"GRANT CONNECT ON DATABASE {database.url.sqlalchemy.database} TO buttress_app",
        "REVOKE ALL ON evaluations_by_model_parts, evaluations_daily_parts, evaluations_daily_histogram_parts FROM buttress_app",
    )
    with psycopg.connect(
        servers.postgres_url("app", database.url.sqlalchemy.database)
    ) as connection:
        connection.execute("INSERT INTO evaluation (id, model) VALUES (1, 'a')")

    assert rows(database) == [("a", 1, 0, 0)]


def test_percentiles_are_within_a_fiftieth(database):
    values = [
        math.exp(random.Random(n).gauss(0, 3)) * (-1 if n % 5 == 0 else 1) for n in range(4000)
    ]
    with psycopg.connect(database.url.conninfo) as connection:
        connection.execute(
            "INSERT INTO evaluation (id, model, score) "
            "SELECT n, 'a', v FROM unnest(%s::float8[]) WITH ORDINALITY AS t(v, n)",
            (values,),
        )
        connection.execute("INSERT INTO evaluation (id, model, score) VALUES (-1, 'b', 'NaN')")

    fractions = [0.01, 0.25, 0.5, 0.95, 0.999, 1.0]
    with database.connection(read_only=True) as connection:
        found = percentiles(connection, DAILY, fractions, "model = :model", {"model": "a"})
        assert percentiles(connection, DAILY, [0.5], "model = 'b'") == [None]

    exact = [sorted(values)[math.ceil(fraction * 4000) - 1] for fraction in fractions]
    assert found == pytest.approx(exact, rel=1 / 60)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_buckets_hold_their_values_and_keep_their_order(database_url, values):
    with psycopg.connect(database_url) as connection:
        connection.execute(BUCKET_FUNCTION)
        found = connection.execute(
            "SELECT v, buttress_bucket(v) FROM unnest(%s::float8[]) v ORDER BY v", (values,)
        ).fetchall()

    assert [bucket for _, bucket in found] == sorted(bucket for _, bucket in found)
    for value, bucket in found:
        if abs(value) >= 1e-300:
            assert bucket_value(bucket) == pytest.approx(value, rel=1 / 60)


def test_a_roll_up_needs_a_dimension():
    with pytest.raises(ConfigurationError, match="no dimension"):
        Rollup("nothing", source=Evaluation, by=[])


def test_on_sqlite_a_roll_up_is_a_view(sqlite_url):
    database = Database(sqlite_url)
    with database.connection() as connection:
        Tables.metadata.create_all(connection)
        assert install(connection, BY_MODEL)
        assert not install(connection, BY_MODEL)
    execute(database, "INSERT INTO evaluation (id, model, tokens) VALUES (1, 'a', 2), (2, 'a', 3)")

    assert rows(database) == [("a", 2, 5, 2)]
    with database.connection() as connection:
        added = text(f"SELECT model, sum(tokens_sum) FROM {BY_MODEL.parts} GROUP BY model")
        assert connection.execute(added).all() == [("a", 5)]
    database.close()


def test_on_sqlite_a_roll_up_has_no_percentiles(sqlite_url):
    database = Database(sqlite_url)
    with database.connection() as connection:
        Tables.metadata.create_all(connection)
        with pytest.raises(Unsupported, match="histogram"):
            percentiles(connection, DAILY, [0.5])
    database.close()
