"""What a check found: the rows that keep the contract, and where the others do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel

from buttress.contracts.violation import Violation, reason_of
from buttress.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

M = TypeVar("M", bound=BaseModel)

LISTED = 100
"""Violations that `as_json` lists unless told otherwise."""


@dataclass(frozen=True)
class Group:
    """Violations of one rule in one column, with the first of them."""

    column: str | None
    rule: str
    message: str
    count: int
    first: Violation


@dataclass(frozen=True)
class Checked(Generic[M]):
    """The result of `Contract.check`.

    `rows` were looked at; `valid_numbers` are the places of those that are valid, from 1.
    """

    contract: type[M]
    rows: int
    violations: list[Violation]
    valid_numbers: Sequence[int]
    rejected: list[tuple[int, Mapping[str, Any]]]
    """Number and values, as they came, of each row that is not valid."""
    valid: pa.Table | list[M] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.violations

    @cached_property
    def models(self) -> list[M]:
        """The valid rows as objects."""
        if isinstance(self.valid, list):
            return self.valid
        return [self.contract.model_validate(row) for row in self.valid.to_pylist()]

    @cached_property
    def table(self) -> pa.Table:
        """The valid rows as an Arrow table: `polars.from_arrow(…)`, or `….to_pandas()`."""
        return table_of(self.contract, self.valid)

    @cached_property
    def groups(self) -> list[Group]:
        """Violations counted by column and rule, the most frequent first."""
        found: dict[tuple[str | None, str, str], list[Violation]] = {}
        for violation in self.violations:
            # Messages of rules that compare rows differ in the row they name.
            message = "" if violation.rule == "unique" else violation.message
            found.setdefault((violation.column, violation.rule, message), []).append(violation)
        groups = [
            Group(column, rule, message or "repeats an earlier row", len(all), all[0])
            for (column, rule, message), all in found.items()
        ]
        return sorted(groups, key=lambda group: -group.count)

    @property
    def summary(self) -> str:
        """What was found, for people, as plain text."""
        valid = self.rows - len(self.rejected)
        lines = [f"{valid:,} of {self.rows:,} rows keep the contract {self.contract.__name__}"]
        for group in self.groups:
            where = "" if group.first.row is None else f"first in row {group.first.row:,}"
            parts = [part for part in (where, group.first.value) if part]
            example = f" ({': '.join(parts)})" if parts else ""
            of = group.column or ("row" if group.first.row else "all rows")
            lines.append(f"{of}: {group.message}, {group.count:,} ×{example}")
        return "\n".join(lines)

    def as_json(self, limit: int = LISTED) -> dict[str, Any]:
        """The same for programs: counts, groups, and the first `limit` violations."""
        return {
            "contract": self.contract.__name__,
            "rows": self.rows,
            "valid": self.rows - len(self.rejected),
            "rejected": len(self.rejected),
            "groups": [
                {
                    "column": group.column,
                    "rule": group.rule,
                    "message": group.message,
                    "count": group.count,
                    "first_row": group.first.row,
                }
                for group in self.groups
            ],
            "violations": [
                {
                    "row": found.row,
                    "column": found.column,
                    "value": found.value,
                    "message": found.message,
                    "rule": found.rule,
                }
                for found in self.violations[:limit]
            ],
            "violation_count": len(self.violations),
        }

    def rejected_rows(self) -> Iterator[dict[str, Any]]:
        """The rejected rows with their numbers and reasons, for `export_rows`.

        All have the columns of the first hundred thousand, so that they fit one table.
        """
        names = list(dict.fromkeys(str(name) for _, row in self.rejected[:100_000] for name in row))
        number_name, reason_name = (_unlike(names, name) for name in ("row", "reason"))
        for number, row, reason in self.refusals():
            yield {
                number_name: number,
                reason_name: reason,
                **{name: row.get(name) for name in names},
            }

    def refusals(self) -> Iterator[tuple[int, Mapping[str, Any], str]]:
        """Number, values and reason of each rejected row."""
        reasons: dict[int | None, list[Violation]] = {}
        for violation in self.violations:
            reasons.setdefault(violation.row, []).append(violation)
        for number, row in self.rejected:
            yield number, row, reason_of(reasons.get(number, reasons.get(None, [])))

    def raise_if_rejected(self) -> None:
        """Raise `BadInput` with the summary as its hint unless everything is valid."""
        if not self.ok:
            raise BadInput(
                f"the rows break the contract {self.contract.__name__}", hint=self.summary
            )


def table_of(contract: type[BaseModel], valid: Any) -> pa.Table:
    """Objects as an Arrow table; a table as it is. Raises `BadInput` for values Arrow has not."""
    import pyarrow as pa

    if not isinstance(valid, list):
        return valid
    try:
        columns = {
            name: pa.array([getattr(one, name) for one in valid]) for name in contract.model_fields
        }
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise BadInput(
            f"rows of {contract.__name__} have values that no table holds",
            hint=f"Arrow says: {error}.",
        ) from error
    return pa.table(columns)


def _unlike(names: Sequence[str], name: str) -> str:
    while name in names:
        name = f"{name}_"
    return name
