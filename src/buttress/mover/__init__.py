"""The move: a SQLite database into PostgreSQL, with a proof that every value arrived.

The data's way: `source` (a consistent snapshot) → `planner` (what becomes of everything) → `copy` (rows,
into a staging schema) → `finish` (keys, indexes, constraints, views) → `verify` (both sides re-read and
compared) → `stage.switch` (one transaction) → `report`.
"""

from __future__ import annotations

from buttress.mover.job import check_again as verify
from buttress.mover.job import move
from buttress.mover.report import MoveReport

__all__ = ["MoveReport", "move", "verify"]
