"""Where a move builds: the target, resolved from what was asked, locked, and known to be empty."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import psycopg

from buttress.db.embedded import start_servers
from buttress.db.url import parse_database_url
from buttress.errors import ConfigurationError, Conflict
from buttress.mover import side_tables, stage
from buttress.mover.report import MoveReport
from buttress.mover.statements import answering
from buttress.mover.target import Target, open_target
from buttress.settings import Settings


@dataclasses.dataclass(frozen=True)
class Site:
    """Where a move builds: the target, and the connection that holds the move's lock."""

    target: Target
    control: psycopg.Connection
    grant_to: str | None
    """The role that is to use the tables (the embedded server's app role)."""
    occupied: bool
    finished: MoveReport | None = None
    """The report of this very move, when its switch was committed already."""


@contextlib.contextmanager
def target_of(
    url: str | None, settings: Settings, schema: str, move_id: str
) -> Iterator[tuple[Target, str | None]]:
    """The target that is meant, and the role that uses its tables (the embedded server's app)."""
    given = url or settings.database_url.get_secret_value()
    with contextlib.ExitStack() as stack:
        role = None
        if given == "embedded":
            servers = stack.enter_context(start_servers(settings.home))
            given, role = servers.postgres_url("owner"), "buttress_app"
        parsed = parse_database_url(given)
        if parsed.backend != "postgresql":
            raise ConfigurationError(
                f"{parsed.label} is no PostgreSQL server",
                hint="Name one with --to postgresql://…, or leave --to out for the embedded one.",
            )
        if parsed.schema not in (None, schema):
            raise ConfigurationError(
                f"the URL names schema {parsed.schema}, but the move goes to {schema}",
                hint=f"Add --schema {parsed.schema}, or take ?schema= out of the URL.",
            )
        target = open_target(parsed.conninfo, label=parsed.label, schema=schema, move_id=move_id)
        yield target, role


@contextlib.contextmanager
def locked_site(
    url: str | None, settings: Settings, schema: str, move_id: str, *, replace: bool
) -> Iterator[Site]:
    """The target, locked for this move and checked to be empty before any work is done."""
    with (
        target_of(url, settings, schema, move_id) as (target, role),
        answering(target.label),
        target.connect() as control,
    ):
        # The lock is the session's: it goes with the connection, also when this process is killed.
        row = control.execute(
            "select pg_try_advisory_lock(hashtext('buttress move'), hashtext(%s))", (schema,)
        ).fetchone()
        if not row or not row[0]:
            raise Conflict(
                f"another move into schema {schema} of {target.label} is running",
                hint="Wait until it has finished, or name another schema with --schema.",
            )
        if stage.switched(control, schema, move_id):
            yield Site(target, control, role, True, side_tables.newest_move(control, schema))
            return
        occupied = stage.occupied(control, schema)
        control.commit()
        if occupied and not replace:
            more = f" and {len(occupied) - 5} more" if len(occupied) > 5 else ""
            raise Conflict(
                f"schema {schema} of {target.label} already holds {', '.join(occupied[:5])}{more}",
                hint="Name another one with --schema, or use --replace: they are kept beside it.",
            )
        yield Site(target, control, role, bool(occupied))
