"""What every deployment does by itself, as jobs: back up, prove a backup, delete what is old.

They are seen and stopped like any other job (`buttress jobs list`), and wait in a queue of their
own, one at a time for all hosts.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from buttress.access import repeats, signing_in
from buttress.errors import NotFound
from buttress.jobs import Job, Queue, Step

if TYPE_CHECKING:
    from buttress.pitr import PointInTime
    from buttress.runtime import Runtime

QUEUE = Queue("buttress.housekeeping", concurrency=1, poll_seconds=2.0)
DRILL_SCHEDULE = "0 5 * * 0"
PRUNE_SCHEDULE = "30 4 * * *"
BASE_SCHEDULE = "30 3 * * *"
PRUNE_ARCHIVE_SCHEDULE = "30 5 * * 0"
USAGE_DAYS = 400.0
"""How long calls of models are accounted for: a year can be compared with the one before."""


def housekeeping(runtime: Runtime) -> list[Job[..., object]]:
    """The jobs this deployment has without any app.

    `buttress.backup` at the times of BUTTRESS_BACKUP__SCHEDULE; `buttress.drill` on Sundays at
    05:00 where backups are made on schedule and not proven as they are made; without these times
    both are done when somebody asks. `buttress.prune` each day at 04:30; in UTC. Those of
    `archive_jobs` where the embedded server archives its log.
    """
    settings = runtime.settings.backup
    unproven = settings.schedule and not settings.drill
    return [
        prune_job(runtime),
        *archive_jobs(runtime),
        backup_job(runtime, settings.schedule or None),
        drill_job(runtime, DRILL_SCHEDULE if unproven else None),
    ]


def backup_job(runtime: Runtime, schedule: str | None) -> Job[..., object]:
    """Make a backup, then delete those the retention does not keep; returns the id of the new one.

    Its one argument is why it is made. A worker that dies half-way leaves nothing published: the
    next one begins the backup anew.
    """

    def create(why: str) -> str:
        return runtime.backup.create(why, progress=tell).id

    def prune() -> list[str]:
        return [backup.id for backup in runtime.backup.prune()]

    made = Step("buttress.make_backup", create)
    pruned = Step("buttress.prune_backups", prune)

    def backup(why: str = "on schedule") -> str:
        name = made(why)
        pruned()
        return name

    return Job("buttress.backup", backup, queue=QUEUE, schedule=schedule)


def drill_job(runtime: Runtime, schedule: str | None) -> Job[..., object]:
    """Restore the newest backup into a scratch database and compare it; returns its id.

    Raises `BadInput` when the restore is not what was backed up; the drill is recorded either way.
    """

    def verify() -> str | None:
        try:
            record = runtime.backup.verify(progress=tell)
        except NotFound:
            return None  # a deployment of today has no backup yet
        record.raise_if_different()
        return record.backup

    return Job(
        "buttress.drill",
        Step("buttress.verify_backup", verify),
        queue=QUEUE,
        schedule=schedule,
    )


def prune_job(runtime: Runtime) -> Job[..., object]:
    """Delete what is old: jobs that ended longer ago than BUTTRESS_JOBS__KEEP_DAYS, sign-ins that
    have ended, keys of requests that were answered a day ago, contents of files that a crash has
    left, the account of calls of models older than USAGE_DAYS; returns how many jobs."""

    def prune_jobs() -> int:
        return runtime.jobs.prune(days=runtime.settings.jobs.keep_days)

    def prune_sign_ins() -> None:
        with runtime.session() as session:
            signing_in.sweep(session, runtime.identities.lifetimes)
            repeats.sweep(session)

    def prune_files() -> int:
        return runtime.files.sweep()

    def prune_calls() -> None:
        from buttress.llm.tables import LLMCall

        with runtime.session() as session:
            # The database's clock: a host a year ahead would delete all of them.
            now = session.scalars(select(runtime.jobs.tables.now())).one()
            oldest = dt.datetime.fromtimestamp(now, dt.UTC) - dt.timedelta(days=USAGE_DAYS)
            session.execute(delete(LLMCall).where(LLMCall.at < oldest))

    jobs = Step("buttress.prune_jobs", prune_jobs)
    sign_ins = Step("buttress.prune_sign_ins", prune_sign_ins)
    files = Step("buttress.prune_files", prune_files)
    calls = Step("buttress.prune_model_calls", prune_calls)

    def prune() -> int:
        sign_ins()
        files()
        pruned = jobs()
        calls()
        return pruned

    return Job("buttress.prune", prune, queue=QUEUE, schedule=PRUNE_SCHEDULE)


def archive_jobs(runtime: Runtime) -> list[Job[..., object]]:
    """What point-in-time recovery needs: none where the embedded server never archived its log.

    `buttress.base` each day at 03:30 takes a base backup, a full one each week, and returns its id;
    `buttress.prune_archive` on Sundays at 05:30 deletes what no moment of the last four weeks
    needs, and returns the base backups. They do nothing while archiving is switched off.
    """
    servers = runtime.servers
    if servers is None or runtime.settings.database_url.get_secret_value() != "embedded":
        return []
    if not any((servers.home / "pitr").glob("*/wal")):
        return []

    def opened() -> PointInTime:
        from buttress.pitr import PointInTime

        return PointInTime(servers, runtime.settings)

    def take() -> str | None:
        pitr = opened()
        return pitr.base().id if pitr.status().on else None

    def delete() -> list[str]:
        pitr = opened()
        return pitr.prune().bases if pitr.status().on else []

    taken = Step("buttress.take_base", take)
    deleted = Step("buttress.delete_from_archive", delete)
    return [
        Job("buttress.base", taken, queue=QUEUE, schedule=BASE_SCHEDULE),
        Job("buttress.prune_archive", deleted, queue=QUEUE, schedule=PRUNE_ARCHIVE_SCHEDULE),
    ]


def tell(phase: str, done: int, total: int) -> None:
    """Pass a backup's progress on to the job that makes it."""
    Job.progress(done, total, phase)
