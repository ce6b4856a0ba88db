"""What a product is made from: sources, and the passages in them with their places.

    material = Material((pdf_source("1", "oak.pdf", document), hint_source("2", "for men")))
    found = material.find("Eau de Parfum")
    found.source, found.place.page, found.place.box

Searching looks at words, so that case, punctuation and line breaks do not matter, and takes time in
proportion to the text.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import TypeAdapter

from buttress.apps.catalog.numbers import numbers_in
from buttress.documents.parts import Box

Kind = Literal["pdf", "sheet", "web", "hint"]
WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Place:
    """Where a passage stands: a page (from 1) and a box on it, a cell, or a part of a web page.

    `box` is in points from the upper left corner of the page. `cell` is as in "Prices!B7",
    `selector` as in "json-ld/0/offers/price", "table 1 row 2" or "line 12".
    """

    page: int | None = None
    cell: str | None = None
    selector: str | None = None
    box: Box | None = None


@dataclass(frozen=True)
class Passage:
    """A line, a cell or a value; `label` is what the source itself calls it, as a column's name.

    A tab in the text of a line stands for a gap that is wider than a space.
    """

    text: str
    place: Place
    label: str = ""


@dataclass(frozen=True)
class Source:
    """A document, a row of a sheet, a web page, or what a person typed.

    `rows` are tables with a header that was recognised: the cells of a row, labelled. What they say
    is among `passages` too.
    """

    id: str
    kind: Kind
    name: str
    passages: tuple[Passage, ...]
    rows: tuple[tuple[Passage, ...], ...] = ()

    @property
    def text(self) -> str:
        """The passages below each other, with their labels."""
        return "\n".join(
            f"{one.label}: {one.text}" if one.label else one.text for one in self.passages
        )


@dataclass(frozen=True)
class Found:
    """Where something was found: the source's id, the place, and the text as it stands there."""

    source: str
    place: Place
    text: str


@dataclass(frozen=True)
class Material:
    """All sources of one product, searchable."""

    sources: tuple[Source, ...]

    def dump(self) -> list[dict[str, Any]]:
        """The sources as JSON values, to be kept."""
        dumped: list[dict[str, Any]] = _SOURCES.dump_python(self.sources, mode="json")
        return dumped

    @classmethod
    def load(cls, dumped: list[dict[str, Any]]) -> Self:
        """What was dumped."""
        return cls(_SOURCES.validate_python(dumped))

    @property
    def text(self) -> str:
        """Everything the sources say."""
        return "\n\n".join(source.text for source in self.sources if source.text)

    def source(self, id: str) -> Source | None:
        """The source of that id."""
        return next((source for source in self.sources if source.id == id), None)

    def find(self, text: str) -> Found | None:
        """Where the words of a text first stand in this order, None when they do not."""
        sought = " ".join(words_of(text))
        if not sought:
            return None
        start = self._index.text.find(f" {sought} ")
        return None if start < 0 else self._found(start, start + len(sought))

    def find_number(self, number: Decimal) -> Found | None:
        """Where a number first stands, however it is written: 1234.5 is found in "1.234,50"."""
        return next(self.find_numbers(number), None)

    def find_numbers(self, number: Decimal) -> Iterator[Found]:
        """Every passage in which a number stands."""
        for place in self._numbers.get(number, ()):
            yield found_in(*self._all[place])

    def find_digits(self, digits: str) -> Found | None:
        """Where digits stand that may be spaced or hyphenated, as those of barcodes."""
        place = self._digits.get(re.sub(r"\D", "", digits))
        return None if place is None else found_in(*self._all[place])

    @cached_property
    def _all(self) -> list[tuple[Source, Passage]]:
        return [(source, passage) for source in self.sources for passage in source.passages]

    @cached_property
    def _index(self) -> _Index:
        return _Index.of(self._all)

    @cached_property
    def _numbers(self) -> dict[Decimal, list[int]]:
        found: dict[Decimal, list[int]] = {}
        for place, (_, passage) in enumerate(self._all):
            for number in dict.fromkeys(numbers_in(passage.text)):
                found.setdefault(number, []).append(place)
        return found

    @cached_property
    def _digits(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for place, (_, passage) in enumerate(self._all):
            for run in digit_runs(passage.text):
                found.setdefault(run, place)
        return found

    def _found(self, start: int, end: int) -> Found:
        starts = self._index.starts
        first = bisect_right(starts, start + 1) - 1
        last = bisect_right(starts, end) - 1
        source, passage = self._all[first]
        # What is found across the border of two documents is in neither; the first is named.
        found = [p for s, p in self._all[first : last + 1] if s is source]
        return found_in(source, passage, *found[1:])


_SOURCES: TypeAdapter[tuple[Source, ...]] = TypeAdapter(tuple[Source, ...])


@dataclass(frozen=True)
class _Index:
    """All words with one space before and after each, and where each passage begins in it."""

    text: str
    starts: list[int]

    @classmethod
    def of(cls, passages: Sequence[tuple[Source, Passage]]) -> _Index:
        pieces = []
        starts = []
        length = 1
        before: Source | None = None
        for source, passage in passages:
            if before is not None and source is not before:
                pieces.append("|")  # no word: nothing is found from one source into the next
                length += 2
            before = source
            starts.append(length)
            words = " ".join(words_of(passage.text))
            if words:
                pieces.append(words)
                length += len(words) + 1
        return cls(f" {' '.join(pieces)} ", starts)


def found_in(source: Source, passage: Passage, *more: Passage) -> Found:
    """The place of one passage, or of several that follow each other."""
    if not more:
        text = f"{passage.label}: {passage.text}" if passage.label else passage.text
        return Found(source.id, passage.place, text)
    text = " ".join(one.text for one in (passage, *more))
    place = passage.place
    boxes = [
        one.place.box
        for one in (passage, *more)
        if one.place.box is not None and one.place.page == place.page
    ]
    if len(boxes) > 1:
        around = Box(
            min(box.left for box in boxes),
            min(box.top for box in boxes),
            max(box.right for box in boxes),
            max(box.bottom for box in boxes),
        )
        place = Place(page=place.page, cell=place.cell, selector=place.selector, box=around)
    return Found(source.id, place, text)


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared: without case, with accents."""
    return WORDS.findall(unicodedata.normalize("NFKC", text).casefold())


def digit_runs(text: str) -> Iterator[str]:
    """Runs of 7 digits and more, spaces and hyphens in them left out."""
    for match in re.finditer(r"\d(?:[ \-\u00a0]?\d){6,}", text):
        run = re.sub(r"\D", "", match[0])
        yield run
        for part in re.findall(r"\d{7,}", match[0]):
            if part != run:
                yield part
