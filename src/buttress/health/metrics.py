"""Jobs, backups, migrations and the machine for Prometheus: read when it asks, within a limit.

A part that does not answer in time is told as such, and its families are left out: a figure that
is not known must not look like a good one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, column, func, select

from buttress.health import machine
from buttress.health.finding import Answer, Check
from buttress.health.line import Line
from buttress.health.watched import Watched, ask_all
from buttress.telemetry.metrics import of_deployment as families

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from buttress.runtime import Runtime

Samples = list[tuple[tuple[str, ...], float]]

JOBS_KEPT_SECONDS = 5.0
BACKUPS_KEPT_SECONDS = 60.0
LIMIT_SECONDS = 2.0
"""Prometheus waits ten seconds for a page unless told otherwise."""


class DeploymentCollector:
    """What is the same whichever process is asked."""

    def __init__(self, runtime: Runtime, line: Line, migrations: Watched) -> None:
        self.runtime = runtime
        self.line = line
        self._migrations = migrations
        self._asked = {
            "jobs": self._watched("jobs", self._jobs, JOBS_KEPT_SECONDS),
            "backups": self._watched("backups", self._backups, BACKUPS_KEPT_SECONDS),
            "disk": self._watched("disk", self._disk),
            "memory": self._watched("memory", self._memory),
        }

    def collect(self) -> Iterator[Metric]:
        """The families of metrics."""
        found = ask_all([*self._asked.values(), self._migrations])
        unanswered: Samples = []
        for part, finding in zip([*self._asked, "migrations"], found, strict=True):
            if part == "migrations":
                answered = "pending" in finding.figures
            else:
                answered = finding.status == "pass"
            unanswered.append(((part,), float(not answered)))
            if not answered:
                continue
            if part == "migrations":
                pending: Any = finding.figures["pending"]
                yield families.PENDING.value(len(pending))
                continue
            for name, samples in finding.figures.items():
                yield FAMILIES[name].of(samples)  # type: ignore[arg-type]  # from a method below
        yield families.UNANSWERED.of(unanswered)

    def _watched(
        self, name: str, read: Callable[[], dict[str, Samples]], keep_seconds: float = 1.0
    ) -> Watched:
        return Watched(
            Check(
                f"metrics: {name}",
                lambda: Answer(figures=read()),
                "warn",
                limit_seconds=LIMIT_SECONDS,
                keep_seconds=keep_seconds,
            ),
            self.line.start_anew,
        )

    def _jobs(self) -> dict[str, Samples]:
        from buttress.jobs.lease import LEASE_SECONDS
        from buttress.jobs.status import STATES

        tables = self.runtime.jobs.tables
        work, lease = tables.work, tables.lease
        queue = func.coalesce(work.c.queue_name, "")
        # Of the engine's columns the tables of ours know only those that jobs are steered by.
        created = column("created_at", BigInteger)
        by_state = (
            select(work.c.status, queue, func.count(), func.min(created))
            .select_from(work)
            .group_by(work.c.status, queue)
        )
        beats = select(
            tables.now(),
            func.max(lease.c.beat_at),
            func.count().filter(lease.c.beat_at > tables.now() - LEASE_SECONDS),
        )
        with self.line.connection() as connection:
            now, beat, workers = connection.execute(beats).one()
            rows = connection.execute(by_state).all()
        counts: Samples = [
            ((STATES.get(status, "running"), name), count) for status, name, count, _ in rows
        ]
        ages: Samples = [
            ((name,), max(now - oldest / 1000, 0.0))
            for status, name, _, oldest in rows
            if status == "ENQUEUED"
        ]
        return {
            families.JOB_COUNT.name: counts,
            families.JOB_AGE.name: ages,
            families.WORKERS.name: [((), workers)],
            families.HEARTBEAT.name: [] if beat is None else [((), beat)],
        }

    def _backups(self) -> dict[str, Samples]:
        made = self.runtime.backup.all()
        proven = [backup for backup in made if backup.verified]
        drills = [backup.drill for backup in made if backup.drill is not None]
        last = max(drills, key=lambda drill: drill.at, default=None)
        return {
            families.BACKUP_NEWEST.name: moments([one.manifest.started_at for one in made[:1]]),
            families.BACKUP_BYTES.name: [((), one.manifest.stored_bytes) for one in made[:1]],
            families.BACKUP_PROVEN.name: moments([one.manifest.started_at for one in proven[:1]]),
            families.DRILL_AT.name: moments([last.at] if last else []),
            families.DRILL_PASSED.name: [((), float(not last.differences))] if last else [],
        }

    def _disk(self) -> dict[str, Samples]:
        used = machine.disk(self.runtime.settings.home)
        return {
            families.DISK_USED.name: [((), used.used)],
            families.DISK_TOTAL.name: [((), used.total)],
        }

    def _memory(self) -> dict[str, Samples]:
        used = machine.memory()
        if used is None:
            return {}
        return {
            families.MEMORY_USED.name: [((), used.used)],
            families.MEMORY_TOTAL.name: [((), used.total)],
        }


def moments(times: list[str]) -> Samples:
    """Moments as they are written, in seconds of Unix time."""
    return [((), dt.datetime.fromisoformat(time).timestamp()) for time in times]


FAMILIES = {
    family.name: family
    for family in (
        families.JOB_COUNT,
        families.JOB_AGE,
        families.WORKERS,
        families.HEARTBEAT,
        families.BACKUP_NEWEST,
        families.BACKUP_BYTES,
        families.BACKUP_PROVEN,
        families.DRILL_AT,
        families.DRILL_PASSED,
        families.DISK_USED,
        families.DISK_TOTAL,
        families.MEMORY_USED,
        families.MEMORY_TOTAL,
    )
}
