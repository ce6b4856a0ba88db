"""What goes wrong around jobs is told with its cure, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from buttress.app import App
from buttress.db.database import Database
from buttress.errors import BadInput, Unavailable
from buttress.jobs import Jobs, values
from buttress.jobs.clock import DatabaseClock
from buttress.jobs.tables import install
from buttress.jobs.worker import Worker
from buttress.settings import PoolSettings, TimeoutSettings
from own_server import own_server

app = App("odd", title="Odd")
times: list[float] = []
LARGE = values.MOST_CHARACTERS


@app.step
def now() -> float:
    times.append(time.monotonic())
    return times[-1]


@app.step(transaction=True)
def keep_and_return(session: Session, characters: int) -> str:
    session.execute(text("INSERT INTO kept (what) VALUES ('something')"))
    return "x" * characters


@app.job(timeout_seconds=20)
def nap(seconds: float) -> str:
    now()
    time.sleep(seconds)
    now()
    return "rested"


@app.job
def large_result(characters: int) -> str:
    return "x" * characters


@app.job
def large_step(characters: int) -> int:
    return len(keep_and_return(characters))


@pytest.fixture
def database(jobs_url: str) -> Iterator[Database]:
    times.clear()
    with closing(Database(jobs_url)) as database:
        with database.connection() as connection:
            connection.execute(text("CREATE TABLE kept (what text)"))
        yield database


@pytest.fixture
def jobs(database: Database) -> Iterator[Jobs]:
    with Jobs(database, lambda: app.jobs) as jobs:
        yield jobs


def test_what_is_too_large_is_refused_and_undone(
    jobs: Jobs, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BadInput, match="characters, and at most") as raised:
        jobs.enqueue(large_result, "x" * LARGE)
    assert "pass or return its key" in str(raised.value.hint)
    assert jobs.find() == []

    with Worker(jobs):
        tickets = [jobs.enqueue(job, LARGE) for job in (large_result, large_step)]
        for ticket in tickets:
            with pytest.raises(BadInput, match="characters, and at most"):
                ticket.result(timeout_seconds=20)
        assert len(jobs.enqueue(large_result, 2_000_000).result(timeout_seconds=20)) == 2_000_000
    assert "large value stored with a job" in caplog.text
    with database.connection(read_only=True) as connection:
        assert connection.scalar(text("SELECT count(*) FROM kept")) == 0


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_a_clock_that_jumps_ends_no_job_early_and_no_delay(
    jobs: Jobs,
    seconds: float,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    true = time.time
    with Worker(jobs):
        resting = jobs.enqueue(nap, 2.5)
        delayed = jobs.enqueue(nap, 0.0, delay_seconds=60)
        give_up = time.monotonic() + 10
        while not times:
            assert time.monotonic() < give_up
            time.sleep(0.01)
        monkeypatch.setattr(time, "time", lambda: true() + seconds)
        soon = jobs.enqueue(nap, 0.0, delay_seconds=0.5)

        assert resting.result(timeout_seconds=30) == "rested"
        assert soon.result(timeout_seconds=30) == "rested"
        assert delayed.status().state == "delayed"
        (first, second) = jobs.steps(resting.id)
        assert first.seconds is not None
        assert first.seconds < 1
        assert second.ended_at is not None
        assert abs(second.ended_at.timestamp() - true()) < 20
    assert "clock of this host is wrong" in caplog.text


def test_the_databases_clock_goes_on_between_two_looks_at_it() -> None:
    clock = DatabaseClock()
    clock.set(1_000_000.0)
    time.sleep(0.02)

    assert 1_000_000.0 < clock.time() < 1_000_001.0


@pytest.mark.slow
def test_without_a_database_enqueueing_fails_soon_and_works_again_later() -> None:
    with (
        own_server() as server,
        closing(
            Database(
                server.url,
                pool=PoolSettings(size=2),
                timeouts=TimeoutSettings(connect_seconds=1),
            )
        ) as database,
        Jobs(database, lambda: app.jobs) as jobs,
    ):
        install(database)
        kept = jobs.enqueue(nap, 0.0)
        server.stop("kill")
        for _ in range(2):  # the first time connections are there and dead, then there are none
            begun = time.monotonic()
            with pytest.raises(Unavailable) as raised:
                jobs.enqueue(nap, 0.0)
            assert time.monotonic() - begun < 10
            assert raised.value.hint
        server.start()

        assert jobs.enqueue(nap, 0.0).status().state == "waiting"
        with Worker(jobs):
            assert kept.result(timeout_seconds=20) == "rested"
        assert len(jobs.find()) == 2
