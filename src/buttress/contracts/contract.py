"""A contract: what each row of a kind must be, and what all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel

from buttress.contracts.checked import Checked, table_of
from buttress.contracts.reading import Rows, arrow_reader, judged, mappings
from buttress.contracts.violation import Violation
from buttress.contracts.whole import FrameRule, judged_together, repeated, rules_of
from buttress.errors import ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 10_000
Unique = Iterable[Sequence[str] | str]
_Rejected = list[tuple[int, Mapping[str, Any]]]


class Contract(BaseModel):
    """A pydantic model of a row, with rules about rows together.

        class Report(Contract, unique=[("account", "day")]):
            account: str = Field(min_length=1)
            day: date
            confidence: float = Field(ge=0, le=1)

        checked = Report.check(frame)
        checked.table, checked.violations, checked.summary

    `unique` names the columns whose values together may come once. Methods marked with `frame_rule`
    look at all rows that keep the other rules.
    """

    _unique: ClassVar[tuple[tuple[str, ...], ...]] = ()
    _rules: ClassVar[tuple[FrameRule, ...]] = ()

    def __init_subclass__(
        cls, *, unique: Iterable[Sequence[str] | str] = (), **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)

    @classmethod
    def __pydantic_init_subclass__(cls, *, unique: Unique = (), **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        keys = tuple((key,) if isinstance(key, str) else tuple(key) for key in unique)
        unknown = sorted({name for key in keys for name in key if name not in cls.model_fields})
        if unknown:
            raise ConfigurationError(
                f"{cls.__name__} has no field {', '.join(unknown)}, which is to be unique",
                hint=f"Its fields are {', '.join(cls.model_fields)}.",
            )
        cls._unique = tuple(dict.fromkeys((*cls._unique, *keys)))
        cls._rules = tuple(rules_of(cls))

    @classmethod
    def looks_at_all_rows(cls) -> bool:
        """Whether some rule needs all rows at once, so that none can be judged before the last."""
        return bool(cls._unique or cls._rules)

    @classmethod
    def check(cls, rows: Rows) -> Checked[Self]:
        """Look at every row of a frame, an Arrow stream, or mappings and objects.

        Columns of an Arrow stream are looked at at once where types and limits allow it; pydantic
        judges the rest, and changes values as its fields say: `"5"` becomes 5.
        """
        reader = arrow_reader(rows)
        if reader is None:
            return cls._checked_objects(mappings(rows))
        table = reader.read_all()
        missing = cls._missing(table.column_names)
        if missing:
            return cls._all_rejected(table, missing)
        return cls._checked_table(table)

    @classmethod
    def _checked_table(cls, table: pa.Table) -> Checked[Self]:
        import numpy as np
        import pyarrow as pa

        from buttress.contracts.columns import surely_valid

        valid_mask = surely_valid(cls, table)
        if valid_mask is None:
            return cls._checked_objects(chain.from_iterable(map(_rows, table.to_batches(BATCH))))
        good = np.array(valid_mask, dtype=bool)
        violations: list[Violation] = []
        doubtful = np.flatnonzero(~good)
        if len(doubtful):
            values = iter(table.take(pa.array(doubtful)).to_pylist())
            numbered = zip((int(place) + 1 for place in doubtful), values, strict=True)
            taken, refused = judged(cls, numbered, len(doubtful))
            for number, _ in taken:
                good[number - 1] = True
            violations = [one for _, _, found in refused for one in found]
        numbers = np.flatnonzero(good) + 1
        valid = table.filter(pa.array(good)).select(list(cls.model_fields))
        bad = (np.flatnonzero(~good) + 1).tolist()
        return cls._together(valid, numbers.tolist(), violations, _of_table(table, bad), len(table))

    @classmethod
    def _checked_objects(cls, rows: Iterable[Mapping[str, Any]]) -> Checked[Self]:
        models: list[Self] = []
        numbers: list[int] = []
        violations: list[Violation] = []
        rejected: _Rejected = []
        numbered = enumerate(rows, 1)
        count = 0
        while True:
            good, refused = judged(cls, numbered, BATCH)
            if not good and not refused:
                break
            count += len(good) + len(refused)
            numbers += [number for number, _ in good]
            models += [model for _, model in good]
            for number, row, found in refused:
                rejected.append((number, row))
                violations += found
        return cls._together(models, numbers, violations, rejected, count)

    @classmethod
    def _together(
        cls,
        valid: pa.Table | list[Self],
        numbers: list[int],
        violations: list[Violation],
        rejected: _Rejected,
        rows: int,
    ) -> Checked[Self]:
        """Apply the rules about all rows to those that are valid by themselves."""
        if not cls.looks_at_all_rows():
            return Checked(cls, rows, violations, numbers, rejected, valid)
        frame = table_of(cls, valid)
        found = [one for key in cls._unique for one in repeated(frame, key, numbers)]
        refused = {one.row for one in found if one.row is not None}
        valid, numbers, more = _without(valid, numbers, refused)
        frame = table_of(cls, valid)
        judged = [one for rule in cls._rules for one in judged_together(cls, rule, frame, numbers)]
        refused = {one.row for one in judged if one.row is not None}
        valid, numbers, others = _without(valid, numbers, refused)
        everything = sorted(
            [*violations, *found, *judged], key=lambda one: (one.row is None, one.row or 0)
        )
        rejected = sorted([*rejected, *more, *others], key=lambda one: one[0])
        return Checked(cls, rows, everything, numbers, rejected, valid)

    @classmethod
    def _missing(cls, names: Sequence[str]) -> list[str]:
        return [
            name
            for name, field in cls.model_fields.items()
            if name not in names and field.is_required() and field.validation_alias is None
        ]

    @classmethod
    def _all_rejected(cls, table: pa.Table, missing: Sequence[str]) -> Checked[Self]:
        """A frame without a column: told once, not once for each row."""
        violations = [
            Violation(None, name, "", "the column is missing", "missing") for name in missing
        ]
        rejected = _of_table(table, list(range(1, len(table) + 1)))
        return Checked(cls, len(table), violations, [], rejected, [])


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = batch.to_pylist()
    return found


def _of_table(table: pa.Table, numbers: Sequence[int]) -> _Rejected:
    if not numbers:
        return []
    taken = table.take([number - 1 for number in numbers]).to_pylist()
    return list(zip(numbers, taken, strict=True))


def _without(valid: Any, numbers: list[int], refused: set[int]) -> tuple[Any, list[int], _Rejected]:
    """Take rows out: what stays, and what was taken."""
    if not refused:
        return valid, numbers, []
    if isinstance(valid, list):
        pairs = list(zip(numbers, valid, strict=True))
        out: _Rejected = [(n, model.model_dump()) for n, model in pairs if n in refused]
        kept = [(n, model) for n, model in pairs if n not in refused]
        return [model for _, model in kept], [n for n, _ in kept], out
    mask = [number not in refused for number in numbers]
    places = [place for place, kept in enumerate(mask) if not kept]
    taken = valid.take(places).to_pylist()
    out = list(zip((numbers[place] for place in places), taken, strict=True))
    return valid.filter(mask), [n for n, kept in zip(numbers, mask, strict=True) if kept], out
