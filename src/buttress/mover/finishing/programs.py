"""Views and triggers: created after everything else, tried, and kept only when they work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

from buttress.errors import Unavailable
from buttress.mover.finishing.compare_views import same_rows
from buttress.mover.finishing.rehearse import rehearse
from buttress.mover.plan import NotCarried, Plan, Trigger, View
from buttress.mover.source.snapshot import open_snapshot
from buttress.mover.statements import attempt, raw, reason_of
from buttress.mover.target import Target

COMPARED_ROWS = 1_000_000
COMPARE_SECONDS = 60.0


class _Refused(Exception):
    """Undoes a view or a trigger that PostgreSQL took but that does not do what it should."""


def create_views(
    connection: psycopg.Connection,
    plan: Plan,
    target: Target,
    snapshot: Path,
    progress: Callable[[str], None],
) -> list[NotCarried]:
    """Create the views, in whatever order they need one another, and keep those that show the same
    rows.

    Views of an earlier attempt are dropped first.
    """
    _drop_views(connection, target)
    refused: list[NotCarried] = []
    waiting = list(plan.views)
    while waiting:
        errors: list[tuple[View, psycopg.Error]] = []
        for view in waiting:
            make = partial(_create_view, connection, view, snapshot)
            try:
                error = attempt(connection, make, target.label)
            except _Refused as difference:
                refused.append(_view_refused(view, str(difference)))
                error = None
            if isinstance(error, psycopg.errors.UndefinedTable):
                errors.append((view, error))
                continue
            if error is not None:
                refused.append(_view_refused(view, reason_of(error)))
            progress(f"view {view.name}")
        if len(errors) == len(waiting):
            for view, error in errors:
                refused.append(_view_refused(view, reason_of(error)))
                progress(f"view {view.name}")
            break
        waiting = [view for view, _ in errors]
    return refused


def create_triggers(
    connection: psycopg.Connection, plan: Plan, target: Target, progress: Callable[[str], None]
) -> list[NotCarried]:
    """Create the triggers, fire each once on a trial that is undone, and keep those that run.

    Triggers of an earlier attempt are dropped first. The trials use up ids of identity sequences.
    """
    _drop_trigger_functions(connection, target)
    refused: list[NotCarried] = []
    for trigger in plan.triggers:
        make = partial(_create_trigger, connection, plan, trigger, target)
        try:
            error = attempt(connection, make, target.label)
            reason = "" if error is None else reason_of(error)
        except _Refused as failure:
            reason = str(failure)
        if reason:
            refused.append(
                NotCarried(
                    kind="trigger",
                    name=trigger.name,
                    table=trigger.table,
                    source=trigger.source,
                    reason=reason,
                )
            )
        progress(f"trigger {trigger.name}")
    return refused


def _create_view(connection: psycopg.Connection, view: View, snapshot: Path) -> None:
    connection.execute(
        sql.SQL("CREATE VIEW {} AS {}").format(sql.Identifier(view.target), raw(view.sql))
    )
    with closing(open_snapshot(snapshot)) as source:
        difference = same_rows(
            source,
            connection,
            view.name,
            view.target,
            max_rows=COMPARED_ROWS,
            timeout_seconds=COMPARE_SECONDS,
        )
    if connection.broken:
        raise Unavailable(
            f"the connection was lost while view {view.name} was compared",
            hint="See that the server is running, then continue with --resume.",
        )
    if difference:
        raise _Refused(difference)


def _create_trigger(
    connection: psycopg.Connection, plan: Plan, trigger: Trigger, target: Target
) -> None:
    before = _triggers(connection, target.staging)
    connection.execute(raw(trigger.sql))
    _bind_functions(connection, target)
    created = sorted(_triggers(connection, target.staging) - before)
    if not created:
        raise _Refused("its translation made no trigger")
    for oid in created:
        failure = rehearse(connection, oid)
        if failure:
            raise _Refused(failure)


def _bind_functions(connection: psycopg.Connection, target: Target) -> None:
    """Bodies name tables without schema; the switch binds the functions to the final one."""
    rows = connection.execute(
        "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname = %s AND p.prorettype = 'trigger'::regtype AND p.proconfig IS NULL",
        (target.staging,),
    ).fetchall()
    for (name,) in rows:
        connection.execute(
            sql.SQL("ALTER FUNCTION {}() SET search_path = {}, pg_temp").format(
                sql.Identifier(target.staging, name), sql.Identifier(target.staging)
            )
        )


def _triggers(connection: psycopg.Connection, schema: str) -> set[int]:
    rows = connection.execute(
        "SELECT t.oid FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND NOT t.tgisinternal",
        (schema,),
    ).fetchall()
    return {oid for (oid,) in rows}


def _drop_views(connection: psycopg.Connection, target: Target) -> None:
    rows = connection.execute(
        "SELECT viewname FROM pg_views WHERE schemaname = %s", (target.staging,)
    ).fetchall()
    for (name,) in rows:
        connection.execute(
            sql.SQL("DROP VIEW IF EXISTS {} CASCADE").format(sql.Identifier(target.staging, name))
        )


def _drop_trigger_functions(connection: psycopg.Connection, target: Target) -> None:
    rows = connection.execute(
        "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname = %s AND p.prorettype = 'trigger'::regtype",
        (target.staging,),
    ).fetchall()
    for (name,) in rows:
        connection.execute(
            sql.SQL("DROP FUNCTION {}() CASCADE").format(sql.Identifier(target.staging, name))
        )


def _view_refused(view: View, reason: str) -> NotCarried:
    return NotCarried(kind="view", name=view.name, source=view.source, reason=reason)
