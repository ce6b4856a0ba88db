"""What is measured for operators, each with the threshold beyond which it is a warning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import text

from buttress.health import machine
from buttress.health.finding import Answer, Check, Question, Status
from buttress.health.line import Line

if TYPE_CHECKING:
    from buttress.backup import Backup
    from buttress.health.responses import Responses
    from buttress.runtime import Runtime

POOL_USAGE = 0.80
SLOW_PER_MINUTE = 10.0
ERROR_SHARE = 0.01
DISK_USAGE = 0.85
MEMORY_USAGE = 0.80
HIT_RATE = 0.70
LEAST_LOOKUPS = 100
RESPONSE_SECONDS = 2.0
BACKUP_HOURS = 26.0
"""A day and what a backup may take."""
VERIFIED_DAYS = 8.0
WAITING_SECONDS = 600.0

WINDOW_SECONDS = 300.0
HIT_RATE_SECONDS = 900.0

JOBS = """
    SELECT
        (SELECT count(*) FROM {schema}workflow_status WHERE status = 'ENQUEUED') AS waiting,
        (SELECT min(created_at) FROM {schema}workflow_status WHERE status = 'ENQUEUED') AS oldest,
        (SELECT count(*) FROM {schema}workflow_status WHERE status = 'PENDING') AS running,
        (SELECT count(*) FROM {schema}workflow_status
            WHERE status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED') AS given_up,
        (SELECT count(*) FROM {schema}buttress_job_lease
            WHERE beat_at > {now} - {lease}) AS workers,
        {now} AS now
"""


ARCHIVE = """
    SELECT
        current_setting('archive_mode') <> 'off' AS archiving,
        archived_count,
        failed_count,
        last_failed_wal,
        extract(epoch FROM clock_timestamp() - last_archived_time)::float AS archived_seconds,
        extract(epoch FROM clock_timestamp() - last_failed_time)::float AS failed_seconds
    FROM pg_stat_archiver
"""


def measures(runtime: Runtime, line: Line, responses: Responses) -> list[Check]:
    """All of them, as checks that warn."""
    found: dict[str, Question] = {
        "pool": lambda: pool(runtime),
        "statements": lambda: statements(runtime),
        "responses": lambda: answered(responses),
        "hit rate": lambda: hit_rate(runtime),
        "disk": lambda: disk(runtime),
        "memory": memory,
    }
    checks = [Check(name, question, "warn") for name, question in found.items()]
    # A bucket far away is asked rarely, and may take its time.
    checks.append(
        Check("backups", lambda: backups(runtime), "warn", limit_seconds=2.0, keep_seconds=60.0)
    )
    checks.append(Check("jobs", lambda: jobs(runtime, line), "warn"))
    if runtime.database.backend.name == "postgresql":
        checks.append(Check("archive", lambda: archive(line), "warn"))
    return checks


def pool(runtime: Runtime) -> Answer:
    """Connections in use, of those this process may open."""
    stats = runtime.database.pool_stats()
    return Answer(
        f"{stats.checked_out} of {stats.limit} connections in use",
        _warn_if(stats.usage > POOL_USAGE),
        {
            "in_use": stats.checked_out,
            "idle": stats.idle,
            "limit": stats.limit,
            "waiting": stats.waiting,
            "p99_wait_seconds": round(stats.p99_wait_seconds, 3),
            "threshold_share": POOL_USAGE,
        },
    )


def statements(runtime: Runtime) -> Answer:
    """Slow and failed statements of the last five minutes."""
    from buttress.db.monitor.summary import whole

    slot = runtime.monitor.window(WINDOW_SECONDS)
    every = whole(slot)
    slow = slot.slow_count / (WINDOW_SECONDS / 60)
    failed = every.errors / max(every.count, 1)
    return Answer(
        f"{every.count} in five minutes, {slow:.1f} slow a minute, {failed:.1%} failed",
        _warn_if(slow > SLOW_PER_MINUTE or failed > ERROR_SHARE),
        {
            "count": every.count,
            "slow_per_minute": round(slow, 2),
            "error_share": round(failed, 4),
            "p95_milliseconds": round(every.p95, 3),
            "threshold_slow_per_minute": SLOW_PER_MINUTE,
            "threshold_error_share": ERROR_SHARE,
        },
    )


def answered(responses: Responses) -> Answer:
    """How long HTTP requests of the last five minutes took, and how many failed."""
    lately = responses.lately(WINDOW_SECONDS)
    failed = lately.errors / max(lately.count, 1)
    return Answer(
        f"95 of 100 within {lately.p95_seconds:.2f} s, {failed:.1%} failed",
        _warn_if(lately.p95_seconds > RESPONSE_SECONDS or failed > ERROR_SHARE),
        {
            "count": lately.count,
            "p95_seconds": round(lately.p95_seconds, 3),
            "error_share": round(failed, 4),
            "threshold_seconds": RESPONSE_SECONDS,
            "threshold_error_share": ERROR_SHARE,
        },
    )


def hit_rate(runtime: Runtime) -> Answer:
    """Reads the cache answered in the last quarter of an hour."""
    stats = runtime.cache.stats(window_seconds=HIT_RATE_SECONDS)
    lookups = stats.hits + stats.misses
    lookups += sum(sum(one.bypasses.values()) for one in stats.namespaces.values())
    return Answer(
        f"{stats.hit_rate:.0%} of {lookups} reads" if lookups else "nothing was read",
        _warn_if(lookups >= LEAST_LOOKUPS and stats.hit_rate < HIT_RATE),
        {
            "lookups": lookups,
            "hit_rate": round(stats.hit_rate, 4),
            "mode": stats.mode,
            "threshold_hit_rate": HIT_RATE,
            "least_lookups": LEAST_LOOKUPS,
        },
    )


def disk(runtime: Runtime) -> Answer:
    """The file system of the data folder."""
    return _usage(machine.disk(runtime.settings.home), DISK_USAGE)


def memory() -> Answer:
    """What this process and its neighbours use, of what they may."""
    found = machine.memory()
    return Answer("not known here") if found is None else _usage(found, MEMORY_USAGE)


def backups(runtime: Runtime) -> Answer:
    """When the last backup was made, and when one was last proven by a restore."""
    made = runtime.backup.all()
    if not made:
        missing = runtime.settings.environment == "production"
        return Answer("none yet", _warn_if(missing), {"count": 0}, "Run `buttress backup`.")
    age = _age(made[0].manifest.started_at)
    proven = list(_drills(made))
    figures: dict[str, object] = {
        "count": len(made),
        "age_hours": round(age / 3600, 2),
        "threshold_hours": BACKUP_HOURS,
        "verified_age_hours": round(min(proven) / 3600, 2) if proven else None,
        "threshold_verified_days": VERIFIED_DAYS,
    }
    old = age > BACKUP_HOURS * 3600
    unproven = not proven or min(proven) > VERIFIED_DAYS * 86_400
    detail = f"the last is {age / 3600:.0f} hours old"
    detail += ", none is proven by a restore" if not proven else ""
    return Answer(detail, _warn_if(old or unproven), figures)


def jobs(runtime: Runtime, line: Line) -> Answer:
    """Jobs that wait, and whether somebody does them."""
    from buttress.jobs.lease import LEASE_SECONDS

    tables = runtime.jobs.tables
    question = JOBS.format(
        schema=f"{tables.schema}." if tables.schema else "",
        now=tables.now_sql,
        lease=LEASE_SECONDS,
    )
    with line.connection() as connection:
        row = connection.execute(text(question)).one()
    oldest = max(float(row.now) - row.oldest / 1000, 0.0) if row.oldest else 0.0
    late = oldest > WAITING_SECONDS
    workers = "1 worker" if row.workers == 1 else f"{row.workers} workers"
    detail = f"{row.waiting} waiting, {row.running} running, {workers}"
    return Answer(
        detail,
        _warn_if(late or row.workers == 0),
        {
            "waiting": row.waiting,
            "oldest_seconds": round(oldest, 1),
            "running": row.running,
            "given_up": row.given_up,
            "workers": row.workers,
            "threshold_seconds": WAITING_SECONDS,
        },
        "" if row.workers else "Start `buttress worker`.",
    )


def archive(line: Line) -> Answer:
    """Whether the server gets rid of its log, where it keeps it for recovery to a moment."""
    with line.connection() as connection:
        row = connection.execute(text(ARCHIVE)).one()
    if not row.archiving:
        return Answer("off")
    failed, archived = row.failed_seconds, row.archived_seconds
    failing = failed is not None and (archived is None or failed < archived)
    last = "nothing yet" if archived is None else f"the last {archived:.0f} seconds ago"
    detail = f"{row.last_failed_wal} was refused {failed:.0f} seconds ago; " if failing else ""
    return Answer(
        f"{detail}archived: {last}",
        _warn_if(failing),
        {
            "archived": row.archived_count,
            "failed": row.failed_count,
            "archived_age_seconds": None if archived is None else round(archived, 1),
            "failed_age_seconds": None if failed is None else round(failed, 1),
        },
        "See the server's log; is the archive's folder full or not the server's to write? Until"
        " then the log fills the disk, and recovery ends where it stopped."
        if failing
        else "",
    )


def _drills(made: list[Backup]) -> Iterator[float]:
    """Ages in seconds of the restores that proved one of the backups."""
    for backup in made:
        if backup.verified and backup.drill is not None:
            yield _age(backup.drill.at)


def _age(moment: str) -> float:
    return (dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(moment)).total_seconds()


def _usage(found: machine.Usage, threshold: float) -> Answer:
    return Answer(
        f"{found.share:.0%} used",
        _warn_if(found.share > threshold),
        {
            "used_bytes": found.used,
            "total_bytes": found.total,
            "share": round(found.share, 4),
            "threshold_share": threshold,
        },
    )


def _warn_if(beyond: bool) -> Status:
    return "warn" if beyond else "pass"
