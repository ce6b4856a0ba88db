"""Tells the server for whom a transaction works: whose rows it sees, and its id.

Whose rows, policies read from the settings of `buttress.db.tenancy`. The id is in
`application_name`: `pg_stat_activity` shows it beside the statement, and the server's log with `%a`
in log_line_prefix. A comment in the SQL would show it too, and make every statement a new one:
nothing would be prepared any more. Both travel with BEGIN, in one message, and cost no round trip.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, event

from buttress.db import tenancy
from buttress.telemetry import context

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 63
"""Bytes PostgreSQL keeps of a name."""
FORBIDDEN = re.compile(r"[^A-Za-z0-9_ -]")


def tell_server(engine: Engine, application: str) -> None:
    """Have each transaction of a person see their rows, and each of a request or a job bear its
    id: `buttress 0f3a…`, of a job `buttress job 7c1d…`. Others keep the application's name."""
    event.listen(engine, "begin", begin_for(application))


def begin_for(application: str) -> Callable[[Connection], None]:
    """What begins a transaction in the name of whom it works for."""

    def begin(connection: Connection) -> None:
        name, scope = name_here(application), tenancy.scope()
        connection.info[tenancy.NOTED] = scope
        driver: Any = connection.connection.driver_connection
        if (name is None and scope is None) or driver.autocommit:
            return
        settings = scope.settings if scope is not None else ()
        if name is not None:
            settings = (*settings, ("application_name", name))
        # Ids and names of letters and digits: nothing in them ends a literal. No SELECT: after one
        # an isolation level could no longer be chosen.
        statement = "; ".join(f"SET LOCAL {key} = '{value}'" for key, value in settings)
        if isinstance(driver, AsyncConnection):  # the loop must not wait for an answer
            connection.exec_driver_sql(statement)
            return
        server = driver.pgconn
        if server.transaction_status == TransactionStatus.IDLE:
            # Private, and what it would send itself: isolation level, READ ONLY.
            statement = f"{driver._get_tx_start_command().decode()}; {statement}"
        # A connection that is lost is told by the first statement, which is sent again elsewhere.
        server.exec_(statement.encode())

    return begin


def name_here(application: str) -> str | None:
    """The name of what this thread or task does; None when nobody has said."""
    here = context()
    if here.job_id:
        name = f"{application} job {here.job_id}"
    elif here.request_id:
        name = f"{application} {here.request_id}"
    else:
        return None
    return FORBIDDEN.sub("_", name)[:LONGEST]
