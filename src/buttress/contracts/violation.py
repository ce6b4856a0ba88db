"""One place where a row is not what its contract says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

SHOWN = 60
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong, with which value, where.

    `row` counts from 1 and is None when the rows as a whole are wrong; `column` is None when a row
    is. `value` is what stands there, shortened; `rule` is one word for programs.
    """

    row: int | None
    column: str | None
    value: str
    message: str
    rule: str

    def __str__(self) -> str:
        where = [f"row {self.row}"] if self.row is not None else []
        where += [self.column] if self.column is not None else []
        value = f" (is {self.value})" if self.value else ""
        return f"{', '.join(where) or 'all rows'}: {self.message}{value}"


def shown(value: object) -> str:
    """A value as people may read it, shortened, with what cannot be seen escaped."""
    if isinstance(value, str) and len(value) > SHOWN:
        value = value[:SHOWN]  # a repr of megabytes is not made for sixty characters
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def violations_of(row: int | None, error: ValidationError) -> list[Violation]:
    """What pydantic found in a row."""
    return [_violation(row, found) for found in error.errors(include_url=False)]


def reason_of(violations: Iterable[Violation]) -> str:
    """Why a row was refused, in one line."""
    return "; ".join(f"{found.column or 'row'}: {found.message}" for found in violations)


def _violation(row: int | None, found: Any) -> Violation:
    place: Sequence[object] = found["loc"]
    column = ".".join(map(str, place)) or None
    # Of a column that is missing, and of a row as a whole, pydantic shows the row.
    has_value = column is not None and found["type"] != "missing"
    return Violation(
        row=row,
        column=column,
        value=shown(found["input"]) if has_value else "",
        message=found["msg"],
        rule=found["type"],
    )
