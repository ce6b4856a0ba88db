"""What intruders try is told, and nobody can fill a log with it.

A person who asks for what they may not have stands in the audit log. What comes from nobody we
know, forged tokens, cookies and origins, goes to the log `buttress.security`. Both are bounded: so
many lines at once from one place, so many from all places together; the rest is counted, and the
next line says how many there were.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager

import anyio.to_thread
from sqlalchemy.orm import Session

from buttress.access import Identity, Origin, audit
from buttress.access.throttle import network
from buttress.errors import ButtressError
from buttress.gate.rates import Rates

log = logging.getLogger("buttress.security")

LINES_A_MINUTE = 5
"""From one address, or about one person."""
ALL_LINES_A_MINUTE = 60
PATH_LENGTH = 200


class Incidents:
    """What was tried lately; in this process, as its limits are."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction
        self._rates = Rates(LINES_A_MINUTE)
        self._all = Rates(ALL_LINES_A_MINUTE)
        self._untold = 0

    def refused(self, reason: str, method: str, path: str, origin: Origin) -> None:
        """Tell of a request that somebody unknown made with what is not good."""
        untold = self._count(f"address {network(origin.address)}")
        if untold is not None:
            log.warning(
                "request refused",
                extra={
                    "reason": reason, "method": method, "path": path[:PATH_LENGTH],
                    "address": origin.address, "request_id": origin.request_id,
                    "untold_before": untold,
                },
            )  # fmt: skip

    async def forbidden(self, identity: Identity, method: str, path: str) -> None:
        """Tell of a request that a person, or a token of theirs, may not make."""
        untold = self._count(f"person {identity.person}")
        if untold is None:
            return

        def record() -> None:
            with self._transaction() as session:
                audit.record(
                    session, "request", f"{method} {path[:PATH_LENGTH]}", outcome="refused",
                    actor=identity.name, origin=identity.origin,
                    details={"token": identity.token, "untold_before": untold},
                )  # fmt: skip

        try:
            await anyio.to_thread.run_sync(record)
        except ButtressError as error:
            # It was answered already: where the audit log cannot be reached the other one has it.
            log.warning(
                "request forbidden",
                extra={
                    "person": identity.name, "method": method, "path": path[:PATH_LENGTH],
                    "address": identity.origin.address, "why_not_audited": error.message,
                },
            )  # fmt: skip

    def _count(self, who: str) -> int | None:
        """How many were not told since the last that was; None when this one is not told either."""
        if self._rates.seconds_to_wait(who) or self._all.seconds_to_wait(""):
            self._untold += 1
            return None
        untold, self._untold = self._untold, 0
        return untold
