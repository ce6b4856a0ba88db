"""Queues keep to their limits, and stand still while they are paused."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from buttress.app import App
from buttress.db.database import Database
from buttress.errors import BadInput, ConfigurationError, Conflict, NotFound
from buttress.jobs import Job, Jobs, Queue
from buttress.jobs.queues import declared_queues
from buttress.jobs.worker import Worker

app = App("post", title="Post")
mail = app.queue("mail", concurrency=2)
slowly = app.queue("slowly", rate=(2, 1.5))
app.queue("spare")
state = threading.Lock()
running = most = 0
begun: list[float] = []
order: list[int] = []


@app.job(queue=mail)
def send(seconds: float) -> None:
    global running, most
    with state:
        running += 1
        most = max(most, running)
    time.sleep(seconds)
    with state:
        running -= 1


@app.job(queue="slowly")
def call() -> None:
    begun.append(time.time())


@app.job
def note(number: int) -> int:
    order.append(number)
    return number


@pytest.fixture
def jobs(jobs_url: str) -> Iterator[Jobs]:
    global most
    begun.clear()
    order.clear()
    most = 0
    with (
        closing(Database(jobs_url)) as database,
        Jobs(database, lambda: app.jobs, lambda: app.queues) as jobs,
    ):
        yield jobs


def test_a_queue_does_no_more_at_a_time_than_it_says(jobs: Jobs) -> None:
    tickets = [jobs.enqueue(send, 0.1) for _ in range(6)]
    with Worker(jobs):
        for ticket in tickets:
            ticket.result(timeout_seconds=15)

    assert most == 2


def test_a_worker_does_no_more_at_a_time_than_its_own_concurrency(jobs: Jobs) -> None:
    tickets = [jobs.enqueue(send, 0.05) for _ in range(3)]
    with Worker(jobs, concurrency=1):
        for ticket in tickets:
            ticket.result(timeout_seconds=15)

    assert most == 1


def test_a_rate_lets_so_many_begin_in_its_time(jobs: Jobs) -> None:
    tickets = [jobs.enqueue(call) for _ in range(4)]
    with Worker(jobs):
        for ticket in tickets:
            ticket.result(timeout_seconds=15)

    first, second = begun[1], begun[2]
    assert second - first > 0.7


def test_those_of_higher_priority_come_first(jobs: Jobs) -> None:
    tickets = [jobs.enqueue(note, n, priority=p) for n, p in ((1, 300), (2, 100), (3, 1))]
    with Worker(jobs, concurrency=1):
        for ticket in tickets:
            ticket.result(timeout_seconds=15)

    assert order == [3, 2, 1]


def test_from_a_paused_queue_nothing_is_taken_until_it_is_resumed(jobs: Jobs) -> None:
    jobs.pause_queue("mail")
    held = jobs.enqueue(send, 0.0)
    with Worker(jobs):  # a worker that starts later keeps to it too
        jobs.enqueue(note, 1).result(timeout_seconds=30)
        time.sleep(0.5)
        assert held.status().state == "waiting"
        (queue,) = [found for found in jobs.queues() if found.queue.name == "mail"]
        assert (queue.paused, queue.waiting, queue.running) == (True, 1, 0)

        jobs.resume_queue("mail")
        held.result(timeout_seconds=30)

    with pytest.raises(Conflict, match="not paused"):
        jobs.resume_queue("mail")
    with pytest.raises(NotFound, match="no queue 'male'"):
        jobs.pause_queue("male")


def test_a_job_can_be_put_into_any_declared_queue_and_no_other(jobs: Jobs) -> None:
    assert jobs.enqueue(note, 1, queue="spare").status().queue == "spare"
    with pytest.raises(BadInput, match="no worker would look into queue 'male'"):
        jobs.enqueue(note, 1, queue="male")


def test_two_declarations_that_differ_are_refused() -> None:
    jobs = [Job("a.one", note.function, queue=Queue("mail", concurrency=5))]

    with pytest.raises(ConfigurationError, match=r"queue mail is declared twice.*2 at a time"):
        declared_queues(jobs, [mail])
    assert declared_queues([Job("a.two", note.function, queue="mail")], [mail])["mail"] is mail


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"concurrency": 0}, "at least 1"),
        ({"concurrency": 1, "worker_concurrency": 2}, "more at a time than all together"),
        ({"rate": (0, 1.0)}, "a rate is"),
    ],
)
def test_limits_without_sense_are_refused(limits: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        Queue("mail", **limits)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="a name consists"):
        Job("a.one", note.function, queue="two words")
