"""Checks of what tells operators how things go."""

from __future__ import annotations

import os

from buttress.check.facts import Facts
from buttress.check.registry import check


@check(
    "BT-801", "observability", "warning", "No log file",
    cure="Give the folder to the user the process runs as.", deploy=True,
)  # fmt: skip
def log_file(facts: Facts) -> str | None:
    """Logs go to standard error only; after a restart of a container they are gone."""
    folder = facts.settings.home / "logs"
    if not folder.exists() or os.access(folder, os.W_OK | os.X_OK):
        return None
    return f"{folder} cannot be written"


@check(
    "BT-802", "observability", "warning", "Statements without the server's figures",
    cure="CREATE EXTENSION pg_stat_statements, and name it in shared_preload_libraries.",
)  # fmt: skip
def server_figures(facts: Facts) -> str | None:
    """`buttress stats` shows what we measure, without what PostgreSQL does: the difference is the
    network and the queue."""
    [row] = facts.sql("SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'")
    return None if row[0] else "pg_stat_statements is not installed in this database"


@check(
    "BT-803", "observability", "warning", "Nothing can be slow",
    cure="Lower BUTTRESS_MONITOR__SLOW_SECONDS below BUTTRESS_TIMEOUTS__STATEMENT_SECONDS.",
)  # fmt: skip
def slow_threshold(facts: Facts) -> str | None:
    """A statement is ended before it would count as slow, so that the list stays empty."""
    slow, limit = facts.settings.monitor.slow_seconds, facts.settings.timeouts.statement_seconds
    if not limit or slow < limit:
        return None
    return f"slow begins at {slow:g} s, and statements end at {limit:g} s"
