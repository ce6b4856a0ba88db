"""The move: a SQLite database into PostgreSQL, with a proof that every value arrived.

The data's way through the rooms: `source` (a consistent snapshot) → `planning` and `translate`
(what becomes of everything) → `loading` (rows, into a staging schema) → `finishing` (keys, indexes,
constraints, views) → `proof` (both sides re-read and compared) → `switch` (one transaction) →
`report`. `job` walks it; `live` goes on while the source is still written to. What the rooms share
lies beside them: `plan`, `values` (the rules by which values cross), `target`, `side_tables`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from buttress.mover.again import check_again
    from buttress.mover.job import move
    from buttress.mover.report import MoveReport

__all__ = ["MoveReport", "check_again", "move"]


def __getattr__(name: str) -> Any:
    # Lazily: a worker process imports this package and needs none of it.
    if name == "MoveReport":
        from buttress.mover.report import MoveReport

        return MoveReport
    if name == "check_again":
        from buttress.mover.again import check_again

        return check_again
    if name == "move":
        from buttress.mover.job import move

        return move
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
