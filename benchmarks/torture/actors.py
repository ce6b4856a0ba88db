"""The processes of a run: readers that judge what they get, writers, and a foreign `psql`."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec

from benchmarks.torture.caches import LAYERS, Layer
from benchmarks.torture.record import ITEMS, Record
from benchmarks.torture.table import ROLLED_BACK, Place, load, write
from buttress.db.server_files import find_programs
from buttress.db.url import parse_database_url

READER_THREADS = 2
ROLLBACKS = 0.2
READS_INSIDE = 0.3
CRASHES = 0.03
"""Share of a writer's commits after which it is killed before it can do anything more."""
PAUSE_SECONDS = 0.004
PSQL_SLOT = 2
EXAMPLES = 20


@dataclass
class Judgement:
    """What one process saw."""

    reads: int = 0
    stale: int = 0
    dirty: int = 0
    backwards: int = 0
    own: int = 0
    """Reads of a transaction that did not show its own write."""
    residual: int = 0
    """Items still wrong after all writers had stopped."""
    refused: int = 0
    """Reads and writes that failed with an error."""
    writes: int = 0
    examples: list[str] = field(default_factory=list)
    """When what was stale, for who looks into it."""

    def __add__(self, other: Judgement) -> Judgement:
        mine, theirs = asdict(self), asdict(other)
        return Judgement(**{name: mine[name] + theirs[name] for name in mine})


class Order(msgspec.Struct):
    """What a process is to do."""

    role: str
    """`read`, `write` or `psql`."""
    layer: str
    place: Place
    number: int
    """Which reader, or which writer."""
    result: Path
    """Where it leaves what it saw."""
    crashes: float = 0.0
    """Share of a writer's commits after which it is killed before it can do anything more."""


class Rollback(Exception):
    """Leaves a transaction on purpose."""


def layer_of(name: str, place: Place) -> Layer:
    """The layer of that name, opened."""
    return next(layer for layer in LAYERS if layer.name == name)(place)


def main() -> None:
    """Live as one process of a run, by the order in the first argument."""
    order = msgspec.json.decode(sys.argv[1], type=Order, dec_hook=lambda kind, value: kind(value))
    {"read": read_until_told, "write": write_until_told, "psql": psql_until_told}[order.role](order)


def read_until_told(order: Order) -> None:
    """The life of a reader process."""
    layer, record = layer_of(order.layer, order.place), Record(order.place.record)
    record.is_ready(order.number)
    total, adding = Judgement(), threading.Lock()

    def read() -> None:
        nonlocal total
        mine = _read(layer, record)
        with adding:
            total += mine

    threads = [threading.Thread(target=read) for _ in range(READER_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total.residual += _residual(layer)
    del total.examples[EXAMPLES:]
    order.result.write_bytes(msgspec.json.encode(total))
    layer.close()


def _read(layer: Layer, record: Record) -> Judgement:
    found, newest, choose = Judgement(), [0] * ITEMS, random.Random()
    while record.reading:
        item = choose.randrange(ITEMS)
        at_least = record.acknowledged(item)
        try:
            seen = layer.read(item)
        except Exception:  # noqa: BLE001  a server is away: the app would show an error, nothing wrong is shown
            found.refused += 1
            time.sleep(0.01)
            continue
        found.reads += 1
        if seen.version < at_least:
            found.stale += 1
            found.examples.append(
                f"{time.time():.3f} item {item}: {seen}, although {at_least} was acknowledged"
            )
        found.dirty += seen.author == ROLLED_BACK
        found.backwards += seen.version < newest[item]
        newest[item] = max(newest[item], seen.version)
    return found


def _residual(layer: Layer) -> int:
    wrong = 0
    for item in range(ITEMS):
        with layer.database.session(read_only=True) as session:
            right = load(session, item)
        wrong += layer.read(item) != right
    return wrong


def write_until_told(order: Order) -> None:
    """The life of a writer process; it may end by its own hand."""
    layer, record = layer_of(order.layer, order.place), Record(order.place.record)
    found, choose = Judgement(), random.Random()
    record.is_ready(order.number)
    while record.writing:
        item = choose.randrange(ITEMS)
        try:
            version = _write(layer, item, choose, found)
        except Rollback:
            continue
        except Exception:  # noqa: BLE001  a server is away: the write was not acknowledged
            found.refused += 1
            time.sleep(0.01)
            continue
        record.acknowledge(order.number, item, version)
        found.writes += 1
        if choose.random() < order.crashes:
            order.result.write_bytes(msgspec.json.encode(found))
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            layer.after_commit(item)
        except Exception:  # noqa: BLE001  a peer whose cache is away cannot invalidate
            found.refused += 1
        time.sleep(choose.random() * PAUSE_SECONDS)
    order.result.write_bytes(msgspec.json.encode(found))
    layer.close()


def _write(layer: Layer, item: int, choose: random.Random, found: Judgement) -> int:
    undo = choose.random() < ROLLBACKS
    with layer.database.session() as session:
        version = write(session, item, ROLLED_BACK if undo else f"writer {os.getpid()}")
        if choose.random() < READS_INSIDE:
            seen = layer.read_within(session, item)
            found.own += seen.version != version
        layer.before_commit(item)
        if undo:
            raise Rollback
    return version


class Psql:
    """A foreign writer: the plain client, which knows of no cache."""

    def __init__(self, place: Place) -> None:
        self._command = [
            str(find_programs().postgresql / "psql"), "-qAtX",
            parse_database_url(place.database_url).conninfo,
        ]  # fmt: skip
        self._process: subprocess.Popen[str] | None = None

    def write(self, item: int, *, undo: bool) -> int | None:
        """One transaction; the version when its commit was acknowledged, else None."""
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, bufsize=1,
            )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        author = ROLLED_BACK if undo else "psql"
        try:
            process.stdin.write(
                "begin;\n"
                f"update torture_item set version = version + 1, author = '{author}' "
                f"where id = {item} returning version;\n"
                f"{'rollback' if undo else 'commit'};\n"
                "select 'done';\n"
            )
            process.stdin.flush()
        except BrokenPipeError:
            return None
        answers = [process.stdout.readline().strip(), process.stdout.readline().strip()]
        if not answers[0].isdigit() or answers[1] != "done":
            self.close()
            return None
        return None if undo else int(answers[0])

    def close(self) -> None:
        """End the client."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def psql_until_told(order: Order) -> None:
    """The life of the process that writes through `psql`."""
    record, found, choose = Record(order.place.record), Judgement(), random.Random()
    psql = Psql(order.place)
    record.is_ready(PSQL_SLOT)
    while record.writing:
        item = choose.randrange(ITEMS)
        version = psql.write(item, undo=choose.random() < ROLLBACKS)
        if version is not None:
            record.acknowledge(PSQL_SLOT, item, version)
            found.writes += 1
        time.sleep(choose.random() * 2 * PAUSE_SECONDS)
    psql.close()
    order.result.write_bytes(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
