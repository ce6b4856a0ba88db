"""Imports into real tables: what arrives, what is refused and why, and who may interfere."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from sqlalchemy import MetaData, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from buttress.contracts import Contract, frame_rule
from buttress.db.base import Base
from buttress.db.database import Database
from buttress.errors import BadInput, Conflict, NotFound
from buttress.imports import import_rows


class Tables(DeclarativeBase):
    metadata = MetaData()
    type_annotation_map = Base.type_annotation_map


class Campaign(Tables):
    __tablename__ = "campaign"
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    clicks: Mapped[int]
    spend: Mapped[Decimal | None]
    seen_at: Mapped[dt.datetime | None]
    note: Mapped[str | None] = mapped_column(server_default=text("'none'"))
    facts: Mapped[dict[str, Any] | None]


DAY = dt.date(2026, 1, 1)
MORNING = dt.datetime(2026, 1, 1, 5)  # noqa: DTZ001 — without time zone on purpose


@pytest.fixture(params=["database_url", "sqlite_url"])
def either(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of each kind, with the tables."""
    database = Database(request.getfixturevalue(request.param))
    with database.connection() as connection:
        Tables.metadata.create_all(connection)
    yield database
    database.close()


@pytest.fixture
def postgresql(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with database.connection() as connection:
        Tables.metadata.create_all(connection)
    yield database
    database.close()


def row(name: str = "a", **changes: Any) -> dict[str, Any]:
    return {"day": DAY, "name": name, "clicks": 1} | changes


def campaigns(database: Database) -> list[tuple[str, int]]:
    with database.session(read_only=True) as session:
        found = session.execute(select(Campaign.name, Campaign.clicks).order_by(Campaign.name))
        return [(name, clicks) for name, clicks in found]


def execute(database: Database, sql: str) -> None:
    with database.connection() as connection:
        connection.execute(text(sql))


def counts(report: Any) -> tuple[int, int, int, int]:
    return report.inserted, report.updated, report.unchanged, report.rejected


def test_new_rows_are_inserted_changed_ones_updated_and_equal_ones_left(either):
    import_rows(either, Campaign, [row("a"), row("b"), row("c")])

    report = import_rows(either, Campaign, [row("b"), row("c", clicks=2), row("d")])

    assert counts(report) == (1, 1, 1, 0)
    assert campaigns(either) == [("a", 1), ("b", 1), ("c", 2), ("d", 1)]


def test_ignore_leaves_rows_that_are_there(either):
    import_rows(either, Campaign, [row("a")])

    report = import_rows(either, Campaign, [row("a", clicks=9), row("b")], on_conflict="ignore")

    assert counts(report) == (1, 0, 1, 0)
    assert campaigns(either) == [("a", 1), ("b", 1)]


def test_error_refuses_the_whole_import_when_a_row_is_there(either):
    import_rows(either, Campaign, [row("a")])

    with pytest.raises(Conflict):
        import_rows(either, Campaign, [row("b"), row("a")], on_conflict="error")

    assert campaigns(either) == [("a", 1)]


def test_the_session_form_is_part_of_the_callers_transaction(either):
    def fail_afterwards() -> None:
        with either.session() as session:
            import_rows(session, Campaign, [row("a")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_afterwards()

    assert campaigns(either) == []


def test_objects_read_before_an_import_show_what_it_changed(either):
    import_rows(either, Campaign, [row("a")])
    with either.session() as session:
        held = session.scalars(select(Campaign)).one()

        import_rows(session, Campaign, [row("a", clicks=5)])

        assert held.clicks == 5


def test_two_imports_in_one_transaction_do_not_meet(either):
    with either.session() as session:
        import_rows(session, "campaign", [row("a")])
        import_rows(session, "campaign", [row("b")])

    assert campaigns(either) == [("a", 1), ("b", 1)]


def test_of_rows_with_the_same_key_the_last_one_counts(either):
    report = import_rows(either, Campaign, [row("a", clicks=n) for n in (1, 2, 3)])

    assert counts(report) == (1, 0, 0, 2)
    assert campaigns(either) == [("a", 3)]
    assert [(one.row_number, one.reason) for one in report.rejected_rows] == [
        (1, "a later row has the same key"),
        (2, "a later row has the same key"),
    ]


def test_no_rows_are_no_work(either):
    assert counts(import_rows(either, Campaign, [])) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "nul\0"}, "name: text with U+0000, which PostgreSQL does not hold"),
        ({"name": None}, "name: no value, and the column needs one"),
        ({"clicks": "many"}, "clicks: 'many' is no integer"),
        ({"clicks": 1.5}, "clicks: 1.5 is no integer"),
        ({"clicks": 2**80}, f"clicks: {2**80} is out of the range of"),
        ({"day": "2026-02-30"}, "day: '2026-02-30' cannot be read"),
        ({"day": MORNING}, "day: datetime.datetime(2026, 1, 1, 5, 0) has a time of day"),
        ({"seen_at": MORNING}, "seen_at: datetime.datetime(2026, 1, 1, 5, 0) has no time zone"),
        ({"spend": "dear"}, "spend: 'dear' is no number"),
        ({"facts": "{"}, "facts: '{' is no JSON"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_stored_is_kept_with_its_reason(either, change, reason):
    wanted = {"spend": None, "seen_at": None, "facts": None}
    report = import_rows(either, Campaign, [row("a") | wanted, row("b") | wanted | change])

    assert counts(report) == (1, 0, 0, 1)
    assert campaigns(either) == [("a", 1)]
    assert report.rejected_rows[0].row_number == 2
    assert report.rejected_rows[0].reason.startswith(reason)


def test_fail_raises_at_the_first_refused_row(either):
    with pytest.raises(BadInput, match=r"row 2: clicks: 'x' is no integer"):
        import_rows(either, Campaign, [row("a"), row("b", clicks="x")], on_reject="fail")

    assert campaigns(either) == []


def test_columns_are_matched_by_name(either):
    with pytest.raises(BadInput, match="has no column 'klicks'"):
        import_rows(either, Campaign, [{"day": DAY, "name": "a", "klicks": 1}])
    with pytest.raises(BadInput, match="lack 'clicks', which campaign needs"):
        import_rows(either, Campaign, [{"name": "a", "day": DAY}])
    with pytest.raises(NotFound, match="no table nothing"):
        import_rows(either, "nothing", [row()])


def test_a_column_of_a_wrong_type_is_refused_as_a_whole(either):
    frame = pa.table({"day": [DAY], "name": ["a"], "clicks": [[1, 2]]})
    with pytest.raises(BadInput, match="column 'clicks' holds list"):
        import_rows(either, Campaign, frame)

    naive = pd.DataFrame([row() | {"seen_at": MORNING}])
    with pytest.raises(BadInput, match="column 'seen_at' holds timestamp") as refused:
        import_rows(either, Campaign, naive)
    assert "tz_localize" in refused.value.hint


def test_a_row_with_other_columns_than_the_first_is_refused(either):
    report = import_rows(either, Campaign, [row("a"), {"name": "b"}, row("c", more=1)])

    assert [one.reason for one in report.rejected_rows] == [
        "the row lacks clicks, day",
        "the row also has more",
    ]


def test_columns_left_out_get_their_defaults_and_keep_their_values(either):
    import_rows(either, Campaign, [row("a")])
    execute(either, "UPDATE campaign SET note = 'mine'")

    import_rows(either, Campaign, [row("a", clicks=2), row("b")])

    with either.session(read_only=True) as session:
        notes = session.scalars(select(Campaign.note).order_by(Campaign.name)).all()
    assert notes == ["mine", "none"]


@dataclasses.dataclass
class ADataclass:
    day: dt.date
    name: str
    clicks: int


class AStruct(msgspec.Struct):
    day: dt.date
    name: str
    clicks: int


class AContract(BaseModel):
    day: dt.date
    name: str = Field(min_length=2)
    clicks: int = Field(ge=0)


@pytest.mark.parametrize("kind", [ADataclass, AStruct, AContract])
def test_objects_of_many_kinds_are_rows(either, kind):
    import_rows(either, Campaign, (kind(day=DAY, name=f"n{n}", clicks=n) for n in range(3)))

    assert campaigns(either) == [("n0", 0), ("n1", 1), ("n2", 2)]


def test_a_contract_refuses_rows_with_field_and_message_and_gives_the_values(either):
    frame = pd.DataFrame(
        {"day": ["2026-01-01"] * 3, "name": ["ab", "c", "de"], "clicks": ["1", "2", "-3"]}
    )

    report = import_rows(either, Campaign, frame, contract=AContract)

    assert campaigns(either) == [("ab", 1)]
    assert [one.reason for one in report.rejected_rows] == [
        "name: String should have at least 2 characters",
        "clicks: Input should be greater than or equal to 0",
    ]
    assert report.rejected_rows[0].row == {"day": "2026-01-01", "name": "c", "clicks": "2"}


def test_columns_that_fit_a_contract_are_imported_as_they_are(either):
    frame = pa.table(
        {
            "day": [DAY] * 5,
            "name": ["ab", "c", "de", "fg", "hi"],
            "clicks": [1, 2, -3, 4, None],
            "more": ["left out"] * 5,
        }
    )

    report = import_rows(either, Campaign, frame, contract=AContract)

    assert campaigns(either) == [("ab", 1), ("fg", 4)]
    assert [(one.row_number, one.reason) for one in report.rejected_rows] == [
        (2, "name: String should have at least 2 characters"),
        (3, "clicks: Input should be greater than or equal to 0"),
        (5, "clicks: Input should be a valid integer"),
    ]
    assert counts(report) == (2, 0, 0, 3)


class AnExactContract(Contract, unique=["name"]):
    day: dt.date
    name: str
    clicks: int

    @frame_rule
    @classmethod
    def clicks_are_few(cls, frame):
        """there are fewer than 100 clicks"""
        return sum(frame["clicks"].to_pylist()) < 100


def test_a_contract_about_all_rows_refuses_those_that_repeat(either):
    rows = [{"day": DAY, "name": name, "clicks": n} for n, name in enumerate("abacx")]
    rows[4]["clicks"] = "many"

    report = import_rows(either, Campaign, rows, contract=AnExactContract)

    assert campaigns(either) == [("a", 0), ("b", 1), ("c", 3)]
    assert [(one.row_number, one.reason.partition(":")[0]) for one in report.rejected_rows] == [
        (3, "name"),
        (5, "clicks"),
    ]
    assert report.rejected_rows[0].reason == "name: repeats row 1"


def test_rows_that_break_a_contract_together_are_not_imported(either):
    with pytest.raises(BadInput, match="break the contract AnExactContract") as caught:
        import_rows(
            either, Campaign, [{"day": DAY, "name": "a", "clicks": 100}], contract=AnExactContract
        )

    assert "fewer than 100 clicks" in caught.value.hint
    assert campaigns(either) == []


def test_a_frame_brings_missing_values_as_null(either):
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime(["2026-01-01", "2026-01-01"]),
            "name": ["a", "b"],
            "clicks": [1.0, 2.0],
            "spend": [1.005, math.nan],
            "seen_at": pd.to_datetime(["2026-01-01T00:00:00.123456789Z", None]),
            "facts": [{"x": [1, None]}, None],
        }
    )

    assert import_rows(either, Campaign, frame).inserted == 2

    with either.session(read_only=True) as session:
        a, b = session.scalars(select(Campaign).order_by(Campaign.name))
    assert (a.seen_at, b.seen_at) == (dt.datetime(2026, 1, 1, 0, 0, 0, 123456, dt.UTC), None)
    assert (a.facts, b.facts, b.spend) == ({"x": [1, None]}, None, None)
    assert float(a.spend) == 1.005


