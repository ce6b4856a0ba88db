"""The rules by name: each a small function of a case that yields what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from buttress.apps.catalog.evaluation.case import Case
from buttress.apps.catalog.evaluation.outcome import Issue, Metric

LONGEST = 200


@dataclass(frozen=True)
class Fault:
    """What a rule found wrong with a field, and the points that are lost for it."""

    field: str
    message: str
    points: str
    found: str | None = None
    expected: str | None = None


Check = Callable[[Case], Iterable[Fault]]


@dataclass(frozen=True)
class Rule:
    """A check, the metric it takes points from, and its name."""

    name: str
    metric: Metric
    check: Check

    def issues(self, case: Case) -> Iterator[Issue]:
        """What the check finds in a case."""
        for fault in self.check(case):
            yield Issue(
                metric=self.metric,
                rule=self.name,
                field=fault.field,
                message=fault.message,
                points=Decimal(fault.points),
                found=_short(fault.found),
                expected=_short(fault.expected),
            )


RULES: dict[str, Rule] = {}


def rule(metric: Metric) -> Callable[[Check], Check]:
    """Register a check under its own name, with spaces for underscores."""

    def register(check: Check) -> Check:
        name = check.__name__.replace("_", " ")
        if name in RULES:
            raise ValueError(f"there are two rules {name!r}")
        RULES[name] = Rule(name, metric, check)
        return check

    return register


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
