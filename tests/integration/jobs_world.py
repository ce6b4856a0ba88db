"""An app with jobs, and workers of it as processes that can be killed and paused.

python -m integration.jobs_world DATABASE_URL
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
from buttress.errors import ButtressError
from buttress.jobs import Jobs
from buttress.jobs.tables import install
from buttress.jobs.worker import Worker

app = App("world", title="World", package=__name__)
TESTS = Path(__file__).parents[1]


@app.step(transaction=True)
def write(session: Session, job: int, step: int, seconds: float) -> None:
    session.execute(
        text("INSERT INTO effect (job, step, process) VALUES (:job, :step, :process)"),
        {"job": job, "step": step, "process": os.getpid()},
    )
    time.sleep(seconds)


@app.job
def three_steps(job: int, seconds: float = 0.05) -> int:
    for step in range(3):
        write(job, step, seconds)
    return job


@app.job
def poison() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def prepare(url: str) -> None:
    """The tables a worker needs."""
    database = Database(url)
    install(database)
    with database.connection() as connection:
        connection.execute(text("CREATE TABLE effect (job int, step int, process int)"))
    database.close()


def start_worker(url: str) -> subprocess.Popen[bytes]:
    """A worker in a process of its own, ready to take jobs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "integration.jobs_world", url],
        cwd=TESTS,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


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


def main() -> None:
    """Work until killed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    database = Database(sys.argv[1])
    try:
        with Jobs(database, lambda: app.jobs) as jobs, Worker(jobs):
            print("ready", flush=True)
            while True:
                time.sleep(60)
    except (KeyboardInterrupt, ButtressError) as error:
        print(type(error).__name__, file=sys.stderr)


if __name__ == "__main__":
    # Under its own name, so that `__main__` holds no second app.
    from integration import jobs_world

    jobs_world.main()
