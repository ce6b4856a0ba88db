"""Tables of variants in documents, read by the columns they are expected to have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from buttress.apps.catalog.extraction.labelled import pairs_in
from buttress.apps.catalog.extraction.labels import read_label
from buttress.apps.catalog.material import Passage, Place
from buttress.documents.parts import Box, Line, PageText, PdfDocument, Word

FEWEST_COLUMNS = 2
GAP = 1.0
"""Heights of a line: columns of a table are further apart than this."""


def rows_of_pdf(document: PdfDocument, pages: Sequence[PageText]) -> Iterator[tuple[Passage, ...]]:
    """The rows below every line that names two columns or more of ours, cells labelled.

    A row belongs to the table while its cells stand under the columns and one of them is under the
    first; anything else ends it.
    """
    for page in pages:
        columns: list[_Column] = []
        for line in page.lines:
            header = header_of(line)
            if header:
                columns = header
            elif columns:
                row = _row(line, columns, page.number)
                if row:
                    yield row
                else:
                    columns = []


class _Column:
    """A column: its label, and how far it reaches."""

    def __init__(self, label: str, box: Box) -> None:
        self.label = label
        self.left = box.left
        self.right = box.right

    def distance(self, box: Box) -> float:
        """Points between a cell and the column, 0 when one is over the other."""
        return max(0.0, box.left - self.right, self.left - box.right)


def header_of(line: Line) -> list[_Column]:
    """The columns that a line names, none unless nearly all its cells are labels of ours."""
    cells = cells_of(line)
    if len(cells) < FEWEST_COLUMNS or pairs_in("\t".join(text for text, _ in cells)):
        return []
    known = sum(read_label(text) is not None for text, _ in cells)
    if known < FEWEST_COLUMNS or known * 2 < len(cells):
        return []
    return [_Column(text, box) for text, box in cells]


def cells_of(line: Line) -> list[tuple[str, Box]]:
    """The texts of a line that stand apart, with their boxes."""
    groups: list[list[Word]] = []
    for word in line.words:
        before = groups[-1][-1] if groups else None
        if before is None or word.box.left - before.box.right > GAP * max(word.box.height, 1):
            groups.append([word])
        else:
            groups[-1].append(word)
    return [(" ".join(word.text for word in group), _around(group)) for group in groups]


def _row(line: Line, columns: Sequence[_Column], page: int) -> tuple[Passage, ...]:
    cells = cells_of(line)
    if len(cells) < FEWEST_COLUMNS or len(cells) > len(columns):
        return ()
    found: list[Passage] = []
    taken: set[int] = set()
    for text, box in cells:
        place = min(range(len(columns)), key=lambda n: columns[n].distance(box))
        if place in taken:
            return ()
        taken.add(place)
        label = columns[place].label
        found.append(Passage(text, Place(page=page, box=box), label))
    return tuple(found) if 0 in taken else ()


def _around(words: Sequence[Word]) -> Box:
    return Box(
        min(word.box.left for word in words),
        min(word.box.top for word in words),
        max(word.box.right for word in words),
        max(word.box.bottom for word in words),
    )
