"""Schedules begin jobs at their times, once for all hosts."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from sqlalchemy import text

from buttress.app import App
from buttress.db.database import Database
from buttress.errors import ConfigurationError
from buttress.jobs import Job, Jobs
from buttress.jobs.schedules import is_second_time
from buttress.jobs.worker import Worker
from integration import jobs_world

app = App("clock", title="Clock")
ticks: list[float] = []


@app.job(schedule="* * * * * *", time_zone="Europe/Berlin")
def tick() -> None:
    ticks.append(time.time())


@pytest.fixture
def database(jobs_url: str) -> Iterator[Database]:
    ticks.clear()
    with closing(Database(jobs_url)) as database:
        yield database


@pytest.mark.slow
def test_a_schedule_fires_each_time_and_ends_with_its_declaration(database: Database) -> None:
    with Jobs(database, lambda: app.jobs) as jobs:
        for _ in range(2):  # the second worker finds the schedule as declared
            with Worker(jobs):
                time.sleep(5)
        fired = len(ticks)
        assert 4 <= fired <= 11
        assert {job.name for job in jobs.find()} == {"clock.tick"}

    unscheduled = [Job("clock.tick", tick.function)]
    with Jobs(database, lambda: unscheduled) as jobs, Worker(jobs):
        begun = len(jobs.find())  # what the worker before had not come to is still done
        time.sleep(3)
        assert len(jobs.find()) == begun


def test_a_schedule_that_cannot_be_read_is_refused_with_its_cure(database: Database) -> None:
    odd = [Job("clock.odd", tick.function, schedule="every day")]
    with (
        Jobs(database, lambda: odd) as jobs,
        pytest.raises(ConfigurationError, match="'every day' is no schedule"),
        Worker(jobs),
    ):
        pass


@pytest.mark.parametrize(
    ("schedule", "offset_hours", "second"),
    [("30 2 * * *", 2, False), ("30 2 * * *", 1, True), ("30 * * * *", 1, False)],
)
def test_where_the_clock_is_set_back_a_fixed_hour_comes_once(
    schedule: str, offset_hours: int, second: bool
) -> None:
    zone = dt.timezone(dt.timedelta(hours=offset_hours))
    at = dt.datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    job = Job("clock.night", tick.function, schedule=schedule, time_zone="Europe/Berlin")

    assert is_second_time(job, at) is second


def test_a_time_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no time zone 'Mars'"):
        Job("clock.odd", tick.function, time_zone="Mars")


@pytest.mark.slow
@pytest.mark.parametrize("catch_up", [True, False])
def test_times_missed_without_a_worker_are_made_up_for_if_so_declared(
    database: Database, catch_up: bool
) -> None:
    declared = [Job("clock.tick", tick.function, schedule="* * * * * *", catch_up=catch_up)]
    with Jobs(database, lambda: declared) as jobs:
        with Worker(jobs):
            time.sleep(4)
        time.sleep(3)
        with Worker(jobs):
            time.sleep(4)
        times = sorted(
            dt.datetime.fromisoformat(job.id.removeprefix("sched-clock.tick-"))
            for job in jobs.find()
        )

    assert len(times) == len(set(times)) > 3
    longest = max((later - earlier).total_seconds() for earlier, later in pairwise(times))
    # No worker ran for three seconds; where one runs, a busy machine may be late for one.
    assert (longest < 3) is catch_up


@pytest.mark.slow
def test_three_hosts_that_are_killed_in_turn_begin_each_time_once_and_leave_none_out(
    backend_url: str,
) -> None:
    jobs_world.prepare(backend_url)
    hosts = [jobs_world.start_worker(backend_url, "clock") for _ in range(3)]
    try:
        for turn in range(3):
            time.sleep(2)
            jobs_world.end(hosts[turn % 3])
            hosts[turn % 3] = jobs_world.start_worker(backend_url, "clock")
        with closing(Database(backend_url)) as database, Jobs(database, list) as jobs:
            give_up = time.monotonic() + 20
            while jobs.find(state="running", limit=1):
                assert time.monotonic() < give_up
                time.sleep(0.2)
            for host in hosts:
                jobs_world.end(host)
            done = {job.id for job in jobs.find(state="done", limit=1000)}
            with database.connection(read_only=True) as connection:
                struck = list(connection.scalars(text("SELECT run FROM struck")))
    finally:
        for host in hosts:
            if host.poll() is None:
                jobs_world.end(host)

    assert len(struck) == len(set(struck)) > 5
    assert done <= set(struck)
    assert gaps(struck) == {1.0}


def test_where_the_clock_is_set_forward_over_a_time_it_comes_right_after() -> None:
    zone = ZoneInfo("Europe/Berlin")
    times = croniter("30 2 * * *", dt.datetime(2026, 3, 28, 12, tzinfo=zone))

    after, next_day = times.get_next(dt.datetime), times.get_next(dt.datetime)
    assert after.isoformat() == "2026-03-29T03:00:00+02:00"
    assert next_day.isoformat() == "2026-03-30T02:30:00+02:00"


def gaps(job_ids: Iterable[str]) -> set[float]:
    """Seconds between the times these jobs were scheduled for."""
    times = sorted(dt.datetime.fromisoformat(job.split("-", 2)[2]) for job in job_ids)
    return {(later - earlier).total_seconds() for earlier, later in pairwise(times)}
