"""The header of a table on a page: which words name which of the expected columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from buttress.documents.lines import around
from buttress.documents.parts import Box, Column, Line, Word

HEADER_LINES = 4
NEAR = 0.4
"""Of a word's height: nearer words on a line belong to one name."""

NAMING = 0.3
"""The share of words of a header's line that may be of a name that is looked for."""

MOST_WORDS = 120
"""No header has more; a page made to be slow might."""

STACKED = 1.9
"""Of a word's height: nearer words below each other may belong to one name."""


@dataclass(frozen=True)
class Cell:
    """A cell of a header; `column` is None for one that nobody expects."""

    column: str | None
    box: Box


@dataclass(frozen=True)
class Header:
    """Cells from left to right, and how many lines of the page they take."""

    cells: tuple[Cell, ...]
    lines: int

    @property
    def known(self) -> int:
        """How many columns that were expected are in it."""
        return sum(cell.column is not None for cell in self.cells)

    @property
    def layout(self) -> tuple[tuple[str | None, int], ...]:
        """The same for headers that stand above each other on different pages."""
        return tuple((cell.column, round(cell.box.left / 4)) for cell in self.cells)


def folded(text: str) -> str:
    """A name without case, accents, spaces and punctuation; signs such as % stay."""
    if text.isascii():
        return _PUNCTUATION.sub("", text.lower())
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in plain if one.isalnum() or one in "%#€$£")


_PUNCTUATION = re.compile(r"[^a-z0-9%#$]")


class HeaderFinder:
    """Looks for the header of a table whose columns are known."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = sorted(
            (
                (name, column.name)
                for column in columns
                for name in {folded(alias) for alias in (column.name, *column.aliases)}
                if name
            ),
            key=lambda one: -len(one[0]),
        )
        self._columns = len(columns)
        self._required = {column.name for column in columns if column.required}
        self._hopeful: dict[str, bool] = {}

    def at(self, lines: Sequence[Line], index: int) -> Header | None:
        """The header that begins on a line, of as many lines as name the most columns."""
        best: Header | None = None
        block: list[Line] = []
        for line in lines[index : index + HEADER_LINES]:
            if block and line.box.top - block[-1].box.bottom > line.box.height:
                break
            if sum(map(self._may_name, line.words)) < NAMING * len(line.words):
                break
            block.append(line)
            header = self._matched(block)
            if header is not None and (best is None or header.known > best.known):
                best = header
                if best.known == self._columns:
                    break
        return best

    def _may_name(self, word: Word) -> bool:
        found = self._hopeful.get(word.text)
        if found is None:
            text = folded(word.text)
            found = bool(text) and any(text in name for name, _ in self._names)
            self._hopeful[word.text] = found
        return found

    def _matched(self, block: Sequence[Line]) -> Header | None:
        if sum(len(line.words) for line in block) > MOST_WORDS:
            return None
        hopeful = sum(self._may_name(word) for line in block for word in line.words)
        if hopeful < max(len(self._required), 1):
            return None
        words = [_Placed(word, row, folded(word.text)) for row, line in enumerate(block)
                 for word in line.words]  # fmt: skip
        used: set[int] = set()
        found: dict[str, list[_Placed]] = {}
        for whole in (True, False):
            for name, column in self._names:
                if column in found:
                    continue
                match = _match(words, name, used, whole=whole)
                if match:
                    found[column] = match
                    used.update(id(one) for one in match)
        if not self._required <= found.keys():
            return None
        rest = [one for one in words if id(one) not in used]
        return _header(found, rest, len(block))


@dataclass(frozen=True, eq=False)
class _Placed:
    word: Word
    row: int
    name: str


def _match(
    words: Sequence[_Placed], name: str, used: set[int], *, whole: bool
) -> list[_Placed] | None:
    """The words that spell a name, on one line or stacked; `whole`: with no others beside them."""
    free = [one for one in words if id(one) not in used and one.name and one.name in name]
    for first in free:
        if name.startswith(first.name):
            for match in _continued([first], name[len(first.name) :], free):
                if not whole or not _has_neighbours(match, words):
                    return match
    return None


def _continued(match: list[_Placed], rest: str, free: Sequence[_Placed]) -> Iterator[list[_Placed]]:
    if not rest:
        yield match
        return
    last = match[-1]
    for one in free:
        if one in match or not rest.startswith(one.name):
            continue
        beside = one.row == last.row and one.word.box.left - last.word.box.left >= 0 and (
            one.word.box.left - last.word.box.right < 3 * NEAR * last.word.box.height
        )  # fmt: skip
        below = one.row > last.row and _stacked(around(part.word for part in match), one.word.box)
        if beside or below:
            yield from _continued([*match, one], rest[len(one.name) :], free)


def _stacked(above: Box, below: Box) -> bool:
    overlap = min(above.right, below.right) - max(above.left, below.left)
    return overlap > 0 and below.middle - above.bottom < STACKED * below.height


def _has_neighbours(match: Sequence[_Placed], words: Iterable[_Placed]) -> bool:
    """Whether other words continue the name on its line, or stand right above or below it."""
    return any(
        _near(one.word.box, part.word.box, same_line=one.row == part.row)
        for one in words
        if one not in match
        for part in match
    )


def _near(one: Box, other: Box, *, same_line: bool) -> bool:
    if same_line:
        gap = max(one.left - other.right, other.left - one.right)
        return gap < NEAR * min(one.height, other.height)
    upper, lower = (one, other) if one.top < other.top else (other, one)
    return _stacked(upper, lower)


def _header(found: dict[str, list[_Placed]], rest: list[_Placed], lines: int) -> Header:
    """The cells; words nobody expects extend the cell they touch, or are cells of their own."""
    boxes: list[tuple[str | None, list[Word]]] = [
        (column, [one.word for one in match]) for column, match in found.items()
    ]
    for one in rest:
        touched = [
            (column, words)
            for column, words in boxes
            if any(_touches(one.word, word) for word in words)
        ]
        if touched:
            touched[0][1].append(one.word)
        else:
            boxes.append((None, [one.word]))
    cells = [Cell(column, around(words)) for column, words in boxes]
    return Header(tuple(sorted(cells, key=lambda cell: cell.box.left)), lines)


def _touches(one: Word, other: Word) -> bool:
    on_line = abs(one.box.middle - other.box.middle) < 0.5 * min(one.box.height, other.box.height)
    return _near(one.box, other.box, same_line=on_line)
