"""The move: a SQLite database into PostgreSQL, with a proof that every value arrived.

The data's way: `source` (a consistent snapshot) → `planner` (what becomes of everything) → `copy`
(rows, into a staging schema) → `finish` (keys, indexes, constraints, views) → `verify` (both sides
re-read and compared) → `switch` (one transaction) → `report`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from buttress.mover.job import check_again, move
    from buttress.mover.report import MoveReport

__all__ = ["MoveReport", "check_again", "move"]


def __getattr__(name: str) -> Any:
    # Lazily: a worker process imports this package and needs none of it.
    if name == "MoveReport":
        from buttress.mover.report import MoveReport

        return MoveReport
    if name in __all__:
        from buttress.mover import job

        return getattr(job, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
