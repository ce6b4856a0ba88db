"""Schedules: jobs that begin at times, once for all hosts.

The engine names each run after its schedule and its time, so that of several workers one makes it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from dbos import ClientScheduleInput, DBOSClient
from dbos import error as engine_errors

from buttress.errors import ConfigurationError
from buttress.jobs.declaration import Job
from buttress.jobs.engine import SCHEDULED


def apply_schedules(client: DBOSClient, jobs: Sequence[Job[Any, Any]]) -> None:
    """Let the schedules in the database be those the jobs declare.

    One that is as declared is left alone: it remembers when it fired last, for `catch_up`. Those
    of apps that are not among the jobs stay.

    Raises
    ------
    ConfigurationError
        A schedule cannot be read.
    """
    there: dict[str, Any] = {found["schedule_name"]: found for found in client.list_schedules()}
    wanted = {job.name: _schedule(job) for job in jobs if job.schedule is not None}
    for name, schedule in wanted.items():
        found = there.get(name)
        if found and all(found[field] == value for field, value in schedule.items()):
            continue
        try:
            client.apply_schedules([schedule])
        except engine_errors.DBOSException as error:
            raise ConfigurationError(
                f"job {name}: {schedule['schedule']!r} is no schedule",
                hint="Write minute, hour, day, month and weekday as cron does: 0 6 * * 1-5.",
            ) from error
    apps = {job.name.partition(".")[0] for job in jobs}
    for name in there:
        if name not in wanted and name.partition(".")[0] in apps:
            client.delete_schedule(name)


def is_second_time(job: Job[Any, Any], at: dt.datetime) -> bool:
    """Whether the clock shows this time again because it was set back, for a job of fixed hours.

    The engine fires at both; whoever says "at 02:30" means once. A job of every hour goes on.
    """
    every_hour = (job.schedule or "").split()[-4:-3] in (["*"], ["*/1"])
    return not every_hour and at.astimezone(ZoneInfo(job.time_zone)).fold == 1


def _schedule(job: Job[Any, Any]) -> ClientScheduleInput:
    return {
        "schedule_name": job.name,
        "workflow_name": SCHEDULED,
        "schedule": job.schedule or "",
        "context": job.name,
        "automatic_backfill": job.catch_up,
        "cron_timezone": job.time_zone,
        "queue_name": job.queue_name,
    }
