"""The declaration of a roll-up, and the SQL that adds its source up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import MetaData

from buttress.db.catalogue import quoted
from buttress.db.rollup_histogram import BUCKET
from buttress.errors import ConfigurationError

Named = Sequence[str] | Mapping[str, str]
"""Columns of the source, or names for SQL expressions over them."""

PINNED = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_time": "C",
    "lc_numeric": "C",
    "lc_monetary": "C",
}
"""What expressions depend on besides the row: the same for all who write, fill and verify."""

_NAMES = f"unnest(ARRAY[{', '.join(map(repr, PINNED))}]) AS name"
_SETS = [f"set_config({name!r}, {value!r}, true)" for name, value in PINNED.items()]
PIN = (
    f"SELECT set_config('buttress_before.' || name, current_setting(name), true) FROM {_NAMES}",
    f"SELECT {', '.join(_SETS)}",
)
"""Statements that set them within the transaction."""

# Outside a transaction nothing was set, and nothing is remembered.
_BEFORE = "nullif(current_setting('buttress_before.' || name, true), '')"
UNPIN = f"SELECT set_config(name, {_BEFORE}, true) FROM {_NAMES}"
"""What sets them as they were before."""


@dataclass(frozen=True)
class Rollup:
    """The declaration of a roll-up; `declared` finds it again.

    Attributes
    ----------
    name
        The view to read.
    source
        The model or `Table` that is added up.
    by
        Its dimensions, at least one: columns, or names with SQL expressions,
        `{"month": "date_trunc('month', at)"}`. Whoever writes, they are evaluated in UTC and with
        the rest of `PINNED`.
    sums
        What is added up and counted, likewise.
    histogram
        A column or expression whose percentiles are asked for. Its values are counted in buckets,
        32 for each power of two, in the view `<name>_histogram`, a row for each combination and
        bucket.
    fold_every
        Statements, on average, after which parts are folded; larger makes writing cheaper and
        reading dearer.
    """

    name: str
    source: Any
    by: Named
    sums: Named = ()
    histogram: str | None = None
    fold_every: int = 200
    table: sa.Table = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", getattr(self.source, "__table__", self.source))
        if not self.by:
            raise ConfigurationError(
                f"roll-up {self.name!r} has no dimension", hint="Say by=[…] with one at least."
            )
        self.table.metadata.info.setdefault("rollups", {})[self.name] = self

    @property
    def dimensions(self) -> dict[str, str]:
        """Names and expressions."""
        return _expressions(self.by)

    @property
    def measures(self) -> dict[str, str]:
        """Names and the aggregates they are."""
        found = {"rows": "count(*)"}
        for name, expression in _expressions(self.sums).items():
            # A value that is no finite number could be added but never subtracted again.
            finite = f"CASE WHEN ({expression}) - ({expression}) = 0 THEN {expression} END"
            found[f"{name}_sum"] = f"sum({finite})"
            found[f"{name}_count"] = f"count({finite})"
        return found

    @property
    def parts(self) -> str:
        """What to add up over many combinations, without making one row of each before.

        A combination may have several rows there, which may cancel each other: sum, never count,
        and leave out groups by `HAVING sum(rows) > 0`.
        """
        return f"{self.name}_parts"

    @property
    def source_name(self) -> str:
        """The source as SQL names it."""
        schema, name = self.table.schema, quoted(self.table.name)
        return name if schema is None else f"{quoted(schema)}.{name}"

    @property
    def summaries(self) -> list[Summary]:
        """The tables it consists of."""
        summaries = [Summary(self.name, self.dimensions, self.measures)]
        if self.histogram is not None:
            bucket = {BUCKET: f"buttress_bucket(({self.histogram})::float8)"}
            name = f"{self.name}_histogram"
            summaries.append(Summary(name, self.dimensions | bucket, {"rows": "count(*)"}))
        return summaries


@dataclass(frozen=True)
class Summary:
    """One table of a roll-up."""

    name: str
    dimensions: Mapping[str, str]
    measures: Mapping[str, str]

    @property
    def columns(self) -> str:
        return ", ".join(quoted(name) for name in [*self.dimensions, *self.measures])

    def select(self, relation: str, *, sign: str = "", dialect: str = "postgresql") -> str:
        """What the rows of a relation amount to; with a sign of - to take them away."""
        parts = [f"{expression} AS {quoted(name)}" for name, expression in self.dimensions.items()]
        for name, aggregate in self.measures.items():
            if dialect == "postgresql" and name.endswith("_sum"):
                # Before the sum: floats do not add up the same in every order.
                aggregate = aggregate.replace(" END)", "::numeric END)")
            value = f"coalesce({aggregate}, 0)" if name.endswith("_sum") else aggregate
            parts.append(f"{sign}{value} AS {quoted(name)}")
        groups = ", ".join(str(place + 1) for place in range(len(self.dimensions)))
        return f"SELECT {', '.join(parts)} FROM {relation} GROUP BY {groups}"

    @property
    def parts(self) -> str:
        """The quoted name of the table behind the view."""
        return quoted(f"{self.name}_parts")

    def append(self, changes: Sequence[str]) -> str:
        """Add what selected changes amount to, if that is anything."""
        summed = self._summed(f"({' UNION ALL '.join(changes)}) AS changes")
        return f"INSERT INTO {self.parts} ({self.columns}) {summed}"

    def view(self) -> str:
        """A row for each combination, which may have several parts."""
        return f"CREATE VIEW {quoted(self.name)} AS {self._summed(self.parts)}"

    def fold(self) -> str:
        """Make one part of all those of a combination; what others append meanwhile stays."""
        return (
            f"WITH gone AS (DELETE FROM {self.parts} RETURNING *) "
            f"INSERT INTO {self.parts} ({self.columns}) {self._summed('gone')}"
        )

    def _summed(self, relation: str) -> str:
        dimensions = ", ".join(map(quoted, self.dimensions))
        sums = ", ".join(
            f"sum({quoted(name)}){'' if name.endswith('_sum') else '::bigint'} AS {quoted(name)}"
            for name in self.measures
        )
        changed = " OR ".join(f"sum({quoted(name)}) <> 0" for name in self.measures)
        return f"SELECT {dimensions}, {sums} FROM {relation} GROUP BY {dimensions} HAVING {changed}"


def parts_tables(metadata: MetaData) -> set[str]:
    """The names of the tables behind the roll-ups of a metadata: no migration makes them."""
    return {
        f"{name}{suffix}"
        for name in metadata.info.get("rollups", {})
        for suffix in ("_parts", "_histogram_parts")
    }


def declared(metadata: MetaData) -> list[Rollup]:
    """The roll-ups of the tables of a metadata."""
    found: dict[str, Rollup] = metadata.info.get("rollups", {})
    return list(found.values())


def _expressions(named: Named) -> dict[str, str]:
    if isinstance(named, Mapping):
        return {name: f"({expression})" for name, expression in named.items()}
    return {name: quoted(name) for name in named}
