"""All checks of a deployment, and what they came to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from buttress.check.facts import Facts
from buttress.check.registry import GROUPS, Check, NotApplicable, NotChecked
from buttress.errors import ButtressError

Outcome = Literal["error", "warning", "not checked"]
ORDER: tuple[Outcome, ...] = ("error", "warning", "not checked")


@dataclass(frozen=True)
class Finding:
    """One check that found something, or could not look."""

    check: Check
    outcome: Outcome
    text: str

    def as_document(self) -> dict[str, str]:
        """For programs; the names of the fields stay."""
        return {
            "id": self.check.id,
            "group": self.check.group,
            "severity": self.outcome,
            "title": self.check.title,
            "finding": self.text,
            "cure": self.check.cure,
            "page": self.check.page,
        }


@dataclass(frozen=True)
class Report:
    """What was found, the worst first within each group, and how much was looked at."""

    findings: list[Finding] = field(default_factory=list)
    checked: int = 0
    seconds: float = 0.0

    def count(self, outcome: Outcome) -> int:
        """How many findings came to that."""
        return sum(finding.outcome == outcome for finding in self.findings)

    def fails(self, at: Literal["warning", "error"]) -> bool:
        """Whether something is as bad as that, or worse."""
        bad = ORDER[: ORDER.index(at) + 1]
        return any(finding.outcome in bad for finding in self.findings)


def run(facts: Facts, checks: Iterable[Check], *, deploy: bool) -> Report:
    """Ask every check; those for deployments only with `deploy`."""
    began = time.monotonic()
    asked = [check for check in checks if deploy or not check.deploy]
    findings = [finding for check in asked if (finding := look(check, facts)) is not None]
    return Report(in_order(findings), len(asked), round(time.monotonic() - began, 3))


def look(check: Check, facts: Facts) -> Finding | None:
    """What one check found; None when all is well, or there is nothing it is about."""
    try:
        text = check.ask(facts)
    except NotApplicable:
        return None
    except NotChecked as error:
        return Finding(check, "not checked", f"not checked: {error}")
    except ButtressError as error:
        return Finding(check, "not checked", f"not checked: {error.message}")
    # Servers refuse and answer in more ways than we know; the other checks are asked all the same.
    except Exception as error:  # noqa: BLE001
        return Finding(check, "not checked", f"not checked: {type(error).__name__}")
    return Finding(check, check.severity, text) if text else None


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """By group, the group of the worst finding first, and the worst first within it."""

    def rank(finding: Finding) -> int:
        return ORDER.index(finding.outcome)

    worst: dict[str, int] = {}
    for finding in findings:
        group = finding.check.group
        worst[group] = min(worst.get(group, len(ORDER)), rank(finding))
    return sorted(
        findings,
        key=lambda one: (
            worst[one.check.group], GROUPS.index(one.check.group), rank(one), one.check.id,
        ),
    )  # fmt: skip
