"""One run: servers, processes, faults, and the sum of what was seen."""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from pathlib import Path

import msgspec

from benchmarks.torture.actors import (
    CRASHES,
    Judgement,
    psql_until_told,
    read_until_told,
    write_until_told,
)
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
SPAWN = multiprocessing.get_context("spawn")


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
        _start(read_until_told, layer.name, place, FIRST_READER + i, results / f"reader{i}")
        for i in range(READERS)
    ]
    psql = [_start(psql_until_told, place, results / "psql")] if layer.servers else []
    stop = threading.Event()
    threads = [
        threading.Thread(target=_write, args=(layer, place, results, i)) for i in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    while record.ready < READERS + WRITERS + len(psql):
        time.sleep(0.05)
    if disturb is not None:
        threads.append(threading.Thread(target=disturb.run, args=(seconds, stop)))
        threads[-1].start()
    time.sleep(seconds)
    record.end_writes()
    stop.set()
    for thread in threads:
        thread.join()
    for process in psql:
        process.join()
    time.sleep(0.2)
    record.end_reads()
    for process in readers:
        process.join(60)
        if process.exitcode != 0:
            raise RuntimeError(f"a reader of {layer.name} ended with {process.exitcode}")
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
        _start(write_until_told, layer.name, place, slot, result, crashes).join()
        life += 1


def _start(target: object, *arguments: object) -> SpawnProcess:
    process = SPAWN.Process(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
    process.start()
    return process
