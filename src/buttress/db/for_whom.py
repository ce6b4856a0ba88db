"""Tells the server for whom a transaction works: `application_name` bears the id.

`pg_stat_activity` shows it beside the statement, and the server's log with `%a` in
log_line_prefix. A comment in the SQL would show it too, and make every statement a new one: nothing
would be prepared any more. The id travels with BEGIN, in one message, so it costs no round trip.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, event

from buttress.telemetry import context

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 63
"""Bytes PostgreSQL keeps of a name."""
FORBIDDEN = re.compile(r"[^A-Za-z0-9_ -]")


def tell_server(engine: Engine, application: str) -> None:
    """Have each transaction of a request or a job bear its id: `buttress 0f3a…`, of a job
    `buttress job 7c1d…`. Others keep the application's name alone."""
    event.listen(engine, "begin", begin_for(application))


def begin_for(application: str) -> Callable[[Connection], None]:
    """What begins a transaction in the name of whom it works for."""

    def begin(connection: Connection) -> None:
        name = name_here(application)
        driver: Any = connection.connection.driver_connection
        if name is None or driver.autocommit:
            return
        statement = f"SET LOCAL application_name = '{name}'"
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
