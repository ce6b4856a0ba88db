"""What comes after the data: keys, indexes, constraints, identities, views and triggers.

Everything is made in the staging schema. What PostgreSQL refuses is reported and the rest goes on;
what an earlier, interrupted run already made is not made again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import psycopg
from psycopg import sql

from buttress.mover.finishing.constraints import (
    add_constraints,
    constraints,
    validate_checks,
    validate_foreign_keys,
)
from buttress.mover.finishing.crew import Crew, Progress, Task, crew
from buttress.mover.finishing.identities import add_identities, sequences
from buttress.mover.finishing.keys import attach_primary_key, built, index_tasks, relations
from buttress.mover.finishing.programs import create_triggers, create_views
from buttress.mover.plan import NotCarried, Plan, Table
from buttress.mover.report import Orphans
from buttress.mover.statements import answering
from buttress.mover.target import Target

__all__ = ["Finished", "finish", "sequences"]

VALIDATION_MEMORY = "128MB"


@dataclass
class Finished:
    """What came out of `finish`: foreign keys with orphans, and what was refused."""

    orphans: list[Orphans] = field(default_factory=list)
    not_carried: list[NotCarried] = field(default_factory=list)


def finish(
    plan: Plan, target: Target, snapshot: Path, *, workers: int, progress: Progress | None = None
) -> Finished:
    """Make everything of the plan that rows do not need, after the rows; can be repeated.

    `snapshot` is the source: checks and views are compared with what SQLite says. `progress` is
    told what was made, how many things are done and how many there are, for each kind of thing
    anew.

    Raises
    ------
    Unavailable
        The server is gone, full or busy; what was made stays for the next run.
    """
    with (
        answering(target.label),
        target.connect(autocommit=True) as control,
        crew(target, max(1, workers)) as hands,
    ):
        done = Finished()
        tasks = index_tasks(control, plan, target, workers=workers)
        done.not_carried += _present(hands.run(tasks, progress))
        done.not_carried += _attach_keys(control, plan, target)
        done.not_carried += add_identities(control, plan, target)
        done.not_carried += add_constraints(control, plan, target)
        for settled in _settle(hands, plan, target, snapshot, progress):
            done.orphans += settled.orphans
            done.not_carried += settled.not_carried
        count = _Count(len(plan.views) + len(plan.triggers), progress)
        done.not_carried += create_views(control, plan, target, snapshot, count)
        if plan.triggers:
            done.not_carried += create_triggers(control, plan, target, count)
            # Their trials took ids from the sequences.
            add_identities(control, plan, target)
    return done


Thing = TypeVar("Thing")


def _present(found: Iterable[Thing | None]) -> list[Thing]:
    return [one for one in found if one is not None]


def _attach_keys(connection: psycopg.Connection, plan: Plan, target: Target) -> list[NotCarried]:
    indexes = relations(connection, target.staging)
    present = constraints(connection, target.staging)
    return _present(
        attach_primary_key(connection, table, target)
        for table in built(plan)
        if table.key
        and table.key_is_primary
        and table.key_target in indexes
        and (table.target, table.key_target) not in present
    )


def _settle(
    hands: Crew, plan: Plan, target: Target, snapshot: Path, progress: Progress | None
) -> list[Finished]:
    """Statistics and validation, one task a table: validations of one table exclude each other."""
    return hands.run(
        [
            Task(
                f"constraints of {table.name}",
                table.rows * (1 + len(table.checks) + len(table.foreign_keys)),
                partial(_settle_one, plan=plan, table=table, target=target, snapshot=snapshot),
            )
            for table in built(plan)
        ],
        progress,
    )


def _settle_one(
    connection: psycopg.Connection, *, plan: Plan, table: Table, target: Target, snapshot: Path
) -> Finished:
    _more_memory(connection)
    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table.target)))
    refused = validate_checks(connection, table, target, snapshot)
    orphans, more = validate_foreign_keys(connection, plan, table, target)
    return Finished(orphans, refused + more)


def _more_memory(connection: psycopg.Connection) -> None:
    connection.execute("SELECT set_config('maintenance_work_mem', %s, false)", (VALIDATION_MEMORY,))


class _Count:
    """Counts the views and triggers done, for the progress."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self, what: str) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(what, self._done, self._total)
