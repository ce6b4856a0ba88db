"""Is everything there? One question to each part, each with an answer that fits on a badge."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from sqlalchemy import text

from buttress.errors import ButtressError, Unavailable

if TYPE_CHECKING:
    from buttress.runtime import Runtime

Status = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """What one part answered."""

    name: str
    status: Status
    detail: str
    milliseconds: float


def ask(name: str, question: Callable[[], str | None], *, otherwise: Status) -> Finding:
    """Put one question; `otherwise` is the status when it raises."""
    begun = time.perf_counter()
    status: Status = "pass"
    try:
        detail = question() or ""
    except ButtressError as error:
        status, detail = otherwise, error.message
    # The code of a check may fail in any way, and its message may hold data: the type is told.
    except Exception as error:  # noqa: BLE001
        status, detail = otherwise, type(error).__name__
    return Finding(name, status, detail, (time.perf_counter() - begun) * 1000)


def database(runtime: Runtime) -> Finding:
    """The database's name and version, and how long a round trip through the pool took."""

    def question() -> str:
        with runtime.session() as session:
            connection = session.connection()
            session.execute(text("SELECT 1"))
            version = connection.dialect.server_version_info or ()
            label = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}[connection.dialect.name]
            return f"{label} {'.'.join(str(part) for part in version[:2])}"

    return ask("database", question, otherwise="fail")


def cache(runtime: Runtime) -> Finding:
    """The cache server's name and version; without it reads are slower, and nothing is wrong."""

    def question() -> str:
        from valkey import Valkey, ValkeyError

        try:
            with Valkey.from_url(
                runtime.cache_url, socket_timeout=1, socket_connect_timeout=1
            ) as client:
                server = cast("dict[str, str]", client.info("server"))
        except (ValkeyError, OSError) as error:
            raise Unavailable("no answer from the cache") from error
        runtime.cache.start()
        own = runtime.cache.health()
        if own.status == "warn":
            raise Unavailable(own.detail)
        if "valkey_version" in server:
            return f"Valkey {server['valkey_version']}"
        return f"Redis {server['redis_version']}"

    return ask("cache", question, otherwise="warn")


def apps(runtime: Runtime) -> list[Finding]:
    """The checks of every app, named `<app>: <check>`; a failing one is a warning."""
    findings = []
    for app in runtime.apps:
        for check in app.checks:

            def question(probe: Callable[..., str | None] = check.probe) -> str | None:
                with runtime.session() as session:
                    return probe(session)

            findings.append(ask(f"{app.name}: {check.name}", question, otherwise="warn"))
    return findings


def readiness(runtime: Runtime) -> tuple[Status, list[Finding]]:
    """Whether this process can serve: `fail` without a database, `warn` with any other flaw."""
    first = database(runtime)
    findings = [first, cache(runtime)]
    if first.status == "pass":
        findings += apps(runtime)
    worst: Status = "pass"
    for finding in findings:
        if finding.status == "fail" or (finding.status == "warn" and worst == "pass"):
            worst = finding.status
    return worst, findings
