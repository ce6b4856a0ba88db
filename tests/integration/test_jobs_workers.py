"""Workers die, freeze and lose their database; jobs are done once all the same."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from buttress.db.database import Database
from buttress.jobs import JobFailed, Jobs, Ticket
from buttress.jobs.lease import LEASE_SECONDS
from integration import jobs_world
from integration.jobs_world import end, start_worker, wait_until
from own_server import own_server

Process = subprocess.Popen[bytes]


@pytest.fixture
def url(backend_url: str) -> str:
    jobs_world.prepare(backend_url)
    return backend_url


@pytest.fixture
def start(url: str) -> Iterator[Callable[[], Process]]:
    started: list[Process] = []

    def start() -> Process:
        started.append(start_worker(url))
        return started[-1]

    yield start
    for process in started:
        end(process)


@pytest.fixture
def jobs(url: str) -> Iterator[Jobs]:
    database = Database(url)
    with Jobs(database, lambda: jobs_world.app.jobs) as jobs:
        yield jobs
    database.close()


def effects(jobs: Jobs) -> list[tuple[int, int]]:
    with jobs.database.connection(read_only=True) as connection:
        rows = connection.execute(text("SELECT job, step FROM effect ORDER BY job, step"))
        return [(row.job, row.step) for row in rows]


def enqueue(jobs: Jobs, count: int, seconds: float) -> list[Ticket]:
    return [jobs.enqueue(jobs_world.three_steps, n, seconds) for n in range(count)]


def assert_each_once(jobs: Jobs, tickets: list[Ticket]) -> None:
    for number, ticket in enumerate(tickets):
        assert ticket.result(timeout_seconds=40) == number
    assert effects(jobs) == [(n, step) for n in range(len(tickets)) for step in range(3)]


@pytest.mark.slow
def test_jobs_of_a_killed_worker_are_taken_over_and_each_effect_is_there_once(
    jobs: Jobs, start: Callable[[], Process]
) -> None:
    first = start()
    tickets = enqueue(jobs, 8, 0.2)
    wait_until(lambda: len(effects(jobs)) >= 3)
    start()
    end(first)

    took = wait_until(lambda: all(t.status().state == "done" for t in tickets))

    assert_each_once(jobs, tickets)
    assert took < 8


@pytest.mark.slow
def test_a_frozen_worker_that_comes_back_does_no_harm(
    jobs: Jobs, start: Callable[[], Process]
) -> None:
    zombie = start()
    tickets = enqueue(jobs, 8, 0.2)
    wait_until(lambda: effects(jobs))
    zombie.send_signal(signal.SIGSTOP)
    start()
    time.sleep(5)
    zombie.send_signal(signal.SIGCONT)

    assert_each_once(jobs, tickets)
    time.sleep(1)
    assert len(effects(jobs)) == 24


@pytest.mark.slow
def test_a_server_that_is_away_for_a_while_costs_no_job_though_its_worker_lives_on() -> None:
    with own_server() as server:
        jobs_world.prepare(server.url)
        database = Database(server.url)
        worker = start_worker(server.url)
        try:
            with Jobs(database, lambda: jobs_world.app.jobs) as jobs:
                tickets = enqueue(jobs, 12, 0.5)
                wait_until(lambda: len(effects(jobs)) >= 6)
                server.stop("kill")
                time.sleep(1.5)
                server.start()

                assert_each_once(jobs, tickets)
        finally:
            end(worker)
            database.close()


@pytest.mark.slow
def test_a_job_taken_in_an_answer_that_was_lost_is_done_and_a_running_one_is_not_disturbed(
    jobs: Jobs, start: Callable[[], Process]
) -> None:
    work, lease = jobs.tables.work, jobs.tables.lease
    jobs.pause_queue("default")
    lost = jobs.enqueue(jobs_world.three_steps, 0, 0.0)
    start()
    with jobs.database.connection() as connection:
        executor = connection.scalars(select(lease.c.executor)).one()
        connection.execute(
            update(work)
            .where(work.c.workflow_uuid == lost.id)
            .values(status="PENDING", executor_id=executor, owner_xid="lost", recovery_attempts=1)
        )
    jobs.resume_queue("default")
    long = jobs.enqueue(jobs_world.three_steps, 1, LEASE_SECONDS)

    assert_each_once(jobs, [lost, long])
    assert lost.status().attempts == 2
    assert long.status().attempts == 1


@pytest.mark.slow
def test_a_job_that_kills_its_workers_is_given_up(jobs: Jobs, start: Callable[[], Process]) -> None:
    ticket = jobs.enqueue(jobs_world.poison)
    for _ in range(7):
        process = start()
        wait_until(lambda p=process: p.poll() is not None or ticket.status().state == "given up")
        if ticket.status().state == "given up":
            break

    with pytest.raises(JobFailed, match="given up"):
        ticket.result(timeout_seconds=1)
    assert ticket.status().attempts <= 7


@pytest.mark.slow
def test_under_random_kills_of_everything_ours_are_done_once_and_plain_steps_are_not() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.torture_jobs", "--seconds", "12"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )

    *_, plain, ours = done.stdout.splitlines()
    assert re.fullmatch(r"jobs [1-9]\d* lost 0 duplicated 0", ours), done.stdout + done.stderr
    assert re.fullmatch(r"plain steps: jobs \d+ lost 0 duplicated [1-9]\d*", plain), done.stdout
    assert done.returncode == 0
