"""One statement, one round trip, one deadline: the barrier's own connection to the primary.

psycopg opens it; the statement itself goes through libpq's calls, which halves what Python adds to
the round trip. It never waits for longer than `ANSWER_SECONDS`.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence

import psycopg
from psycopg.pq import ExecStatus

from buttress.db.database import Database
from buttress.errors import Unavailable

ANSWER_SECONDS = 5.0


class Wire:
    """A connection in autocommit that asks one of a few known statements at a time."""

    def __init__(self, database: Database) -> None:
        """Connect to the database's primary; raises psycopg.Error."""
        arguments = database.backend.connect_args() | {"application_name": "buttress cache"}
        if "," in str(psycopg.conninfo.conninfo_to_dict(database.url.conninfo).get("host", "")):
            arguments.setdefault("target_session_attrs", "read-write")
        self.connection = psycopg.connect(database.url.conninfo, autocommit=True, **arguments)
        self.prepares = not database.url.transaction_pooler
        self._prepared: dict[bytes, bytes] = {}
        self._pgconn = self.connection.pgconn
        self._answers = select.poll()
        self._answers.register(self._pgconn.socket, select.POLLIN)

    @property
    def socket(self) -> int:
        """The number of its socket."""
        return self._pgconn.socket

    def ask(self, statement: bytes, parameters: Sequence[bytes]) -> list[bytes | None]:
        """The one row this statement answers, as text; raises Unavailable and must be closed."""
        try:
            if self.prepares:
                name = self._prepared.get(statement) or self._prepare(statement)
                self._pgconn.send_query_prepared(name, parameters)
            else:
                self._pgconn.send_query_params(statement, parameters)
            result = self._result(ExecStatus.TUPLES_OK)
        except psycopg.Error as error:
            raise Unavailable("lost the connection the cache asks for changes") from error
        return [result.get_value(0, column) for column in range(result.nfields)]

    def close(self) -> None:
        """Close the socket; never raises."""
        self.connection.close()

    def _prepare(self, statement: bytes) -> bytes:
        name = f"buttress_cache_{len(self._prepared)}".encode()
        self._pgconn.send_prepare(name, statement)
        self._result(ExecStatus.COMMAND_OK)
        self._prepared[statement] = name
        return name

    def _result(self, wanted: ExecStatus) -> psycopg.pq.abc.PGresult:
        give_up = time.monotonic() + ANSWER_SECONDS
        while self._pgconn.flush() or self._pgconn.is_busy():
            left = give_up - time.monotonic()
            if left <= 0 or not self._answers.poll(left * 1000):
                raise Unavailable(f"no answer about changes within {ANSWER_SECONDS} seconds")
            self._pgconn.consume_input()
        result = self._pgconn.get_result()
        while self._pgconn.get_result() is not None:
            pass
        if result is None or result.status != wanted:
            said = result.error_message.decode(errors="replace") if result else "nothing"
            raise Unavailable(f"the question for changes was refused: {said.strip()}")
        return result
