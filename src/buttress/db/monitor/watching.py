"""A monitor for as long as a deployment is open: everything it listens to, and what it writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from buttress import telemetry
from buttress.db.database import Database
from buttress.db.monitor.monitor import Monitor
from buttress.db.monitor.prometheus import MonitorCollector
from buttress.db.monitor.traced import traced
from buttress.db.monitor.writer import EVERY_SECONDS, Writer
from buttress.settings import MonitorSettings


@contextmanager
def watching(
    database: Database,
    others: Iterable[Database] = (),
    *,
    settings: MonitorSettings,
    app_folders: Iterable[str] = (),
) -> Iterator[Monitor]:
    """Watch the databases and all timed work, and write roll-ups into the first database."""
    monitor = Monitor(slow_seconds=settings.slow_seconds)
    for one in {id(one): one for one in (database, *others)}.values():
        monitor.watch(one)
        if telemetry.tracers:
            one.executions.record = traced(monitor.record, one.backend.name)
    for folder in app_folders:
        monitor.files.add_app(folder)
    collector = MonitorCollector(monitor)
    writer = Writer(monitor, database.url, every_seconds=EVERY_SECONDS)
    telemetry.listeners.append(monitor.record_work)
    telemetry.collectors.append(collector)
    writer.start()
    try:
        yield monitor
    finally:
        telemetry.collectors.remove(collector)
        telemetry.listeners.remove(monitor.record_work)
        writer.stop()
