"""Jobs do what they say once, and tell what went wrong."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from types import SimpleNamespace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from buttress.app import App
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.errors import BadInput, ButtressError, ConfigurationError, Conflict, NotFound
from buttress.jobs import Job, JobFailed, Jobs, values
from buttress.jobs.tables import install
from buttress.jobs.worker import Worker

app = App("shop", title="Shop")
told: list[str] = []
gate = threading.Event()


@app.step(transaction=True)
def book(session: Session, what: str) -> int:
    session.execute(text("INSERT INTO booked (what) VALUES (:what)"), {"what": what})
    return int(session.scalar(text("SELECT count(*) FROM booked")) or 0)


@app.step
def tell(what: str) -> str:
    told.append(what)
    return what.upper()


@app.step(retries=2, backoff_seconds=0.01)
def flaky(succeeds_at: int) -> int:
    told.append("flaky")
    if told.count("flaky") < succeeds_at:
        raise ValueError("not yet")
    return told.count("flaky")


@app.job
def order(what: str, *, loud: bool = False) -> list[object]:
    Job.progress(1, 2, "booking")
    number = book(what)
    Job.progress(2, 2, "telling")
    return [number, tell(what) if loud else what]


@app.job
def insist(succeeds_at: int) -> int:
    return flaky(succeeds_at)


@app.job
def wait_at_gate() -> str:
    tell("before")
    gate.wait(20)
    tell("after")
    return "through"


@app.job
def mend(broken: bool = True) -> int:
    number = book("mend")
    tell("mend")
    if told.count("mended") == 0:
        raise Conflict("still broken", hint="Mend it.")
    return number


@app.job(timeout_seconds=0.5)
def slow() -> None:
    for _ in range(100):
        time.sleep(0.05)
        tell("slow")


@app.job
def returns_an_object() -> object:
    return object()


@pytest.fixture
def database(jobs_url: str) -> Iterator[Database]:
    told.clear()
    gate.clear()
    database = Database(jobs_url)
    with database.connection() as connection:
        connection.execute(text("CREATE TABLE booked (what text)"))
    yield database
    database.close()


@pytest.fixture
def jobs(database: Database) -> Iterator[Jobs]:
    with Jobs(database, lambda: app.jobs) as jobs:
        yield jobs


@pytest.fixture
def working(jobs: Jobs) -> Iterator[Jobs]:
    with Worker(jobs):
        yield jobs


def booked(database: Database) -> int:
    with database.connection(read_only=True) as connection:
        return int(connection.scalar(text("SELECT count(*) FROM booked")) or 0)


def wait_until(true: object, seconds: float = 10) -> None:
    give_up = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_an_enqueued_job_is_done_and_its_result_progress_and_name_are_told(working: Jobs) -> None:
    ticket = working.enqueue(order, "tea", loud=True)

    assert ticket.result(timeout_seconds=30) == [1, "TEA"]
    status = ticket.status()
    assert (status.name, status.state, status.queue) == ("shop.order", "done", "default")
    assert status.progress is not None
    assert (status.progress.done, status.progress.note) == (2, "telling")
    assert [found.id for found in working.find(state="done")] == [ticket.id]


def test_a_started_job_is_done_in_this_process(working: Jobs) -> None:
    ticket = working.start(order, "tea")

    assert ticket.future is not None
    assert ticket.result(timeout_seconds=30) == [1, "tea"]
    assert ticket.status().name == "shop.order"


def test_a_job_waits_for_a_worker(jobs: Jobs, database: Database) -> None:
    ticket = jobs.start(order, "tea")
    assert ticket.status().state == "waiting"

    with Worker(jobs):
        assert ticket.result(timeout_seconds=30) == [1, "tea"]
    assert booked(database) == 1


def test_what_is_enqueued_in_a_transaction_exists_if_it_commits(
    working: Jobs, database: Database
) -> None:
    with database.session() as session:
        lost = working.enqueue(order, "never", session=session)
        session.rollback()
    with database.session() as session:
        kept = working.enqueue(order, "kept", key="one", session=session)
    with database.session() as session:
        again = working.enqueue(order, "kept", key="two", delay_seconds=60, session=session)
        same = working.enqueue(order, "kept", key="two", session=session)

    assert kept.result(timeout_seconds=30) == [1, "kept"]
    assert same.id == again.id
    with pytest.raises(NotFound, match=lost.id):
        lost.status()


def test_a_key_admits_one_job_while_it_waits_or_runs(working: Jobs, database: Database) -> None:
    first = working.enqueue(wait_at_gate, key="once")
    second = working.enqueue(wait_at_gate, key="once")
    gate.set()
    assert (second.id, first.result(timeout_seconds=30)) == (first.id, "through")

    assert working.enqueue(wait_at_gate, key="once").id != first.id


def test_of_two_transactions_with_one_key_the_later_is_told_to_begin_again(
    jobs: Jobs, database: Database
) -> None:
    def enqueue() -> str:
        with database.session() as session:
            return jobs.enqueue(order, "tea", key="once", session=session).id

    with ThreadPoolExecutor(1) as other:
        with database.session() as session:
            first = jobs.enqueue(order, "tea", key="once", session=session).id
            second = other.submit(enqueue)
            time.sleep(0.3)
        if database.backend.name == "sqlite":  # one writes at a time there
            assert second.result(10) == first
        else:
            with pytest.raises(Conflict, match="another job of key 'once'") as raised:
                second.result(10)
            assert raised.value.hint
    assert enqueue() == first


def test_a_step_is_retried_until_it_returns(working: Jobs) -> None:
    assert working.enqueue(insist, 3).result(timeout_seconds=30) == 3


def test_a_step_that_never_returns_fails_its_job_and_tells_its_last_error(working: Jobs) -> None:
    with pytest.raises(JobFailed, match=r"shop.flaky failed 3 times, at last with ValueError"):
        working.enqueue(insist, 9).result(timeout_seconds=30)


def test_a_retried_job_does_not_repeat_what_was_done(working: Jobs, database: Database) -> None:
    ticket = working.enqueue(mend)
    with pytest.raises(Conflict, match="still broken") as raised:
        ticket.result(timeout_seconds=30)
    assert raised.value.hint == "Mend it."
    assert ticket.status().error == "Conflict: still broken"

    told.append("mended")
    working.retry(ticket.id)

    assert ticket.result(timeout_seconds=30) == 1
    assert (booked(database), told.count("mend")) == (1, 1)
    with pytest.raises(Conflict, match="is done"):
        working.retry(ticket.id)


def test_a_cancelled_job_does_no_further_step_and_can_be_resumed(working: Jobs) -> None:
    ticket = working.enqueue(wait_at_gate)
    wait_until(lambda: working.steps(ticket.id))
    working.cancel(ticket.id)
    gate.set()

    with pytest.raises(JobFailed, match="was cancelled"):
        ticket.result(timeout_seconds=30)
    time.sleep(0.3)
    assert told == ["before"]
    with pytest.raises(Conflict, match="is cancelled"):
        working.cancel(ticket.id)

    working.retry(ticket.id)
    assert ticket.result(timeout_seconds=30) == "through"
    assert told == ["before", "after"]


def test_a_job_that_takes_too_long_is_stopped(working: Jobs) -> None:
    ticket = working.enqueue(slow)

    with pytest.raises(JobFailed, match="was cancelled"):
        ticket.result(timeout_seconds=30)


def test_a_job_whose_code_is_gone_says_so_and_can_be_retried(working: Jobs) -> None:
    ticket = working.enqueue(Job("shop.vanished", order.function), "tea")

    with pytest.raises(NotFound, match=r"no installed app has a job 'shop\.vanished'") as raised:
        ticket.result(timeout_seconds=30)
    assert "buttress jobs retry" in str(raised.value.hint)


def test_what_cannot_be_stored_is_refused_before_anything_is_made(jobs: Jobs) -> None:
    with pytest.raises(BadInput, match=r"threading\.Lock|_thread\.lock"):
        jobs.enqueue(order, threading.Lock())
    with pytest.raises(BadInput, match="out of range"):
        jobs.enqueue(order, "tea", priority=0)

    assert jobs.find() == []


def test_a_result_that_cannot_be_stored_fails_the_job(working: Jobs) -> None:
    with pytest.raises(BadInput, match=r"builtins\.object"):
        working.enqueue(returns_an_object).result(timeout_seconds=30)


def test_without_tables_the_cure_is_named(backend_url: str) -> None:
    database = Database(backend_url)
    with Jobs(database, list) as jobs, pytest.raises(ConfigurationError) as raised:
        jobs.enqueue(order, "tea")
    database.close()

    assert raised.value.hint == "Run `buttress migrate`."


def test_pruning_deletes_what_ended_before_and_nothing_else(working: Jobs) -> None:
    done = working.enqueue(order, "tea")
    done.result(timeout_seconds=30)
    waiting = working.enqueue(order, "later", delay_seconds=60)

    assert working.prune(days=1) == 0
    assert working.prune(days=0) == 1
    assert [job.id for job in working.find()] == [waiting.id]


def test_pruning_goes_by_the_clock_of_the_database(
    working: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NextWeek(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> NextWeek:
            return cls.fromtimestamp(time.time() + 7 * 86_400, tz)

    working.enqueue(order, "tea").result(timeout_seconds=30)
    fast = SimpleNamespace(datetime=NextWeek, UTC=dt.UTC, timedelta=dt.timedelta)
    monkeypatch.setattr("buttress.jobs.control.dt", fast)

    assert working.prune(days=1) == 0


def test_tables_are_made_once(database: Database) -> None:
    assert not install(database)


def test_one_process_has_one_worker(working: Jobs) -> None:
    with pytest.raises(Conflict, match="a worker runs in this process"), Worker(working):
        pass


def test_outside_of_jobs_steps_are_functions() -> None:
    told.clear()
    assert tell("plain") == "PLAIN"


STORED = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.dates()
    | st.datetimes(timezones=st.just(dt.UTC))
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.just("$") | st.integers(), inner)
    ),
    max_leaves=20,
)


@given(STORED)
def test_values_come_back_as_they_went(value: object) -> None:
    assert values.decode(values.encode(value)) == value


def test_errors_come_back_as_their_own_type() -> None:
    back = values.decode(values.encode(Conflict("taken", hint="Wait.")))
    assert isinstance(back, Conflict)
    assert (back.message, back.hint) == ("taken", "Wait.")
    assert isinstance(values.decode(values.encode(ZeroDivisionError("no"))), ZeroDivisionError)
    strange = values.decode(values.encode(Strange("odd")))
    assert isinstance(strange, JobFailed)
    assert (strange.kind, strange.message) == ("Strange", "odd")
    assert values.decode(values.encode((Decimal("1.50"), UUID(int=1)))) == (
        Decimal("1.50"),
        UUID(int=1),
    )
    assert isinstance(strange, ButtressError)


class Strange(Exception):
    pass


def test_the_role_of_the_apps_does_all_this_in_tables_the_owner_made(
    servers: Servers, database_url: str
) -> None:
    owner = Database(database_url)
    install(owner)
    with owner.connection() as connection:
        connection.execute(text("CREATE TABLE booked (what text)"))
        name = str(connection.scalar(text("SELECT current_database()")))
    owner.close()
    database = Database(servers.postgres_url("app", name))
    with Jobs(database, lambda: app.jobs) as jobs, Worker(jobs):
        assert jobs.enqueue(order, "tea", key="k").result(timeout_seconds=30) == [1, "tea"]
    database.close()
