"""A table of the plan while it is being made: what the source says beside what was decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import apsw

from buttress.mover import values
from buttress.mover.plan import NotCarried, Plan, Table
from buttress.mover.planning import names
from buttress.mover.planning.names import Namespace
from buttress.mover.source.profile import ColumnFacts, TableFacts
from buttress.mover.source.read import codec, raw_text
from buttress.mover.source.schema import SourceTable, fold, quoted


@dataclass
class Draft:
    """One moving table; `relations` are the names taken in the schema."""

    source: SourceTable
    facts: TableFacts
    table: Table
    relations: Namespace
    constraints: Namespace = field(default_factory=names.constraints)
    key_index: str = ""
    """The source's unique index that stands in for a primary key."""

    def facts_of(self, column: str) -> ColumnFacts:
        """What was counted in a column."""
        wanted = fold(column)
        pairs = zip(self.source.columns, self.facts.columns, strict=True)
        return next(facts for found, facts in pairs if fold(found.name) == wanted)

    def source_generated(self, column: str) -> bool:
        """Whether SQLite computes the column."""
        found = self.source.column(column)
        return found is not None and found.generated is not None

    def collides(self, connection: apsw.Connection, columns: list[str]) -> bool:
        """Whether rows that differ in these columns could be equal in the target.

        Only rule `mixed` can do that: the integer 1 and the text '1' have the same target text.
        """
        mixed = {fold(name) for name in columns if self.table.column(name).rule == "mixed"}
        if all(len(self.facts_of(name).classes) < 2 for name in mixed):
            return False
        ((encoding,),) = connection.execute("PRAGMA encoding").fetchall()
        connection.create_scalar_function(
            "target_text", partial(_target_text, codec(str(encoding))), 2, deterministic=True
        )
        terms = [
            f"target_text(typeof({name}), {raw_text(name)})" if mixing else name
            for name, mixing in ((quoted(name), fold(name) in mixed) for name in columns)
        ]
        known = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in columns)
        return bool(
            connection.execute(
                f"SELECT 1 FROM {quoted(self.table.name)} WHERE {known}"
                f" GROUP BY {', '.join(terms)} HAVING count(*) > 1 LIMIT 1"
            ).fetchall()
        )

    def refuse_key(self, plan: Plan, columns: list[str]) -> None:
        """List a key or unique constraint whose values are not unique in the target."""
        plan.not_carried.append(
            NotCarried(
                kind="unique index",
                name=", ".join(columns),
                table=self.table.name,
                source=f"UNIQUE ({', '.join(quoted(name) for name in columns)})",
                reason="values that differ only in storage class (1 and '1') have the same text "
                "in PostgreSQL",
            )
        )


def _target_text(encoding: str, *cell: apsw.SQLiteValue) -> apsw.SQLiteValue:
    """What a mixed column will hold, from a cell's class and its value, text as its bytes.

    Text that no column can hold is in quarantine: its bytes meet no other value.
    """
    kind, value = cell
    try:
        if kind == "text":
            value = values.rule("text").encode((value or b"").decode(encoding))  # type: ignore[union-attr]  # text comes as bytes
        return str(values.rule("mixed").encode(value))
    except ValueError:
        return value