def test_a_frame_with_mixed_objects_is_read_row_by_row(either):
    frame = pd.DataFrame({"day": [DAY, DAY], "name": ["a", "b"], "clicks": [1, "x"]})

    assert counts(import_rows(either, Campaign, frame)) == (1, 0, 0, 1)


def test_batches_are_taken_as_they_come(either):
    taken = []
    rows = (row(f"{n:06}") for n in range(25_000))

    report = import_rows(either, Campaign, rows, progress=taken.append)

    assert report.inserted == 25_000
    assert taken == [10_000, 20_000, 25_000]


def test_checks_and_references_refuse_single_rows(either):
    execute(either, "CREATE TABLE owner (id integer PRIMARY KEY)")
    execute(
        either,
        "CREATE TABLE ad (id integer PRIMARY KEY, owner integer REFERENCES owner (id), "
        "parent integer REFERENCES ad (id), price integer CONSTRAINT paid CHECK (price > 0), "
        "code varchar(3) UNIQUE)",
    )
    execute(either, "INSERT INTO owner VALUES (1)")
    execute(either, "INSERT INTO ad VALUES (100, 1, NULL, 1, 'old')")

    def ad(
        id: int,
        owner: int | None = 1,
        parent: int | None = None,
        price: int = 1,
        code: str | None = None,
    ) -> dict[str, Any]:
        return {"id": id, "owner": owner, "parent": parent, "price": price, "code": code}

    report = import_rows(
        either,
        "ad",
        [
            ad(1), ad(2, owner=7), ad(3, parent=1), ad(4, price=0), ad(5, parent=4), ad(6, parent=5),
            ad(7, code="old"), ad(8, code="new"), ad(9, code="new"), ad(10, code="long"), ad(11, owner=None),
        ],
    )  # fmt: skip

    reasons = {one.row["id"]: one.reason for one in report.rejected_rows}
    assert reasons == {
        2: "owner: refers to a row that is not there",
        4: "breaks the rule paid",
        5: "parent: refers to a row that is not there",
        6: "parent: refers to a row that is not there",
        7: "another row has the same (code)",
        9: "another row has the same (code)",
        10: "code: 4 characters, and the column holds 3",
    }
    assert report.inserted == 4


