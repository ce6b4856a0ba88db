"""Two PostgreSQL servers, one following the other, and the arbiter that promotes the survivor.

    with two_clusters() as pair:
        outcome = drill(pair, synchronous=True)

What a manager of clusters does in earnest (see docs/howto/fail-over.md) is done here in its simplest
form, on one machine: look often, make sure that the dead one stays dead, promote, rewind.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from sqlalchemy import text

from buttress.db import keeper
from buttress.db.database import Database
from buttress.errors import ConnectionLost

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from own_server import PORT, OwnServer, own_servers

LOOK_SECONDS = 0.05
LOOKS = 2
"""How often in a row the primary must not answer before it counts as dead."""
PATIENCE_SECONDS = 30.0


class Node(OwnServer):
    """One of the two: it can be killed with all its processes, and follow the other one again."""

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True, connect_timeout=2)

    def kill(self) -> float:
        """kill -9 of every process, as when the machine is gone; returns when that was."""
        for pid in keeper.servers_in([self.data]):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed_at = time.monotonic()
        # A process of a connection opened meanwhile is ended here.
        keeper.end_leftovers([self.data], [])
        if self._process is not None:
            self._process.wait(30)
        return killed_at

    def copy_to(self, folder: Path) -> Node:
        copy = super().copy_to(folder)
        return Node(copy.folder)

    def rewind(self, source: OwnServer) -> None:
        """Undo what only this one has, so that it can follow `source`; it must not run."""
        self._run(
            "pg_rewind", "--target-pgdata", str(self.data), "--write-recovery-conf",
            "--source-server", f"host={source.folder} port={PORT} user=postgres dbname=postgres",
        )  # fmt: skip


class Pair:
    """A primary and its standby; they change places."""

    def __init__(self, primary: Node, standby: Node) -> None:
        self.primary = primary
        self.standby = standby
        self._folders = [primary.folder, standby.folder]

    @property
    def url(self) -> str:
        """What an app is given: both hosts, whichever takes writes."""
        hosts = ",".join(quote(str(folder), safe="") for folder in self._folders)
        return (
            f"postgresql://postgres@/postgres?host={hosts}&port={PORT}"
            "&target_session_attrs=read-write"
        )

    def replicate(self, *, synchronous: bool) -> None:
        """Return when the standby streams, and commits wait for it if they are to."""
        names = "*" if synchronous else ""
        with self.primary.connect() as connection:
            wait_until(lambda: "streaming" in states(connection, "state"))
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
            connection.execute("SELECT pg_reload_conf()")
            wanted = "sync" if synchronous else "async"
            wait_until(lambda: wanted in states(connection, "sync_state"))

    def promote(self) -> None:
        """Make the standby the primary; the other one must be dead."""
        with self.standby.connect() as connection:
            connection.execute("SELECT pg_promote(wait => false)")
            wait_until(lambda: not answer(connection, "SELECT pg_is_in_recovery()"))
        self.primary, self.standby = self.standby, self.primary

    def rejoin(self) -> float:
        """Have the dead one follow the living one; returns the seconds until it streams."""
        began = time.monotonic()
        with self.primary.connect() as connection:
            # The new primary must not wait for a standby it does not have.
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CHECKPOINT")
            self.standby.rewind(self.primary)
            self.standby.start()
            wait_until(lambda: "streaming" in states(connection, "state"))
        return time.monotonic() - began


def answer(connection: psycopg.Connection, statement: str) -> Any:
    """The one value a statement answers."""
    row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


def states(connection: psycopg.Connection, column: str) -> list[str]:
    """A column of pg_stat_replication."""
    return [row[0] for row in connection.execute(f"SELECT {column} FROM pg_stat_replication")]


def wait_until(true: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    give_up = time.monotonic() + seconds
    while not true():
        if time.monotonic() > give_up:
            raise TimeoutError(f"not within {seconds:g} seconds")
        time.sleep(0.005)


@contextmanager
def two_clusters() -> Iterator[Pair]:
    """A running pair, gone afterwards."""
    with own_servers() as folder:
        primary = Node(folder / "a")
        primary.create()
        primary.start()
        with primary.connect() as connection:
            # In the file: pg_rewind has the server recover by itself first, which would throw away
            # the log that it then looks for.
            connection.execute("ALTER SYSTEM SET wal_keep_size = '256MB'")
        standby = primary.copy_to(folder / "b")
        standby.start()
        pair = Pair(primary, standby)
        try:
            yield pair
        finally:
            for node in (pair.standby, pair.primary):
                node.kill()


class Arbiter(threading.Thread):
    """Looks at the primary until it does not answer, then has the standby take over; once."""

    def __init__(self, pair: Pair) -> None:
        super().__init__(daemon=True)
        self.pair = pair
        self.detected_at = self.promoted_at = 0.0

    def run(self) -> None:
        missed = 0
        while missed < LOOKS:
            time.sleep(LOOK_SECONDS)
            try:
                self.pair.primary.connect().close()
                missed = 0
            except psycopg.OperationalError:
                missed += 1
        self.detected_at = time.monotonic()
        # A primary that only seemed dead would go on taking writes beside the new one.
        self.pair.primary.kill()
        self.pair.promote()
        self.promoted_at = time.monotonic()


class Writers:
    """Threads that write numbers through one Database, and what became of each number."""

    def __init__(self, database: Database, threads: int) -> None:
        self.database = database
        self.acknowledged: dict[int, float] = {}
        self.undone: set[int] = set()
        self.unknown: set[int] = set()
        self.lost_connections: Counter[int] = Counter()
        self.other_errors: list[BaseException] = []
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=[worker]) for worker in range(threads)
        ]

    def __enter__(self) -> Writers:
        with self.database.connection() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS entry (id int PRIMARY KEY)"))
            connection.execute(text("TRUNCATE entry"))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, worker: int) -> None:
        while not self._stop.is_set():
            number = next(self._numbers)
            try:
                self._write(number, twice=worker % 2 == 1)
            except ConnectionLost as error:
                self.lost_connections[worker] += 1
                (self.unknown if error.commit_unknown else self.undone).add(number)
            except Exception as error:  # noqa: BLE001 — whatever a caller sees counts
                self.other_errors.append(error)
            else:
                self.acknowledged[number] = time.monotonic()

    def _write(self, number: int, *, twice: bool) -> None:
        with self.database.session() as session:
            session.execute(text("INSERT INTO entry VALUES (:id)"), {"id": number})
            if twice:
                session.execute(text("SELECT count(*) FROM entry WHERE id = :id"), {"id": number})

    def gap_seconds(self) -> float:
        """The longest time without a single acknowledged write."""
        times = sorted(self.acknowledged.values())
        return max(later - earlier for earlier, later in itertools.pairwise(times))

    def stored(self) -> set[int]:
        """What is in the table."""
        with self.database.connection(read_only=True) as connection:
            return set(connection.scalars(text("SELECT id FROM entry")))


@dataclass(frozen=True)
class Failover:
    """How long the steps took."""

    detected_seconds: float
    promoted_seconds: float


@dataclass(frozen=True)
class Outcome:
    """What one failover did to the writers."""

    acknowledged: int
    lost: int
    """Writes that were acknowledged and are not there."""
    risen: int
    """Writes that were reported undone and are there all the same."""
    gap_seconds: float
    """The longest time in which no writer got an acknowledgement."""
    steps: Failover
    most_errors: int
    """`ConnectionLost` raised to the writer that saw most of them."""
    other_errors: list[BaseException] = field(repr=False)
    rejoin_seconds: float


def fail_over(pair: Pair) -> Failover:
    """Kill the primary; return when the standby has taken over."""
    arbiter = Arbiter(pair)
    arbiter.start()
    time.sleep(3 * LOOK_SECONDS)
    killed_at = pair.primary.kill()
    arbiter.join(PATIENCE_SECONDS)
    return Failover(
        detected_seconds=arbiter.detected_at - killed_at,
        promoted_seconds=arbiter.promoted_at - arbiter.detected_at,
    )


def drill(pair: Pair, *, synchronous: bool, writers: int = 8, load_seconds: float = 1.0) -> Outcome:
    """Kill the primary while it is written to, have the standby promoted and the dead one rewound.

    Writers write for `load_seconds` before the kill and after the first write that was
    acknowledged since.
    """
    pair.replicate(synchronous=synchronous)
    database = Database(pair.url)
    try:
        with Writers(database, writers) as load:
            time.sleep(load_seconds)
            steps = fail_over(pair)
            already = len(load.acknowledged)
            wait_until(lambda: len(load.acknowledged) > already)
            time.sleep(load_seconds)
        stored = load.stored()
    finally:
        database.close()
    return Outcome(
        acknowledged=len(load.acknowledged),
        lost=len(load.acknowledged.keys() - stored),
        risen=len(load.undone & stored),
        gap_seconds=load.gap_seconds(),
        steps=steps,
        most_errors=max(load.lost_connections.values(), default=0),
        other_errors=load.other_errors,
        rejoin_seconds=pair.rejoin(),
    )
