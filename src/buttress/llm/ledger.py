"""Writes calls down, each in a short transaction of its own, and never at the cost of the call."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from buttress.db.database import Database
from buttress.db.url import DatabaseURL
from buttress.errors import ButtressError
from buttress.llm.entry import Entry
from buttress.llm.tables import LLMCall
from buttress.settings import PoolSettings, TimeoutSettings

log = logging.getLogger(__name__)

KEPT = 10_000
"""Rows kept in memory while the database takes none; the oldest are given up first."""
AGAIN_SECONDS = 5.0
POOL = PoolSettings.model_validate({"size": 2, "overflow": 2, "timeout_seconds": 5.0})
# A caller waits for this: a database that is away must not hold it up.
TIMEOUTS = TimeoutSettings.model_validate(
    {
        "connect_seconds": 2.0,
        "statement_seconds": 5.0,
        "lock_seconds": 1.0,
        "restart_seconds": 0.0,
        "start_seconds": 0.0,
    }
)

Spent = dict[tuple[str, str | None], Decimal]
"""USD by app and person."""


class Ledger:
    """The book of calls.

    What the database does not take is kept, up to 10,000 rows, and written every five seconds until
    it does; meanwhile callers are not made to wait for it.
    """

    def __init__(self, url: DatabaseURL) -> None:
        self.database = Database(
            url, pool=POOL, timeouts=TIMEOUTS, application_name="buttress models"
        )
        self._unwritten: deque[dict[str, Any]] = deque()
        self._lock = threading.Lock()
        self._again: threading.Thread | None = None
        self._stop = threading.Event()
        self._known: Spent = {}

    def write(self, entry: Entry) -> None:
        """Have one call written: now if the database takes it, else later."""
        row = entry.row()
        with self._lock:
            waiting = self._again is not None
        if not waiting:
            try:
                self._insert([row])
            except (ButtressError, SQLAlchemyError) as error:
                log.warning("model call is not written yet", extra={"reason": type(error).__name__})
            else:
                return
        self._keep(row)

    def flush(self) -> bool:
        """Write what is kept; tells whether nothing is left."""
        with self._lock:
            rows = list(self._unwritten)
        if not rows:
            return True
        try:
            self._insert(rows)
        except (ButtressError, SQLAlchemyError):
            return False
        with self._lock:
            written = {row["id"] for row in rows}
            self._unwritten = deque(row for row in self._unwritten if row["id"] not in written)
            left = bool(self._unwritten)
        log.info("model calls are written again", extra={"rows": len(rows)})
        return not left

    def spent_since(self, moment: datetime, *, without: Collection[UUID] = ()) -> Spent:
        """What calls have cost since then, those not written yet included, but for some.

        While the database is away the last known figures stand for those it holds.
        """
        with self._lock:
            kept = [row for row in self._unwritten if row["id"] not in without]
        counted_here = [*without, *(row["id"] for row in kept)]
        chosen = (
            select(LLMCall.app, LLMCall.person, func.sum(LLMCall.cost))
            .where(LLMCall.at >= moment, LLMCall.cost.is_not(None))
            .where(LLMCall.id.not_in(counted_here))
            .group_by(LLMCall.app, LLMCall.person)
        )
        try:
            with self.database.connection(read_only=True) as connection:
                rows = connection.execute(chosen).all()
            self._known = {(app, person): cost or Decimal(0) for app, person, cost in rows}
        except (ButtressError, SQLAlchemyError) as error:
            log.warning("budgets rely on what is known", extra={"reason": type(error).__name__})
        spent = dict(self._known)
        for row in kept:
            if row["at"] >= moment and row["cost"] is not None:
                key = (row["app"], row["person"])
                spent[key] = spent.get(key, Decimal(0)) + row["cost"]
        return spent

    def close(self) -> None:
        """Try once more to write what is kept, and close the connections."""
        self._stop.set()
        with self._lock:
            again = self._again
        if again is not None:
            again.join(AGAIN_SECONDS * 2)
        if not self.flush():
            log.error("model calls are lost", extra={"rows": len(self._unwritten)})
        self.database.close()

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        with self.database.connection() as connection:
            connection.execute(insert(LLMCall), rows)

    def _keep(self, row: dict[str, Any]) -> None:
        with self._lock:
            self._unwritten.append(row)
            lost = len(self._unwritten) - KEPT
            if lost > 0:
                self._unwritten.popleft()
                log.error("model calls are lost", extra={"rows": lost})
            if self._again is None and not self._stop.is_set():
                self._again = threading.Thread(
                    target=self._try_again, name="buttress model calls", daemon=True
                )
                self._again.start()

    def _try_again(self) -> None:
        while not self._stop.wait(AGAIN_SECONDS):
            if self.flush():
                with self._lock:
                    if not self._unwritten:
                        self._again = None
                        return
        with self._lock:
            self._again = None
