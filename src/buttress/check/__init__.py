"""What is wrong with a deployment, and how to mend it: `buttress check`."""

from __future__ import annotations

from buttress.check.facts import Facts, facts_of
from buttress.check.registry import GROUPS, Check, NotChecked
from buttress.check.report import Finding, Report, run

__all__ = ["GROUPS", "Check", "Facts", "Finding", "NotChecked", "Report", "all_checks",
           "facts_of", "run"]  # fmt: skip


def all_checks() -> list[Check]:
    """Every check, in the order of the groups."""
    from buttress.check import (  # noqa: F401  # importing them declares them
        access,
        backup,
        cache,
        catalogue,
        configuration,
        database,
        jobs,
        models,
        observability,
        people,
        server,
        supply,
        tenancy,
        web,
    )
    from buttress.check.registry import checks

    return sorted(checks.values(), key=lambda check: check.id)
