"""The fingerprint of a schema, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, order=True)
class Item:
    """One thing a schema consists of; its definition is kept beside it."""

    kind: str
    """`table`, `column`, `constraint`, `index`, `trigger`, `policy`, `view`, `grant`…"""
    schema: str
    table: str
    """The table it belongs to; empty for what stands alone."""
    name: str

    def __str__(self) -> str:
        joined = ".".join(part for part in (self.table, self.name) if part)
        return f"{self.kind} {joined}"


Fingerprint = Mapping[Item, str]


@dataclass(frozen=True)
class Difference:
    """One way in which a database differs from what its migrations make."""

    item: Item
    change: Literal["missing", "extra", "changed"]
    expected: str
    """The definition the migrations give; empty when the item is extra."""
    found: str
    """The definition in the database; empty when the item is missing."""

    def __str__(self) -> str:
        if self.change == "changed":
            return f"{self.item}: {self.found!r} instead of {self.expected!r}"
        return f"{self.item}: {self.change}"


def compare(expected: Fingerprint, found: Fingerprint) -> list[Difference]:
    """What differs, ordered by table and name.

    Of a table that is missing or extra, the table alone is told. Schemas that the migrations know
    nothing of belong to somebody else and are left out.
    """
    ours = {item.schema for item in expected}
    found = {item: text for item, text in found.items() if item.schema in ours}
    differences = [
        Difference(item, "missing", text, "")
        for item, text in expected.items()
        if item not in found
    ]
    for item, text in found.items():
        if item not in expected:
            differences.append(Difference(item, "extra", "", text))
        elif text != expected[item]:
            differences.append(Difference(item, "changed", expected[item], text))
    whole = {
        (difference.item.schema, difference.item.name)
        for difference in differences
        if difference.item.kind == "table" and difference.change != "changed"
    }
    return sorted(
        (d for d in differences if (d.item.schema, d.item.table) not in whole),
        key=lambda d: (d.item.schema, d.item.table or d.item.name, d.item),
    )
