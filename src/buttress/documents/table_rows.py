"""The lines below a header into rows: each begins with its key, wrapped lines join the nearer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from buttress.documents.bands import Bands
from buttress.documents.parts import Column, Line, Word
from buttress.documents.table_header import folded
from buttress.documents.values import READERS, Style, Unreadable

_TOTALS = "total totals totais grandtotal subtotal subtotals subtotais sum soma totalgeral gesamt"
TOTALS = frozenset(_TOTALS.split())
FARTHEST = 1.7
"""Of a line's height: lines farther apart are not of one cell."""

KEY_FARTHEST = 1.25
"""The same for a key that is wrapped; a heading between rows has more room around it."""

Split = Mapping[str, Sequence[Word]]


@dataclass(eq=False)
class Row:
    """A row under way: the line it was told by, and those that were joined to it."""

    line: Line
    lines: list[Line] = field(default_factory=list)
    total: bool = False


@dataclass(eq=False)
class Section:
    """The lines of a page that follow one header, or continue the table of the page before."""

    page: int
    bands: Bands
    lines: list[Line]
    rows: list[Row] = field(default_factory=list)
    unread: list[Line] = field(default_factory=list)
    _splits: dict[int, Split] = field(default_factory=dict)

    def split(self, line: Line) -> Split:
        """The words of one of its lines by column."""
        found = self._splits.get(id(line))
        if found is None:
            found = self._splits[id(line)] = self.bands.split(line)
        return found


class RowFinder:
    """Which lines of a section are rows of a table with these columns."""

    def __init__(self, columns: Sequence[Column], key: str) -> None:
        self._key = key
        self._typed = {one.name: READERS[one.kind] for one in columns if one.kind != "text"}
        self._others = [one.name for one in columns if one.required and one.name != key]

    def find(self, section: Section, style: Style) -> None:
        """Fill in the section's rows and the lines that are in none."""
        anchors: dict[int, Row] = {}
        for index, line in enumerate(section.lines):
            row = self._begun(line, section.split(line), style)
            if row is not None:
                anchors[index] = row
        section.rows = list(anchors.values())
        if not anchors:
            section.unread = list(section.lines)
            return
        places = sorted(anchors)
        self._join(section, section.lines[: places[0]], None, anchors[places[0]])
        for first, second in pairwise(places):
            between = section.lines[first + 1 : second]
            self._join(section, between, anchors[first], anchors[second])
        self._join(section, section.lines[places[-1] + 1 :], anchors[places[-1]], None)

    def _begun(self, line: Line, split: Split, style: Style) -> Row | None:
        """The row that a line is the first sign of."""
        if not split:
            return None
        readable = self._readable(split, style)
        first = folded(line.words[0].text)
        second = folded("".join(word.text for word in line.words[:2]))
        if (first in TOTALS or second in TOTALS) and readable:
            return Row(line, [line], total=True)
        if self._key not in split:
            return None
        present = sum(name in split for name in self._others)
        typed_others = [name for name in self._typed if name != self._key]
        if typed_others and any(name in split for name in typed_others):
            enough = readable > 0 or present * 2 >= len(self._others)
        else:
            enough = present * 2 >= len(self._others)
        return Row(line, [line]) if enough else None

    def _readable(self, split: Split, style: Style) -> int:
        count = 0
        for name, read in self._typed.items():
            if name == self._key or name not in split:
                continue
            try:
                count += read(" ".join(word.text for word in split[name]), style) is not None
            except Unreadable:
                continue
        return count

    def _join(
        self, section: Section, between: Sequence[Line], above: Row | None, below: Row | None
    ) -> None:
        """Give lines between two rows to one of them, parted where the gap is widest."""
        if not between:
            return
        chain = [*([above.line] if above else []), *between, *([below.line] if below else [])]
        gaps = [b.box.middle - a.box.middle for a, b in pairwise(chain)]
        if above and below:
            # Lines as far from both belong to the row above: cells are written from the top.
            widest = max(gaps)
            cut = max(at for at, gap in enumerate(gaps) if gap > widest - 0.5)
        else:
            cut = len(between) if above else 0
        self._attach(section, between[:cut], above)
        self._attach(section, between[cut:][::-1], below)

    def _attach(self, section: Section, lines: Sequence[Line], row: Row | None) -> None:
        """Join lines to a row, going away from it, until one is too far to be of a cell."""
        last = row.line if row else None
        for index, line in enumerate(lines):
            if row is None or last is None or not self._continues(section, last, line):
                section.unread += lines[index:]
                return
            row.lines.append(line)
            last = line

    def _continues(self, section: Section, last: Line, line: Line) -> bool:
        height = min(last.box.height, line.box.height)
        gap = abs(line.box.middle - last.box.middle)
        split = section.split(line)
        if not split or gap > FARTHEST * height:
            return False
        return self._key not in split or gap <= KEY_FARTHEST * height
