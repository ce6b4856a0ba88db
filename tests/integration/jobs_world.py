"""An app with jobs, and workers and users of it as processes that can be killed and paused.

python -m integration.jobs_world DATABASE_URL [ask JOBS_A_SECOND | clock]
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from buttress.app import App
from buttress.db.database import Database
from buttress.errors import ButtressError, Unavailable
from buttress.jobs import Jobs
from buttress.jobs.declaration import current_run
from buttress.jobs.tables import install
from buttress.jobs.worker import Worker

app = App("world", title="World", package=__name__)
plain_database: list[Database] = []
STEP_SECONDS = 1.0
TESTS = Path(__file__).parents[1]


@app.step(transaction=True)
def write(session: Session, job: int, step: int, seconds: float) -> None:
    session.execute(
        text("INSERT INTO effect (job, step, process) VALUES (:job, :step, :process)"),
        {"job": job, "step": step, "process": os.getpid()},
    )
    time.sleep(seconds)


@app.step
def write_plainly(job: int, step: int, seconds: float) -> None:
    with plain_database[0].connection() as connection:
        connection.execute(
            text("INSERT INTO plain_effect (job, step, process) VALUES (:job, :step, :process)"),
            {"job": job, "step": step, "process": os.getpid()},
        )
    time.sleep(seconds)


@app.job
def three_steps(job: int, seconds: float = 0.05) -> int:
    for step in range(3):
        write(job, step, seconds)
    return job


@app.job
def three_plain_steps(job: int, seconds: float = 0.05) -> int:
    """What three_steps does, as one would write it without transaction steps."""
    for step in range(3):
        write_plainly(job, step, seconds)
    return job


@app.job
def poison() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


clock = App("clock", title="Clock", package=__name__)


@clock.step(transaction=True)
def strike(session: Session, run: str) -> None:
    session.execute(text("INSERT INTO struck (run) VALUES (:run)"), {"run": run})


@clock.job(schedule="* * * * * *", time_zone="Europe/Berlin", catch_up=True)
def tick() -> None:
    run = current_run()
    assert run is not None
    strike(run.id)


def prepare(url: str) -> None:
    """The tables a worker needs."""
    database = Database(url)
    install(database)
    with database.connection() as connection:
        for table in ("effect", "plain_effect"):
            connection.execute(text(f"CREATE TABLE {table} (job int, step int, process int)"))
        connection.execute(text("CREATE TABLE struck (run text)"))
        connection.execute(text("CREATE TABLE asked (job int PRIMARY KEY)"))
    database.close()


def start_worker(url: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A worker in a process of its own, ready to take jobs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "integration.jobs_world", url, *arguments],
        cwd=TESTS,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def start_asking(url: str, a_second: float) -> subprocess.Popen[bytes]:
    """A process that asks for jobs, each in one transaction with a row of its own."""
    return start_worker(url, "ask", str(a_second))


def end(process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
    """End a worker and wait until it is gone."""
    process.send_signal(number)
    process.wait(20)
    if process.stdout:
        process.stdout.close()


def wait_until(true: Callable[[], object], seconds: float = 20) -> float:
    """How long it took; fails when it does not become true."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() < begun + seconds
        time.sleep(0.02)
    return time.monotonic() - begun


def ask(jobs: Jobs, a_second: float) -> None:
    """Ask for jobs until killed; whoever comes after goes on with the next number."""
    while True:
        try:
            with jobs.database.session() as session:
                number = int(session.scalar(text("SELECT coalesce(max(job), -1) + 1 FROM asked")))
                session.execute(text("INSERT INTO asked (job) VALUES (:job)"), {"job": number})
                for job in (three_steps, three_plain_steps):
                    jobs.enqueue(job, number, STEP_SECONDS, session=session)
        except Unavailable:
            time.sleep(0.1)
        time.sleep(1 / a_second)


def main() -> None:
    """Work, or ask for work, until killed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    database = Database(sys.argv[1])
    plain_database.append(database)
    try:
        own = clock if sys.argv[2:] == ["clock"] else app
        with Jobs(database, lambda: own.jobs) as jobs:
            if sys.argv[2:3] == ["ask"]:
                print("ready", flush=True)
                ask(jobs, float(sys.argv[3]))
            with Worker(jobs):
                print("ready", flush=True)
                while True:
                    time.sleep(60)
    except (KeyboardInterrupt, ButtressError) as error:
        print(type(error).__name__, file=sys.stderr)


if __name__ == "__main__":
    # Under its own name, so that `__main__` holds no second app.
    from integration import jobs_world

    jobs_world.main()
