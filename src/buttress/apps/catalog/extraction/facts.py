"""What sources say about a product, before it becomes one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from buttress.apps.catalog.extraction.labels import Language
from buttress.apps.catalog.extraction.result import Origin
from buttress.apps.catalog.material import Found


@dataclass(frozen=True)
class Fact:
    """A field and what a source says it is; `items` are the entries of a list.

    `unit` is what the label says about the value, and `label` the label itself.
    """

    field: str
    text: str
    found: Found
    language: Language = ""
    unit: str = ""
    label: str = ""
    items: tuple[str, ...] = ()
    structured: bool = False
    """Whether it was marked up as that field, in a sheet's column or in the data of a page."""

    def origin(self, *, confidence: float | None = None, remark: str = "") -> Origin:
        """That it was read, and where."""
        if confidence is None:
            confidence = 0.97 if self.structured else 0.9
        return Origin(
            how="read",
            source=self.found.source,
            place=self.found.place,
            text=self.found.text,
            confidence=confidence,
            remark=remark,
        )


class Facts:
    """Facts by field: structured ones first, then in the order of the sources."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._by_field: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in sorted(facts, key=lambda one: not one.structured):
            self._by_field[fact.field].append(fact)

    def first(self, field: str, language: Language | None = None) -> Fact | None:
        """The first fact about a field, in a language where one is asked for."""
        found = self.all(field)
        if language is None:
            return found[0] if found else None
        return next((fact for fact in found if fact.language == language), None)

    def all(self, field: str) -> list[Fact]:
        """Everything that is said about a field."""
        return self._by_field.get(field, [])

    def __bool__(self) -> bool:
        return bool(self._by_field)
