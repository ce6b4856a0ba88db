"""Jobs under fire: are any lost, is anything done twice, when workers and PostgreSQL are killed?

    python -m benchmarks.torture_jobs --jobs 200 --seconds 120

Each job writes a row in each of three steps. Workers are killed at random and replaced; every
third time PostgreSQL is killed as well and started again. The last line counts; exit code 1 when
anything is lost or there twice.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path
from subprocess import Popen

from sqlalchemy import text

from buttress.db.database import Database
from buttress.errors import Unavailable
from buttress.jobs import Jobs, Ticket

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from integration import jobs_world
from own_server import OwnServer, own_server

WORKERS = 2
STEP_SECONDS = 1.0
SETTLE_SECONDS = 120.0


def torture(jobs_wanted: int, seconds: float, seed: int) -> tuple[int, int]:
    """How many effects were lost and how many duplicated."""
    dice = random.Random(seed)
    with own_server() as server:
        workers: list[Popen[bytes]] = []
        try:
            jobs_world.prepare(server.url)
            database = Database(server.url)
            with Jobs(database, lambda: jobs_world.app.jobs) as jobs:
                tickets = [
                    jobs.enqueue(jobs_world.three_steps, n, STEP_SECONDS)
                    for n in range(jobs_wanted)
                ]
                workers = [jobs_world.start_worker(server.url) for _ in range(WORKERS)]
                kill(server, workers, dice, time.monotonic() + seconds, database, jobs_wanted)
                settle(tickets)
                counts = count(database)
            database.close()
        finally:
            for worker in workers:
                jobs_world.end(worker)
    expected = {(n, step) for n in range(jobs_wanted) for step in range(3)}
    return len(expected - set(counts)), sum(times - 1 for times in counts.values())


def kill(
    server: OwnServer,
    workers: list[Popen[bytes]],
    dice: random.Random,
    until: float,
    database: Database,
    jobs_wanted: int,
) -> None:
    """Kill and replace, until the time is over or all effects are there."""
    rounds = 0
    while time.monotonic() < until and len(count(database)) < jobs_wanted * 3:
        time.sleep(dice.uniform(1.0, 4.0))
        rounds += 1
        victim = dice.randrange(len(workers))
        jobs_world.end(workers[victim])
        if rounds % 3 == 0:
            server.stop("kill")
            time.sleep(dice.uniform(0.0, 1.0))
            server.start()
        workers[victim] = jobs_world.start_worker(server.url)
    print(f"{rounds} workers killed, PostgreSQL {rounds // 3} times", flush=True)


def settle(tickets: list[Ticket]) -> None:
    """Wait until all are done, or the time is over: what is missing then counts as lost."""
    give_up = time.monotonic() + SETTLE_SECONDS
    for ticket in tickets:
        try:
            ticket.result(timeout_seconds=max(0.0, give_up - time.monotonic()))
        except Unavailable as error:
            print(error.message, flush=True)


def count(database: Database) -> Counter[tuple[int, int]]:
    """How often each effect is there."""
    with database.connection(read_only=True) as connection:
        rows = connection.execute(text("SELECT job, step FROM effect")).all()
    return Counter((row.job, row.step) for row in rows)


def main() -> None:
    """Print the counts; exit code 1 when one is not 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    lost, duplicated = torture(given.jobs, given.seconds, given.seed)
    print(f"jobs {given.jobs} lost {lost} duplicated {duplicated}")
    sys.exit(1 if lost or duplicated else 0)


if __name__ == "__main__":
    main()
