"""Checks of background work: that somebody does it, and in time."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import text

from buttress.check.facts import Facts
from buttress.check.registry import NotApplicable, check
from buttress.errors import ConfigurationError
from buttress.health.measures import WAITING_SECONDS


def table(facts: Facts, name: str) -> str:
    """The full name of one of the tables of jobs.

    NotApplicable when nothing is to be done, or when the tables are missing, of which BT-703 tells.
    """
    if not facts.open.jobs.declared():
        raise NotApplicable
    try:
        schema = facts.open.jobs.tables.schema
    except ConfigurationError:
        raise NotApplicable from None
    return f"{schema}.{name}" if schema else name


def number(facts: Facts, statement: str) -> float:
    """One number; 0 when there is none."""
    with facts.database.connection(read_only=True) as connection:
        return float(connection.scalar(text(statement)) or 0)


@check(
    "BT-701", "jobs", "error", "No worker",
    cure="Start `buttress worker`, or set BUTTRESS_JOBS__WORKER=true for `buttress up`.",
    deploy=True,
)  # fmt: skip
def worker(facts: Facts) -> str | None:
    """Nobody does jobs: they wait, and schedules do not begin, that of backups among them."""
    from buttress.jobs.lease import LEASE_SECONDS

    lease = table(facts, "buttress_job_lease")
    now = facts.open.jobs.tables.now_sql
    alive = number(facts, f"SELECT count(*) FROM {lease} WHERE beat_at > {now} - {LEASE_SECONDS}")
    return None if alive else "no worker has been heard of for 3 seconds"


@check(
    "BT-702", "jobs", "warning", "Jobs that wait long",
    cure="Start more workers, or raise BUTTRESS_JOBS__CONCURRENCY.",
)  # fmt: skip
def oldest(facts: Facts) -> str | None:
    """More is enqueued than done, or a worker hangs."""
    work = table(facts, "workflow_status")
    seconds = number(
        facts,
        f"SELECT {facts.open.jobs.tables.now_sql} - min(created_at) / 1000.0 FROM {work}"
        " WHERE status = 'ENQUEUED'",
    )
    return f"one has waited for {seconds / 60:.0f} minutes" if seconds > WAITING_SECONDS else None


@check(
    "BT-703", "jobs", "error", "Tables of jobs missing",
    cure="Run `buttress migrate upgrade`.",
)  # fmt: skip
def tables(facts: Facts) -> str | None:
    """What keeps jobs was not made, or for another version of the engine."""
    if not facts.open.jobs.declared():
        raise NotApplicable
    try:
        facts.open.jobs.tables  # noqa: B018
    except ConfigurationError as error:
        return error.message
    return None


@check(
    "BT-704", "jobs", "warning", "Schedules that are not as declared",
    cure="Start or restart a worker: it registers what the apps declare.", deploy=True,
)  # fmt: skip
def schedules(facts: Facts) -> Iterator[str]:
    """The database begins what a worker registered when it started last."""
    name = table(facts, "workflow_schedules")
    wanted = {job.name: job.schedule for job in facts.open.jobs.declared() if job.schedule}
    with facts.database.connection(read_only=True) as connection:
        rows = connection.execute(text(f"SELECT schedule_name, schedule FROM {name}"))
        there = {row.schedule_name: row.schedule for row in rows}
    for job, schedule in sorted(wanted.items()):
        if job not in there:
            yield f"{job} is not registered"
        elif there[job] != schedule:
            yield f"{job} begins at {there[job]!r} instead of {schedule!r}"


@check(
    "BT-705", "jobs", "warning", "Jobs given up",
    cure="`buttress jobs list --state 'given up'` shows them; mend the cause, then retry.",
)  # fmt: skip
def given_up(facts: Facts) -> str | None:
    """They ended their worker again and again, so that nobody begins them any more."""
    work = table(facts, "workflow_status")
    found = number(
        facts, f"SELECT count(*) FROM {work} WHERE status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'"
    )
    return f"{found:.0f} jobs were given up" if found else None


@check(
    "BT-706", "jobs", "warning", "More jobs at a time than connections",
    cure="Lower BUTTRESS_JOBS__CONCURRENCY, or raise BUTTRESS_POOL__SIZE.",
)  # fmt: skip
def concurrency(facts: Facts) -> str | None:
    """Jobs that use the database outside of their steps wait for each other's connections."""
    settings = facts.settings
    limit = settings.pool.size + settings.pool.overflow
    if settings.jobs.concurrency <= limit:
        return None
    return f"{settings.jobs.concurrency} jobs at a time share {limit} connections"
