"""Jobs under fire: are any lost, is anything done twice, when all there is gets killed at random?

    python -m benchmarks.torture_jobs --seconds 180

An app asks for jobs, each in one transaction with a row of its own that counts; a job writes a row
in each of three steps. The app, its workers and PostgreSQL are killed at random and replaced, and
workers are frozen until others have taken their jobs over. Afterwards the rows are counted.

Beside it runs a peer, asked for by the same app and done by the same workers: the same three
rows written by plain steps, as any engine without transactional ones does it.

The last line counts ours; exit code 1 when anything is lost or there twice. `--broken` counts the
peer there, to show that the torture can fail.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

from sqlalchemy import text

from buttress.db.database import Database
from buttress.jobs import Jobs

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from integration import jobs_world
from own_server import OwnServer, own_server

WORKERS = 2
ASKED_A_SECOND = 2.5
FREEZE_SECONDS = 5.0
"""Longer than a lease, so that others take the jobs over."""
SETTLE_SECONDS = 120.0
STEPS = 3


@dataclass
class Town:
    """All processes there are, and what happened to them."""

    server: OwnServer
    dice: random.Random
    workers: list[Popen[bytes]] = field(default_factory=list)
    app: Popen[bytes] | None = None
    events: Counter[str] = field(default_factory=Counter)

    def open(self) -> None:
        """Start the app and its workers."""
        self.workers = [jobs_world.start_worker(self.server.url) for _ in range(WORKERS)]
        self.start_app()

    def start_app(self) -> None:
        """Let the app ask for jobs."""
        self.app = jobs_world.start_asking(self.server.url, ASKED_A_SECOND)

    def stop_app(self) -> None:
        """Kill the app, wherever it is."""
        if self.app is not None:
            jobs_world.end(self.app)
            self.app = None

    def close(self) -> None:
        """End everything."""
        self.stop_app()
        for worker in self.workers:
            jobs_world.end(worker)

    def kill_worker(self) -> None:
        victim = self.dice.randrange(WORKERS)
        jobs_world.end(self.workers[victim])
        self.workers[victim] = jobs_world.start_worker(self.server.url)

    def freeze_worker(self) -> None:
        victim = self.dice.choice(self.workers)
        victim.send_signal(signal.SIGSTOP)
        time.sleep(FREEZE_SECONDS)
        victim.send_signal(signal.SIGCONT)

    def kill_server(self) -> None:
        self.server.stop("kill")
        time.sleep(self.dice.uniform(0.0, 1.0))
        self.server.start()

    def kill_app(self) -> None:
        self.stop_app()
        self.start_app()

    def suffer(self, until: float) -> None:
        """One thing after the other, in random order and after random waits."""
        harms = {
            "workers killed": self.kill_worker,
            "workers frozen": self.freeze_worker,
            "PostgreSQL killed": self.kill_server,
            "app killed": self.kill_app,
        }
        while time.monotonic() < until:
            # Every harm comes once in four, half of the time a worker is killed besides.
            for name in self.dice.sample([*harms, "workers killed"], len(harms) + 1):
                time.sleep(self.dice.uniform(0.2, 2.0))
                if time.monotonic() >= until:
                    break
                harms[name]()
                self.events[name] += 1


@dataclass(frozen=True)
class Count:
    """What is there, against what was asked for."""

    jobs: int
    lost: int
    duplicated: int

    def __str__(self) -> str:
        return f"jobs {self.jobs} lost {self.lost} duplicated {self.duplicated}"


def torture(seconds: float, seed: int) -> dict[str, Count]:
    """The counts of both tables of effects."""
    with own_server() as server:
        jobs_world.prepare(server.url)
        town = Town(server, random.Random(seed))
        database = Database(server.url)
        try:
            town.open()
            town.suffer(time.monotonic() + seconds)
            town.stop_app()
            with Jobs(database, lambda: jobs_world.app.jobs) as jobs:
                settle(jobs)
            print(", ".join(f"{name} {times}×" for name, times in town.events.items()), flush=True)
            return {table: count(database, table) for table in ("effect", "plain_effect")}
        finally:
            town.close()
            database.close()


def settle(jobs: Jobs) -> None:
    """Wait until all are done, or the time is over: what is missing then counts as lost."""
    give_up = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < give_up:
        if not any(jobs.find(state=state, limit=1) for state in ("waiting", "running")):
            return
        time.sleep(0.2)
    print(f"not settled after {SETTLE_SECONDS:.0f} s", flush=True)


def count(database: Database, table: str) -> Count:
    """How often each effect is there, against the jobs the app committed to."""
    with database.connection(read_only=True) as connection:
        asked = list(connection.scalars(text("SELECT job FROM asked")))
        rows = connection.execute(text(f"SELECT job, step FROM {table}")).all()
    times = Counter((row.job, row.step) for row in rows)
    expected = {(job, step) for job in asked for step in range(STEPS)}
    # An effect nobody asked for, of a transaction that was undone, is one too many as well.
    extra = sum(number - (effect in expected) for effect, number in times.items())
    return Count(len(asked), len(expected - set(times)), extra)


def main() -> None:
    """Print the counts; exit code 1 when one is not 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--broken", action="store_true", help="count the peer in the last line")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    counts = torture(given.seconds, given.seed)
    ours, plain = counts["effect"], counts["plain_effect"]
    if given.broken:
        ours = plain
    else:
        print(f"plain steps: {plain}")
    print(ours)
    sys.exit(1 if ours.lost or ours.duplicated or not ours.jobs else 0)


if __name__ == "__main__":
    main()
