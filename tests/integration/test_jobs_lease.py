"""A worker is heard of, whatever else its process does with the database."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from buttress.db.database import Database
from buttress.jobs.clock import DatabaseClock
from buttress.jobs.lease import LEASE_SECONDS, POOL, TIMEOUTS, Lease
from buttress.jobs.tables import Tables, install
from buttress.settings import PoolSettings


@pytest.fixture
def database(backend_url: str) -> Iterator[Database]:
    maker = Database(backend_url)
    install(maker)
    maker.close()
    database = Database(backend_url, pool=PoolSettings(size=1, overflow=0, timeout_seconds=5))
    yield database
    database.close()


def seconds_since_beat(other: Database, tables: Tables) -> float:
    with other.connection(read_only=True) as connection:
        return connection.scalars(select(tables.now() - tables.lease.c.beat_at)).one()


def test_an_exhausted_pool_does_not_keep_a_worker_from_being_heard(
    database: Database, backend_url: str
) -> None:
    tables = Tables(database)
    lease = Lease(database, tables, "here", lambda _: None, lambda _: None, DatabaseClock())
    other = Database(backend_url)
    try:
        lease.start()
        with database.connection(read_only=True):
            time.sleep(1.5)
            assert seconds_since_beat(other, tables) < 1.0
    finally:
        lease.stop()
        other.close()


def test_a_heartbeat_gives_up_before_its_lease_runs_out() -> None:
    waits = TIMEOUTS.connect_seconds + TIMEOUTS.statement_seconds
    assert waits < LEASE_SECONDS
    assert POOL.timeout_seconds + TIMEOUTS.statement_seconds < LEASE_SECONDS
    assert TIMEOUTS.restart_seconds == 0
