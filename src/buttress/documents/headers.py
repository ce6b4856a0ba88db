"""Which row of a sheet names its columns, judged by several signs that add up."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from buttress.documents.parts import CellValue, HeaderProposal, Sheet

LOOKED_AT = 40
"""Rows from the top in which a header is looked for."""

COMPARED = 50
"""Rows below a candidate that it is compared with."""

LONG = 60
"""Characters: longer texts describe, they do not name."""

ENOUGH = 0.55
WEIGHTS = {
    "filled": 0.25,
    "texts": 0.2,
    "distinct": 0.1,
    "short": 0.1,
    "contrast": 0.2,
    "known": 0.15,
}

_KNOWN = """
ean gtin barcode upc sku code codigo ref reference referencia id item article artigo name nome
product produto title titulo description descricao designation designacao brand marca price preco
pvp rrp cost custo amount valor total currency moeda tax iva vat margin margem quantity qty
quantidade qtd stock units unidades unit unidade size tamanho capacity capacidade weight peso width
largura height altura depth profundidade length comprimento colour color cor category categoria type
tipo family familia supplier fornecedor date data day dia month mes campaign campanha platform spend
clicks impressions conversions revenue url link image imagem ingredients ingredientes inci country
pais status estado notes notas variant variante cnp email phone address
"""
KNOWN = frozenset(_KNOWN.split())

_NUMBER = re.compile(r"[-+(]?[€$£]?\s*\d[\d\s.,'%)€$£/:-]*")
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class _Score:
    row: int
    total: float
    signs: dict[str, float]


def propose_header(sheet: Sheet) -> HeaderProposal:
    """The row that seems to name the columns, with the names; a proposal, for a person to change.

    A cell merged over several columns above is put before the names below it.
    """
    rows = sheet.rows[: LOOKED_AT + COMPARED]
    width = max((len(row) for row in rows), default=0)
    used = [column for column in range(width) if any(_filled(row, column) for row in rows)]
    scores = [
        _score(rows, index, used)
        for index in range(min(len(rows), LOOKED_AT))
        if any(_filled(rows[index], column) for column in used)
    ]
    best = max(scores, key=lambda one: (one.total, -one.row), default=None)
    if best is None or best.total < ENOUGH:
        letters = tuple(f"Column {_letters(column)}" for column in range(width))
        why = "No row of texts names what stands below it." if scores else "The sheet is empty."
        return HeaderProposal(None, letters, 0.0 if best is None else round(best.total, 2), (why,))
    rivals = [one.total for one in scores if one.row != best.row]
    lead = best.total - max(rivals, default=0.0)
    confidence = min(best.total, 0.5 + best.total * 0.25 + lead)
    names = _names(sheet, best.row, width)
    return HeaderProposal(best.row, names, round(confidence, 2), _why(best, lead))


def _score(rows: Sequence[Sequence[CellValue]], index: int, used: list[int]) -> _Score:
    row = rows[index]
    cells = [(column, row[column]) for column in used if _filled(row, column)]
    texts = [str(cell).strip() for _, cell in cells if _is_name(cell) or _is_year(cell)]
    below = rows[index + 1 : index + 1 + COMPARED]
    folded = [_folded(text) for text in texts]
    columns_below = [c for c in used if any(_filled(one, c) for one in below)]
    known = sum(1 for text in folded if KNOWN.intersection(_WORD.findall(text)))
    signs = {
        "filled": len(cells) / max(len(columns_below), len(cells), 1) if len(cells) > 1 else 0.0,
        "texts": len(texts) / max(len(cells), 1),
        "distinct": len(set(folded)) / max(len(folded), 1),
        "short": sum(1 for text in texts if len(text) <= LONG) / max(len(texts), 1),
        "contrast": _contrast(cells, below),
        "known": min(known / max(len(texts), 1) * 1.5, 1.0),
    }
    values = sum(1 for _, cell in cells if not _is_name(cell) and not _is_year(cell))
    total = sum(WEIGHTS[sign] * value for sign, value in signs.items())
    if not below or (len(cells) == 1 and len(used) > 1):
        total *= 0.5  # a title stands alone, and a header has something below it
    total *= 1 - 0.7 * values / max(len(cells), 1)
    return _Score(index, total, signs)


def _contrast(cells: list[tuple[int, CellValue]], below: Sequence[Sequence[CellValue]]) -> float:
    """The share of columns in which the cell differs in kind from most of what is below it."""
    if not cells or not below:
        return 0.0
    differing = 0.0
    for column, cell in cells:
        under = [row[column] for row in below if _filled(row, column)]
        if not under or not (_is_name(cell) or _is_year(cell)):
            continue
        values = sum(1 for one in under if not _is_name(one) and not _is_year(one))
        if values * 2 > len(under):
            differing += 1
        elif all(_folded(str(one)) != _folded(str(cell)) for one in under):
            differing += 0.4
    return differing / len(cells)


def _is_name(cell: CellValue) -> bool:
    """Whether a cell is a text, and not a number or a day written as one."""
    return isinstance(cell, str) and not _NUMBER.fullmatch(cell.strip())


def _is_year(cell: CellValue) -> bool:
    return isinstance(cell, int) and 1900 <= cell <= 2100


def _filled(row: Sequence[CellValue], column: int) -> bool:
    if column >= len(row):
        return False
    cell = row[column]
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))


def _names(sheet: Sheet, index: int, width: int) -> tuple[str, ...]:
    names: list[str] = []
    for column in range(width):
        parts = [*_above(sheet, index, column), _text(sheet.rows[index], column)]
        name = " ".join(dict.fromkeys(part for part in parts if part))
        name = name or f"Column {_letters(column)}"
        same = sum(1 for one in names if one == name or one.startswith(f"{name} ("))
        names.append(f"{name} ({same + 1})" if same else name)
    return tuple(names)


def _above(sheet: Sheet, index: int, column: int) -> list[str]:
    """What merged cells right above the header say of a column; a title over all is no name."""
    found = []
    row, header = index, sheet.rows[index]
    for top, left, bottom, right in sorted(sheet.merged, reverse=True):
        over = left <= column <= right and right > left
        whole = all(left <= at <= right for at in range(len(header)) if _filled(header, at))
        if over and bottom == row - 1 and not whole:
            found.append(_text(sheet.rows[top], left))
            row = top
    return found[::-1]


def _text(row: Sequence[CellValue], column: int) -> str:
    if not _filled(row, column):
        return ""
    cell = row[column]
    shown = cell.isoformat() if isinstance(cell, dt.date | dt.time) else str(cell)
    return " ".join(shown.split())


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in plain if not unicodedata.combining(one))


def _letters(column: int) -> str:
    """A column as spreadsheets call it: 0 is A, 26 is AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _why(best: _Score, lead: float) -> tuple[str, ...]:
    said = {
        "filled": "it fills the columns that have values below",
        "texts": "its cells are texts",
        "distinct": "no two of them are the same",
        "contrast": "what stands below is of another kind",
        "known": "it has words that name columns",
    }
    reasons = [text for sign, text in said.items() if best.signs[sign] >= 0.7]
    if lead < 0.1:
        reasons.append("another row looks almost the same: have a look")
    return tuple(reasons)
