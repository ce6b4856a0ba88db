"""One standby: how far it has replayed, and whether it may take reads."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from buttress.db.positions import STANDBY, PositionHistory
from buttress.errors import ButtressError

if TYPE_CHECKING:
    from buttress.db.database import Database

log = logging.getLogger(__name__)

FRESH_SECONDS = 3.0
"""A standby that has not been heard of for so long is left out."""


@dataclass(frozen=True)
class ReplicaStatus:
    """One standby, as this process sees it."""

    label: str
    usable: bool
    why: str
    """Why not; empty when it is usable."""
    behind_seconds: float
    """How old its data was at most when it was last looked at; infinite when that is not known."""


class Standby:
    """One server that may take reads."""

    def __init__(self, database: Database, history: PositionHistory) -> None:
        self.database = database
        self._history = history
        self.label = database.url.label
        self.behind_seconds = float("inf")
        self._why = "not looked at yet"
        self._heard_at = float("-inf")

    @property
    def why(self) -> str:
        """Why it cannot be used, or nothing."""
        if not self._why and time.monotonic() - self._heard_at > FRESH_SECONDS:
            return "does not answer"
        return self._why

    @property
    def info(self) -> dict[str, str]:
        """What a session on it carries as `session.info`."""
        return {"replica": self.label}

    def status(self) -> ReplicaStatus:
        """As it was last seen."""
        return ReplicaStatus(self.label, not self.why, self.why, self.behind_seconds)

    def look(self) -> None:
        """Ask how far it is, through a connection of its own."""
        try:
            with self.database.session(read_only=True) as session:
                self.replayed(session)
        except (ButtressError, SQLAlchemyError) as error:
            self.leave_out(f"does not answer: {getattr(error, 'message', type(error).__name__)}")
            return
        self._heard_at = time.monotonic()

    def replayed(self, session: Session) -> int | None:
        """How far the server of this session is; None, and left out, when it may not be used."""
        position = session.scalar(STANDBY)
        floor = self._history.floor()
        if position is None:
            self.behind_seconds = float("inf")
            self.leave_out("is no standby, or not under READ COMMITTED")
            return None
        self.behind_seconds = self._history.behind(int(position))
        if floor is None:
            self.leave_out("the primary does not answer, so its lag is not known")
            return None
        if position < floor:
            self.leave_out(f"is more than {self._history.seconds:g} seconds behind")
            return None
        if self._why:
            log.info("replica in use", extra={"replica": self.label})
            self._why = ""
        return int(position)

    def leave_out(self, why: str) -> None:
        """Do without it until it is looked at again."""
        if not self._why:
            log.warning("replica left out", extra={"replica": self.label, "reason": why})
        self._why = why
