"""Jobs wait and go on when told, and know which job made them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from buttress.app import App
from buttress.db.database import Database
from buttress.errors import BadInput, Conflict, NotFound, Unavailable
from buttress.jobs import Job, JobFailed, Jobs
from buttress.jobs.worker import Worker

app = App("farm", title="Farm")
told: list[str] = []
gate = threading.Event()
failing = threading.Event()
jobs_here: list[Jobs] = []


@app.step
def tell(what: str) -> str:
    told.append(what)
    return what


@app.step(transaction=True)
def plant(session: Session, what: str) -> int:
    session.execute(text("INSERT INTO planted (what) VALUES (:what)"), {"what": what})
    return int(session.scalar(text("SELECT count(*) FROM planted")) or 0)


@app.job(timeout_seconds=30)
def walk() -> str:
    tell("before")
    gate.wait(20)
    tell("after")
    return "through"


@app.job
def sow(what: str) -> str:
    gate.wait(20)
    return tell(what)


@app.job
def tend(fields: int) -> list[str]:
    made = [jobs_here[0].enqueue(sow, f"field {n}") for n in range(fields)]
    made_in_step()
    tell("made")
    if failing.is_set():
        raise ValueError("rain")
    return [ticket.id for ticket in made]


@app.step(retries=1, backoff_seconds=0.01)
def made_in_step() -> str:
    child = jobs_here[0].enqueue(sow, "in a step")
    told.append("tried")
    if told.count("tried") == 1:
        raise ValueError("again")
    return child.id


@app.job
def ask() -> str:
    return str(jobs_here[0].start(sow, "answer").result(timeout_seconds=30))


@app.job
def handled() -> None:
    try:
        always_fails()
    except JobFailed:
        plant("after")
    if failing.is_set():
        raise ValueError("rain")


@app.step
def always_fails() -> None:
    raise JobFailed("as always")


@app.job
def transactions() -> int:
    plant("one")
    return uprooted()


@app.step(transaction=True)
def uprooted(session: Session) -> int:
    session.execute(text("INSERT INTO planted (what) VALUES ('two')"))
    if failing.is_set():
        raise ValueError("rain")
    return int(session.scalar(text("SELECT count(*) FROM planted")) or 0)


@pytest.fixture
def database(jobs_url: str) -> Iterator[Database]:
    told.clear()
    gate.clear()
    failing.clear()
    database = Database(jobs_url)
    with database.connection() as connection:
        connection.execute(text("CREATE TABLE planted (what text)"))
    yield database
    database.close()


@pytest.fixture
def jobs(database: Database) -> Iterator[Jobs]:
    with Jobs(database, lambda: app.jobs) as jobs:
        jobs_here[:] = [jobs]
        yield jobs
    gate.set()


@pytest.fixture
def working(jobs: Jobs) -> Iterator[Jobs]:
    with Worker(jobs):
        yield jobs
        gate.set()


def wait_until(true: Callable[[], object], seconds: float = 10) -> None:
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def planted(database: Database) -> int:
    with database.connection(read_only=True) as connection:
        return int(connection.scalar(text("SELECT count(*) FROM planted")) or 0)


def test_a_waiting_job_that_is_paused_does_not_begin_and_keeps_its_key(working: Jobs) -> None:
    ticket = working.enqueue(sow, "rye", key="rye", delay_seconds=0.8)
    working.pause(ticket.id)
    gate.set()
    time.sleep(1.5)

    assert (ticket.status().state, told) == ("paused", [])
    assert [job.id for job in working.find(state="paused")] == [ticket.id]
    assert working.find(state="cancelled") == []
    assert working.enqueue(sow, "rye", key="rye").id == ticket.id
    with pytest.raises(Unavailable, match="is paused after"):
        ticket.result(timeout_seconds=0)

    working.resume(ticket.id)
    assert ticket.result(timeout_seconds=30) == "rye"


def test_a_running_job_that_is_paused_begins_no_further_step_and_goes_on_where_it_was(
    working: Jobs,
) -> None:
    ticket = working.enqueue(walk)
    wait_until(lambda: working.steps(ticket.id))
    working.pause(ticket.id)
    gate.set()
    time.sleep(0.5)
    assert (ticket.status().state, told) == ("paused", ["before"])

    working.resume(ticket.id)
    assert ticket.result(timeout_seconds=30) == "through"
    assert told == ["before", "after"]
    with pytest.raises(Conflict, match="is done"):
        working.pause(ticket.id)
    with pytest.raises(Conflict, match="is done"):
        working.resume(ticket.id)


def test_a_job_resumed_while_its_former_run_still_goes_on_does_each_step_once(
    working: Jobs,
) -> None:
    ticket = working.enqueue(walk)
    wait_until(lambda: working.steps(ticket.id))
    working.pause(ticket.id)
    working.resume(ticket.id)
    wait_until(lambda: ticket.status().state == "running")
    gate.set()

    assert ticket.result(timeout_seconds=30) == "through"
    time.sleep(0.3)
    assert told == ["before", "after"]


def test_of_many_who_pause_and_resume_at_once_one_succeeds_each_time(jobs: Jobs) -> None:
    ticket = jobs.enqueue(sow, "rye")

    def tried(action: Callable[[str], None]) -> bool:
        try:
            action(ticket.id)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        for action in (jobs.pause, jobs.resume, jobs.pause):
            assert sum(pool.map(tried, [action] * 6)) == 1
    assert ticket.status().state == "paused"


def test_a_paused_job_can_be_cancelled_and_gives_its_key_back(working: Jobs) -> None:
    ticket = working.enqueue(sow, "rye", key="rye", delay_seconds=60)
    working.pause(ticket.id)
    with pytest.raises(Conflict, match="is paused") as raised:
        working.retry(ticket.id)
    assert "jobs resume" in str(raised.value.hint)
    working.cancel(ticket.id)

    assert ticket.status().state == "cancelled"
    assert working.enqueue(sow, "rye", key="rye", delay_seconds=60).id != ticket.id
    with pytest.raises(NotFound):
        working.pause("nobody")


def test_a_started_job_can_be_paused_too(working: Jobs) -> None:
    ticket = working.start(walk)
    wait_until(lambda: working.steps(ticket.id))
    working.pause(ticket.id)
    gate.set()
    time.sleep(0.3)
    working.resume(ticket.id)

    assert working.result(ticket.id, timeout_seconds=30) == "through"
    assert told == ["before", "after"]


def test_a_job_is_the_parent_of_those_it_makes_once_however_often_it_is_begun(
    working: Jobs,
) -> None:
    failing.set()
    gate.set()
    ticket = working.enqueue(tend, 2)
    with pytest.raises(ValueError, match="rain"):
        ticket.result(timeout_seconds=30)
    failing.clear()
    working.retry(ticket.id)
    ticket.result(timeout_seconds=30)

    made = working.children(ticket.id)
    assert len(made) == 3
    assert {job.parent for job in made} == {ticket.id}
    assert ticket.status().parent is None
    wait_until(lambda: {job.state for job in working.children(ticket.id)} == {"done"})
    assert sorted(told) == ["field 0", "field 1", "in a step", "made", "tried", "tried"]


def test_a_job_may_start_another_and_wait_for_it_even_where_one_at_a_time_is_done(
    jobs: Jobs,
) -> None:
    gate.set()
    with Worker(jobs, concurrency=1):
        ticket = jobs.enqueue(ask)
        assert ticket.result(timeout_seconds=15) == "answer"

    (child,) = jobs.children(ticket.id)
    assert (child.name, child.parent) == ("farm.sow", ticket.id)


def test_cancelling_with_children_stops_those_that_have_not_ended(working: Jobs) -> None:
    ticket = working.enqueue(tend, 2)
    ticket.result(timeout_seconds=30)
    with pytest.raises(Conflict, match="is done"):
        working.cancel(ticket.id)

    assert len(working.cancel(ticket.id, children=True)) == 3
    gate.set()
    time.sleep(0.3)
    assert {job.state for job in working.children(ticket.id)} == {"cancelled"}
    assert sorted(told) == ["made", "tried", "tried"]


def test_a_step_whose_error_was_handled_is_not_where_a_retry_begins(
    working: Jobs, database: Database
) -> None:
    failing.set()
    ticket = working.enqueue(handled)
    with pytest.raises(ValueError, match="rain"):
        ticket.result(timeout_seconds=30)
    failing.clear()
    working.retry(ticket.id)
    ticket.result(timeout_seconds=30)

    assert planted(database) == 1


def test_a_transaction_that_failed_is_done_again_by_a_retry(
    working: Jobs, database: Database
) -> None:
    failing.set()
    ticket = working.enqueue(transactions)
    with pytest.raises(ValueError, match="rain"):
        ticket.result(timeout_seconds=30)
    assert planted(database) == 1
    failing.clear()
    working.retry(ticket.id)

    assert ticket.result(timeout_seconds=30) == 2
    assert [step.error for step in working.steps(ticket.id)] == [None, None]


def test_steps_arguments_and_progress_can_be_read(working: Jobs) -> None:
    gate.set()
    ticket = working.enqueue(handled)
    ticket.result(timeout_seconds=30)
    first, second = working.steps(ticket.id)

    assert (first.number, first.name) == (1, "farm.always_fails")
    assert first.error == "JobFailed: as always"
    assert second.seconds is not None
    assert 0 <= second.seconds < 5
    assert working.arguments(working.enqueue(sow, "rye").id) == (["rye"], {})


def changed(name: str, *steps: Callable[[], object]) -> Job[[], str]:
    """A job of that name that does these steps, as a deploy makes it."""

    def body() -> str:
        for step in steps:
            step()
        if failing.is_set():
            raise ValueError("rain")
        return "new"

    return Job(name, body)


def one() -> object:
    return plant("one")


def two() -> object:
    return plant("two")


def half_done(database: Database, *steps: Callable[[], object]) -> str:
    """A job that failed after these steps, with the code of then."""
    failing.set()
    old = changed("farm.changing", *steps)
    with Jobs(database, lambda: [old]) as jobs, Worker(jobs):
        ticket = jobs.enqueue(old)
        with pytest.raises(ValueError, match="rain"):
            ticket.result(timeout_seconds=30)
    failing.clear()
    return ticket.id


def test_code_that_does_more_in_the_end_goes_on_with_a_half_done_job(database: Database) -> None:
    job_id = half_done(database, one)
    new = changed("farm.changing", one, two)
    with Jobs(database, lambda: [new]) as jobs, Worker(jobs):
        jobs.retry(job_id)
        assert jobs.result(job_id, timeout_seconds=30) == "new"

    assert planted(database) == 2


def test_code_with_a_step_put_in_before_is_refused_with_its_cure(database: Database) -> None:
    job_id = half_done(database, one, two)
    new = changed("farm.changing", one, lambda: tell("new"), two)
    with Jobs(database, lambda: [new]) as jobs, Worker(jobs):
        jobs.retry(job_id)
        with pytest.raises(Conflict, match=r"step 2 .* was farm\.plant .* is farm\.tell") as raised:
            jobs.result(job_id, timeout_seconds=30)
        assert "--from-step 2" in str(raised.value.hint)
        assert (planted(database), told) == (2, [])

        with pytest.raises(BadInput, match="no step 9"):
            jobs.retry(job_id, from_step=9)
        jobs.retry(job_id, from_step=2)
        assert jobs.result(job_id, timeout_seconds=30) == "new"

    assert (planted(database), told) == (3, ["new"])
