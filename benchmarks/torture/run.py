"""One run: servers, processes, faults, and the sum of what was seen."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.torture.actors import CRASHES, PSQL_SLOT, Judgement, Order
from benchmarks.torture.caches import Layer
from benchmarks.torture.faults import Faults
from benchmarks.torture.record import Record
from benchmarks.torture.table import Item, Place, fill
from buttress.cache import Watch, install
from buttress.db.base import Base
from buttress.db.database import Database
from buttress.db.embedded import start_servers

READERS = 4
WRITERS = 2
FIRST_READER = 4
ROOT = Path(__file__).parents[2]
READY_SECONDS = 120
END_SECONDS = 60


def run(layer: type[Layer], seconds: float, *, faults: bool = True) -> Judgement:
    """Torture one layer for that long; the sum of what its processes saw."""
    with tempfile.TemporaryDirectory(prefix="buttress-torture-") as folder:
        home = Path(folder)
        with _place(layer, home) as (place, disturb):
            return _run(layer, place, home, seconds, disturb if faults else None)


@contextmanager
def _place(layer: type[Layer], home: Path) -> Iterator[tuple[Place, Faults | None]]:
    record = home / "record"
    if not layer.servers:
        url = f"sqlite:///{home / 'torture.db'}"
        _prepare(url)
        yield Place(url, url, "", home, record), None
        return
    servers = start_servers(home / "servers")
    disturb = Faults(home / "servers", servers)
    try:
        owner = servers.postgres_url("owner")
        _prepare(owner)
        data = next((home / "servers").glob("**/global/pg_control")).parent.parent
        yield Place(servers.postgres_url("app"), owner, servers.valkey_url, data, record), disturb
    finally:
        disturb.servers.close()


def _prepare(url: str) -> None:
    database = Database(url)
    with database.connection() as connection:
        Base.metadata.create_all(connection, tables=[Item.metadata.tables["torture_item"]])
    with database.session() as session:
        fill(session)
    install(database, [Watch("torture_item", (("id",),))])
    database.close()


def _run(
    layer: type[Layer], place: Place, home: Path, seconds: float, disturb: Faults | None
) -> Judgement:
    record, results = Record(place.record), home / "results"
    results.mkdir()
    readers = [
        _start(Order("read", layer.name, place, FIRST_READER + i, results / f"reader{i}"))
        for i in range(READERS)
    ]
    psql = []
    if layer.servers:
        psql.append(_start(Order("psql", layer.name, place, PSQL_SLOT, results / "psql")))
    stop = threading.Event()
    threads = [
        threading.Thread(target=_write, args=(layer, place, results, i)) for i in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    try:
        _wait_until_ready(record, [*readers, *psql], READERS + WRITERS + len(psql))
    except BaseException:
        record.end_writes()
        record.end_reads()
        raise
    if disturb is not None:
        threads.append(threading.Thread(target=disturb.run, args=(seconds, stop)))
        threads[-1].start()
    time.sleep(seconds)
    record.end_writes()
    stop.set()
    for thread in threads:
        thread.join()
    for process in psql:
        process.wait(END_SECONDS)
    time.sleep(0.2)
    record.end_reads()
    for process in readers:
        if process.wait(END_SECONDS) != 0:
            raise RuntimeError(f"a reader of {layer.name} ended with {process.returncode}")
    found = [msgspec.json.decode(path.read_bytes(), type=Judgement) for path in results.iterdir()]
    total = sum(found, Judgement())
    if layer.strict and total.stale and disturb is not None:
        total.examples += disturb.done
    return total


def _write(layer: type[Layer], place: Place, results: Path, slot: int) -> None:
    """Keep one writer alive: another takes the place of one that was killed."""
    record, life = Record(place.record), 0
    while record.writing:
        result = results / f"writer{slot}-{life}"
        crashes = CRASHES if layer.servers else 0.0
        code = _start(Order("write", layer.name, place, slot, result, crashes)).wait()
        if code > 0:
            raise RuntimeError(f"a writer of {layer.name} ended with {code}")
        life += 1


def _wait_until_ready(record: Record, processes: list[subprocess.Popen[bytes]], many: int) -> None:
    give_up = time.monotonic() + READY_SECONDS
    while record.ready < many:
        if any(process.poll() for process in processes) or time.monotonic() > give_up:
            raise RuntimeError("a process of the run did not start; its error is above")
        time.sleep(0.05)


def _start(order: Order) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.torture.actors", _encoded(order)]
    return subprocess.Popen(command, cwd=ROOT)


def _encoded(order: Order) -> str:
    return msgspec.json.encode(order, enc_hook=str).decode()
