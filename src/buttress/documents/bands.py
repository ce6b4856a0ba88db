"""Where columns of a table begin and end: in the gaps that run through all rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from buttress.documents.parts import Line, Word
from buttress.documents.table_header import Header

TOLERATED = 0.01
"""The share of lines that may cross a gap: titles and remarks do."""


class Bands:
    """The columns of one layout as ranges from left to right."""

    def __init__(self, header: Header, lines: Sequence[Line]) -> None:
        self._columns = [cell.column for cell in header.cells]
        wide = [line for line in lines if len(line.words) * 2 >= len(header.cells)]
        steps = _coverage(wide)
        most = TOLERATED * len(wide)
        self._bounds = [
            _gap(steps, left.box.left + left.box.width / 2, right.box.left + right.box.width / 2,
                 (left.box.right + right.box.left) / 2, most)
            for left, right in zip(header.cells, header.cells[1:], strict=False)
        ]  # fmt: skip

    def column_of(self, word: Word) -> str | None:
        """The column a word stands in; None in one that nobody expects."""
        middle = (word.box.left + word.box.right) / 2
        return self._columns[bisect_right(self._bounds, middle)]

    def split(self, line: Line) -> dict[str, list[Word]]:
        """The words of a line by column, those of columns that nobody expects left out."""
        found: dict[str, list[Word]] = {}
        for word in line.words:
            column = self.column_of(word)
            if column is not None:
                found.setdefault(column, []).append(word)
        return found


def _coverage(lines: Sequence[Line]) -> list[tuple[float, int]]:
    """From each x on, how many words stand there."""
    ends = sorted(
        end
        for line in lines
        for word in line.words
        for end in ((word.box.left, 1), (word.box.right, -1))
    )
    steps: list[tuple[float, int]] = []
    count = 0
    for x, change in ends:
        count += change
        if steps and steps[-1][0] == x:
            steps[-1] = (x, count)
        else:
            steps.append((x, count))
    return steps


def _gap(
    steps: Sequence[tuple[float, int]], left: float, right: float, otherwise: float, most: float
) -> float:
    """The middle of the widest stretch between two x that the fewest words cross."""
    if right <= left:
        return otherwise
    first = max(bisect_right(steps, (left, 1 << 30)) - 1, 0)
    inside: list[tuple[float, int]] = []
    count = 0
    for x, covering in steps[first:]:
        if x >= right:
            break
        count = covering
        inside.append((max(x, left), covering))
    if not inside:
        return otherwise
    if inside[0][0] > left:
        inside.insert(0, (left, 0))
    fewest = min(covering for _, covering in inside) + most
    best, width = otherwise, 0.0
    start: float | None = None
    for x, count in [*inside, (right, 1 << 30)]:
        if count <= fewest:
            start = x if start is None else start
        elif start is not None:
            if x - start > width:
                best, width = (start + x) / 2, x - start
            start = None
    return best
