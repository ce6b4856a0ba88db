"""One row of a sheet, one product: which column holds what, and what the row says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from buttress.apps.catalog.extraction.facts import Fact
from buttress.apps.catalog.extraction.labelled import facts_of
from buttress.apps.catalog.extraction.labels import propose_columns
from buttress.apps.catalog.material import Passage, Source

__all__ = ["facts_of_row", "propose_columns"]


def facts_of_row(source: Source, row: Sequence[Passage]) -> Iterator[Fact]:
    """What the cells of one row say, by the names of their columns."""
    return facts_of(Source(source.id, source.kind, source.name, tuple(row)))