def test_a_key_may_be_another_unique_constraint(either):
    serial = "integer PRIMARY KEY" if either.url.backend == "sqlite" else "serial PRIMARY KEY"
    execute(either, f"CREATE TABLE thing (id {serial}, code text UNIQUE, size integer)")
    import_rows(either, "thing", [{"code": "a", "size": 1}, {"code": "b", "size": 1}])

    report = import_rows(
        either,
        "thing",
        [{"code": "a", "size": 2}, {"code": None, "size": 2}, {"code": "c", "size": 2}],
        key=["code"],
    )

    assert counts(report) == (1, 1, 0, 1)
    with pytest.raises(BadInput, match=r"\(size\) is no key of thing"):
        import_rows(either, "thing", [{"code": "a", "size": 2}], key=["size"])


TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN small AS integer CHECK (VALUE < 10);
CREATE TABLE everything (
    id bigint PRIMARY KEY, b boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision,
    n numeric, n2 numeric(12, 2), wide numeric(30, 10), t text, v varchar(5), d date, ts timestamp,
    tz timestamptz, tm time, u uuid, raw bytea, j json, jb jsonb, m mood, s small, a integer[]);
"""


@pytest.fixture
def everything(database_url: str) -> Iterator[Database]:
    with psycopg.connect(database_url) as connection:
        connection.execute(TYPES)
    database = Database(database_url)
    yield database
    database.close()


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VALUES = {
    "b": st.booleans(),
    "i2": st.integers(-(2**15), 2**15 - 1),
    "i4": st.integers(-(2**31), 2**31 - 1),
    "i8": st.integers(-(2**63), 2**63 - 1),
    "f4": st.floats(width=32),
    "f8": st.floats(),
    "n": st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=9),
    "n2": st.decimals(min_value=-(10**9), max_value=10**9, places=2),
    "wide": st.decimals(min_value=-(10**19), max_value=10**19, places=10),
    "t": TEXT,
    "v": st.text(st.sampled_from("aé€😀 "), max_size=5),
    "d": st.dates(),
    "ts": st.datetimes(),
    "tz": st.datetimes(timezones=st.just(dt.UTC)),
    "tm": st.times(),
    "u": st.uuids(),
    "raw": st.binary(),
    "m": st.sampled_from(["sad", "ok"]),
    "s": st.integers(-100, 9).map(str),
}  # fmt: skip


@given(
    st.lists(st.fixed_dictionaries({n: st.none() | v for n, v in VALUES.items()}), max_size=8),
    st.booleans(),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_value_arrives_as_it_was(everything, rows, as_arrow):
    execute(everything, "TRUNCATE everything")
    numbered = [{"id": n, **values} for n, values in enumerate(rows)]
    given: Any = numbered
    if as_arrow and rows:
        plain = [one | {"u": one["u"] and one["u"].bytes} for one in numbered]
        given = pa.Table.from_pylist(plain).slice(0)

    report = import_rows(everything, "everything", given)

    assert (report.inserted, report.rejected_rows) == (len(rows), [])
    with everything.connection() as connection:
        names = ", ".join(["id", *VALUES]).replace("f4", "f4::float8 AS f4")
        stored = connection.execute(text(f"SELECT {names} FROM everything ORDER BY id")).mappings()
        for wanted, found in zip(numbered, stored, strict=True):
            for name, value in wanted.items():
                assert _same(value, found[name]), name
    assert counts(import_rows(everything, "everything", given)) == (0, 0, len(rows), 0)


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, float) and math.isnan(wanted):
        return math.isnan(found)
    if isinstance(wanted, str) and isinstance(found, int):
        return int(wanted) == found
    if isinstance(wanted, bytes):
        return wanted == bytes(found)
    return bool(wanted == found)


def test_types_without_an_encoding_of_their_own_are_judged_by_postgresql(everything):
    rows = [
        {"id": 1, "j": {"a": 1}, "jb": [1], "m": "ok", "s": "3", "a": "{1,2}"},
        {"id": 2, "j": None, "jb": '"\\u0000"', "m": "ok", "s": "3", "a": None},
        {"id": 3, "j": None, "jb": None, "m": "glad", "s": "3", "a": None},
        {"id": 4, "j": None, "jb": None, "m": None, "s": "12", "a": None},
    ]

    report = import_rows(everything, "everything", rows)

    assert counts(report) == (1, 0, 0, 3)
    assert [one.reason for one in report.rejected_rows] == [
        "jb: a value that jsonb does not take",
        "m: a value that mood does not take",
        "s: a value that small does not take",
    ]
    assert counts(import_rows(everything, "everything", rows[:1])) == (0, 0, 1, 0)


def test_sliced_arrow_columns_keep_their_places(everything):
    table = pa.table(
        {
            "id": pa.array(range(10), pa.int32()),
            "b": [True, False, None, True, True, False, None, None, True, False],
            "t": [None, *"abcdefgh", ""],
            "n2": pa.array([None, *map(Decimal, range(9))], pa.decimal128(12, 2)),
            "u": pa.array([None, *(uuid4().bytes for _ in range(9))], pa.binary(16)),
            "m": pa.array(["ok", "sad"] * 5).dictionary_encode(),
        }
    )

    import_rows(everything, "everything", table.slice(3, 5))

    with everything.connection() as connection:
        stored = connection.execute(text("SELECT id, b, t, n2, u, m FROM everything ORDER BY id"))
        assert [tuple(one) for one in stored] == [
            (r["id"], r["b"], r["t"], r["n2"], UUID(bytes=r["u"]), r["m"])
            for r in table.slice(3, 5).to_pylist()
        ]


def test_nan_stays_in_float_columns_and_is_null_elsewhere(everything):
    table = pa.table(
        {"id": [1, 2], "f8": [math.nan, 1.0], "i4": [math.nan, 2.0], "n2": [math.nan, 0.125]}
    )

    import_rows(everything, "everything", table)

    with everything.connection() as connection:
        one, two = connection.execute(text("SELECT f8, i4, n2 FROM everything ORDER BY id"))
    assert math.isnan(one.f8)
    assert (one.i4, one.n2) == (None, None)
    assert (two.f8, two.i4) == (1.0, 2)


def test_nan_is_null_in_a_json_column_too(either):
    rows = [row("a", facts={"x": 1}), row("b", facts=math.nan), row("c", facts=None)]

    import_rows(either, Campaign, rows)
    import_rows(
        either,
        Campaign,
        pa.table({"day": [DAY], "name": ["d"], "clicks": [1], "facts": [math.nan]}),
    )

    with either.connection() as connection:
        found = connection.scalars(text("SELECT facts IS NULL FROM campaign ORDER BY name"))
        assert [bool(missing) for missing in found] == [False, True, True, True]


def test_an_unchanged_file_leaves_no_dead_rows(postgresql):
    rows = [row(f"{n}", spend=n) for n in range(1000)]
    import_rows(postgresql, Campaign, rows)
    before = _tuple_ids(postgresql)

    report = import_rows(postgresql, Campaign, rows)

    assert counts(report) == (0, 0, 1000, 0)
    assert _tuple_ids(postgresql) == before


def _tuple_ids(database: Database) -> list[Any]:
    with database.connection() as connection:
        return list(connection.execute(text("SELECT ctid, xmin FROM campaign ORDER BY name")))


def test_rows_that_need_no_question_are_copied_into_the_table_itself(postgresql):
    with postgresql.session() as session:
        report = import_rows(
            session, Campaign, [row("a"), row("b", clicks="x")], on_conflict="error"
        )
        staged = session.scalar(
            text("SELECT count(*) FROM pg_class WHERE relname ~ '^buttress_import_[0-9a-f]{8}$'")
        )

    assert counts(report) == (1, 0, 0, 1)
    assert staged == 0


def test_policies_of_the_table_hold_for_imports(servers, postgresql):
    name = postgresql.url.sqlalchemy.database
    execute(postgresql, "CREATE TABLE secret (id integer, tenant integer)")
    execute(postgresql, "ALTER TABLE secret ENABLE ROW LEVEL SECURITY")
    execute(postgresql, "CREATE POLICY own ON secret USING (tenant = 1)")
    execute(postgresql, f"GRANT CONNECT ON DATABASE {name} TO buttress_app")
    app = Database(servers.postgres_url("app", name))

    assert import_rows(app, "secret", [{"id": 1, "tenant": 1}], on_conflict="error").inserted == 1
    with pytest.raises(Exception, match="row-level security"):
        import_rows(app, "secret", [{"id": 1, "tenant": 2}], on_conflict="error")
    app.close()


def test_imports_of_the_same_keys_at_once_neither_fail_nor_double(postgresql):
    barrier = threading.Barrier(4)
    reports: list[Any] = []
    failures: list[Exception] = []

    def run(seed: int) -> None:
        names = [f"{n}" for n in range(3000)]
        if seed % 2:
            names.reverse()
        try:
            barrier.wait()
            for turn in range(3):
                rows = [row(name, clicks=seed * 10 + turn) for name in names]
                reports.append(import_rows(postgresql, Campaign, rows))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert sum(report.inserted for report in reports) == 3000
    assert all(report.inserted + report.updated + report.unchanged == 3000 for report in reports)
    assert len({clicks for _, clicks in campaigns(postgresql)}) == 1


def test_a_row_inserted_by_another_program_meanwhile_is_updated(postgresql, database_url):
    done = []
    with psycopg.connect(database_url) as other:
        other.execute("INSERT INTO campaign (day, name, clicks) VALUES (%s, 'a', 7)", (DAY,))
        thread = threading.Thread(
            target=lambda: done.append(import_rows(postgresql, Campaign, [row("a"), row("b")]))
        )
        thread.start()
        _wait_until_blocked(database_url)
        other.commit()
        thread.join()

    assert counts(done[0]) == (1, 1, 0, 0)
    assert campaigns(postgresql) == [("a", 1), ("b", 1)]


def _wait_until_blocked(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(1000):
            found = connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone()
            if found:
                return
            threading.Event().wait(0.01)
    raise AssertionError("the import did not wait")


def test_settings_of_the_session_are_as_before_afterwards(postgresql):
    with postgresql.session() as session:
        ask = text("SELECT current_setting('statement_timeout'), current_setting('work_mem')")
        before = session.execute(ask).one()
        import_rows(session, Campaign, [row()])
        assert session.execute(ask).one() == before


def test_the_app_role_may_import_when_the_owner_made_the_table_for_refused_rows(
    servers, postgresql, database_url
):
    from buttress.imports import install

    with postgresql.connection() as connection:
        connection.execute(
            text(
                "GRANT CONNECT, TEMPORARY ON DATABASE "
                + str(postgresql.url.sqlalchemy.database)
                + " TO buttress_app"
            )
        )
    app = Database(servers.postgres_url("app", postgresql.url.sqlalchemy.database))
    bad = [row("a"), row("b", clicks="x")]
    with pytest.raises(Conflict, match="no table to keep them in") as refused:
        import_rows(app, "campaign", bad)
    assert "buttress migrate" in refused.value.hint

    with postgresql.connection() as connection:
        install(connection)
    report = import_rows(app, "campaign", bad)
    app.close()

    assert counts(report) == (1, 0, 0, 1)


def test_memory_does_not_grow_with_the_rows(postgresql, tmp_path: Path):
    import tracemalloc

    def rows(count: int) -> Iterator[dict[str, Any]]:
        return (row(f"{n:07}") for n in range(count))

    peaks = []
    for count in (20_000, 60_000):
        tracemalloc.start()
        import_rows(postgresql, Campaign, rows(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5
