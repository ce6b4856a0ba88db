"""Rules about rows together: what must be unique, and methods that look at the whole frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from buttress.contracts.violation import Violation, shown
from buttress.errors import ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa

F = TypeVar("F")
MARK = "__buttress_frame_rule__"


@dataclass(frozen=True)
class FrameRule:
    """A method of a contract that judges all valid rows at once."""

    name: str
    message: str
    column: str | None


@overload
def frame_rule(method: F, /) -> F: ...


@overload
def frame_rule(*, column: str | None = ...) -> Callable[[F], F]: ...


def frame_rule(method: Any = None, /, *, column: str | None = None) -> Any:
    """Make a class method a rule about all rows together.

        @frame_rule(column="share")
        @classmethod
        def shares_are_sorted(cls, frame: pa.Table) -> pa.Array:
            \"\"\"shares fall from row to row\"\"\"

    It gets the rows that keep all other rules, and returns one truth for each row, or one for all
    of them. Its docstring's first line is the message.
    """

    def mark(wrapped: Any) -> Any:
        function = getattr(wrapped, "__func__", None)
        if function is None:
            raise ConfigurationError(
                f"{getattr(wrapped, '__name__', wrapped)} is no class method",
                hint="Write @frame_rule above @classmethod.",
            )
        told = (function.__doc__ or function.__name__.replace("_", " ")).strip()
        rule = FrameRule(function.__name__, told.splitlines()[0].rstrip("."), column)
        setattr(function, MARK, rule)
        return wrapped

    return mark if method is None else mark(method)


def rules_of(contract: type[Any]) -> list[FrameRule]:
    """The frame rules of a class and its bases, in the order they were written."""
    found: dict[str, FrameRule] = {}
    for kind in reversed(contract.__mro__):
        for name, attribute in vars(kind).items():
            rule = getattr(getattr(attribute, "__func__", None), MARK, None)
            if rule is not None:
                found[name] = rule
    return list(found.values())


def repeated(
    frame: pa.Table, columns: Sequence[str], numbers: Sequence[int]
) -> Iterator[Violation]:
    """Rows whose values in these columns an earlier row has; as in SQL, none equals a null."""
    import pyarrow as pa

    named = frame.select(list(columns))
    try:
        counted = named.group_by(list(columns)).aggregate([])
        if len(counted) == len(named):
            return
    except pa.ArrowException:
        pass  # it does not group values of such a type
    first: dict[tuple[Any, ...], int] = {}
    for place, key in enumerate(zip(*(_values(column) for column in named.columns), strict=True)):
        if None in key:
            continue
        earlier = first.setdefault(key, place)
        if earlier != place:
            yield Violation(
                row=numbers[place],
                column=", ".join(columns),
                value=shown(key[0] if len(key) == 1 else key),
                message=f"repeats row {numbers[earlier]}",
                rule="unique",
            )


def judged_together(
    contract: type[Any], rule: FrameRule, frame: pa.Table, numbers: Sequence[int]
) -> Iterator[Violation]:
    """What one frame rule finds; raises `ConfigurationError` for an answer that is none."""
    answer = getattr(contract, rule.name)(frame)
    values = answer.to_pylist() if hasattr(answer, "to_pylist") else answer
    values = values.tolist() if hasattr(values, "tolist") else values
    values = values.as_py() if hasattr(values, "as_py") else values
    if isinstance(values, bool) or values is None:
        if values is False:
            yield Violation(None, rule.column, "", rule.message, rule.name)
        return
    if len(values) != len(frame):
        raise ConfigurationError(
            f"{contract.__name__}.{rule.name} gave {len(values)} truths for {len(frame)} rows",
            hint="Return one for each row, or one for all.",
        )
    known = rule.column is not None and rule.column in frame.column_names
    column = frame.column(rule.column) if known else None
    for place, kept in enumerate(values):
        if kept is False:
            value = "" if column is None else shown(column[place].as_py())
            yield Violation(numbers[place], rule.column, value, rule.message, rule.name)


def _values(column: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return [str(value) if isinstance(value, list | dict) else value for value in values]
