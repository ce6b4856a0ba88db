"""Storage classes of the cells in columns of rule `mixed`, as `buttress_cells` lists them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from buttress.mover.plan import Table


class CellClasses:
    """The lines of `buttress_cells` for one table, each to be used once; kept outside memory."""

    def __init__(self, table: Table) -> None:
        self._usual = {column.name.lower(): column.usual for column in table.columns}
        # An unnamed database is a temporary file that SQLite removes.
        self._lines = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._lines.execute("PRAGMA synchronous = OFF")
        self._lines.execute(
            "CREATE TABLE line (row_key TEXT, row_id INTEGER, name TEXT, class TEXT)"
        )
        self._lines.execute("CREATE INDEX by_key ON line (row_key, row_id)")
        self._lines.execute("BEGIN")
        self.lines = 0

    def add(
        self,
        row_keys: list[str],
        row_ids: list[int | None],
        names: list[str],
        classes: list[str],
    ) -> None:
        """Remember these lines."""
        self._lines.executemany(
            "INSERT INTO line VALUES (?, ?, ?, ?)",
            zip(row_keys, row_ids, map(str.lower, names), classes, strict=True),
        )
        self.lines += len(row_keys)

    def take(self, row_key: str) -> dict[str, str]:
        """The classes by column of one row of that name; the next call, those of its duplicate."""
        found = self._lines.execute(
            "SELECT rowid, row_id, name, class FROM line WHERE row_key = ? "
            "ORDER BY row_id LIMIT 2000",
            (row_key,),
        ).fetchall()
        if not found:
            return {}
        taken: dict[str, str] = {}
        for number, row_id, name, kind in found:
            # A second line for the same cell stays, and is reported as left over.
            if row_id != found[0][1] or name in taken or name not in self._usual:
                continue
            taken[name] = kind
            self._lines.execute("DELETE FROM line WHERE rowid = ?", (number,))
        return taken

    def left(self) -> Iterator[tuple[str, str, str]]:
        """Lines nobody took: row, column and class of cells that do not exist."""
        yield from self._lines.execute("SELECT row_key, name, class FROM line")

    def close(self) -> None:
        """Remove them."""
        self._lines.close()
