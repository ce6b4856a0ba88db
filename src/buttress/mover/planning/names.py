"""PostgreSQL names for what SQLite calls by any name.

Names keep their letters and their case. Only what PostgreSQL cannot have is renamed: longer than
63 bytes, empty, taken already, a system column, or reserved for our own tables. The new name ends
in a hash of the old one, so every run gives the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

LIMIT_BYTES = 63
SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
RESERVED_PREFIXES = ("buttress_", "pg_")
"""Ours, and those of PostgreSQL's catalogue, which is searched before any schema."""


def _is_system_column(name: str) -> bool:
    return name in SYSTEM_COLUMNS


def _is_reserved(name: str) -> bool:
    return name.startswith(RESERVED_PREFIXES)


@dataclass(frozen=True)
class Namespace:
    """Names that must differ: the relations of a schema, or the columns of a table."""

    refused: Callable[[str], bool] = lambda name: False
    """Which names may not be used at all."""
    taken: set[str] = field(default_factory=set)

    def take(self, wanted: str) -> str:
        """The wanted name if PostgreSQL can have it, else a new one; it is taken from now on."""
        name = wanted.replace("\0", "")
        attempt = 0
        while not self._allowed(name):
            name = _with_hash(wanted, attempt)
            attempt += 1
        self.taken.add(name)
        return name

    def _allowed(self, name: str) -> bool:
        fits = 0 < len(name.encode()) <= LIMIT_BYTES
        return fits and name not in self.taken and not self.refused(name)


def relations() -> Namespace:
    """Tables, indexes and views of one schema share their names; some are taken."""
    return Namespace(_is_reserved)


def columns() -> Namespace:
    """The columns of one table."""
    return Namespace(_is_system_column)


def constraints() -> Namespace:
    """The constraints of one table."""
    return Namespace()


def joined(*parts: str) -> str:
    """A constraint's usual name, `table_column_key`; `take` shortens it."""
    return "_".join(parts)


def _with_hash(wanted: str, attempt: int) -> str:
    """`wanted`, cut where needed, with eight hexadecimal digits of its hash."""
    seed = wanted if attempt == 0 else f"{wanted}\0{attempt}"
    digits = hashlib.sha256(seed.encode()).hexdigest()[:8]
    stem = wanted.replace("\0", "") or "unnamed"
    if stem.startswith(RESERVED_PREFIXES):
        stem = f"source_{stem}"
    room = LIMIT_BYTES - len(digits) - 1
    return f"{stem.encode()[:room].decode(errors='ignore')}_{digits}"
