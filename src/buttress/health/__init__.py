"""Is everything there? Asked by probes a thousand times a second, at the cost of once.

runtime.health.answer("/health/ready", permitted=False)     # for an edge
health.database(runtime)                                     # for a page
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buttress.health.finding import Answer, Check, Finding, Status, worst
from buttress.health.health import Health
from buttress.health.replies import PATHS, Reply

if TYPE_CHECKING:
    from buttress.runtime import Runtime

__all__ = [
    "PATHS",
    "Answer",
    "Check",
    "Finding",
    "Health",
    "Reply",
    "Status",
    "apps",
    "cache",
    "database",
    "worst",
]


def database(runtime: Runtime) -> Finding:
    """The database's name and version, and how long it took to answer."""
    return runtime.health.ask(runtime.health.database)[0]


def cache(runtime: Runtime) -> Finding:
    """The cache server's name and version; without it reads are slower, and nothing is wrong."""
    return runtime.health.ask(runtime.health.cache)[0]


def apps(runtime: Runtime) -> list[Finding]:
    """The checks of every app, named `<app>: <check>`; a failing one is a warning."""
    return runtime.health.ask(*runtime.health.apps)
