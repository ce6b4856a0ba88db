"""What a check of a deployment is, and the list of all of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from buttress.check.facts import Facts

Severity = Literal["warning", "error"]
Group = Literal[
    "configuration",
    "web",
    "database",
    "access",
    "people",
    "cache",
    "backup",
    "jobs",
    "observability",
    "models",
    "supply",
]
GROUPS: tuple[Group, ...] = get_args(Group)
PAGE = "reference/checks.md"
SHOWN = 3

Found = Iterable[str] | str | None
"""What is wrong: one line, or one for each thing it is wrong with; nothing when all is well."""
Look = Callable[["Facts"], Found]


class NotChecked(Exception):
    """What a check needs is not there; the message says what."""


class NotApplicable(Exception):
    """There is nothing here that the check is about."""


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong with a deployment."""

    id: str
    group: Group
    severity: Severity
    title: str
    cure: str
    look: Look
    deploy: bool
    """Whether it makes sense for a deployment that others use only."""

    @property
    def why(self) -> str:
        """What it looks at, and what happens where nobody does."""
        return inspect.getdoc(self.look) or ""

    @property
    def page(self) -> str:
        """Where in the documentation it is explained."""
        return f"{PAGE}#{self.id.lower()}"

    def ask(self, facts: Facts) -> str:
        """One line that says what is wrong; empty when nothing is.

        Raises
        ------
        NotChecked
            What it needs is not there.
        NotApplicable
            There is nothing here that it is about.
        """
        found = self.look(facts)
        lines = [found] if isinstance(found, str) else list(found or ())
        more = f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        return "; ".join(lines[:SHOWN]) + more


checks: dict[str, Check] = {}
"""All of them, by id, in the order they are declared; `buttress.check.all_checks` imports them."""


def check(
    id: str, group: Group, severity: Severity, title: str, *, cure: str, deploy: bool = False
) -> Callable[[Look], Look]:
    """Declare a check; the docstring of the function is its text in the documentation."""

    def declare(look: Look) -> Look:
        assert id not in checks, f"two checks are {id}"
        checks[id] = Check(id, group, severity, title, cure, look, deploy)
        return look

    return declare
