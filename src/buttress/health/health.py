"""The health of one process: asked by probes, pages and the command line."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import os
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from typing import TYPE_CHECKING, Self

from buttress.health import parts
from buttress.health.finding import Check, Finding, worst
from buttress.health.line import Line
from buttress.health.measures import measures
from buttress.health.metrics import DeploymentCollector
from buttress.health.replies import PATHS, Reply, document, problem
from buttress.health.responses import Responses
from buttress.health.watched import Watched, ask_all, async_ask_all
from buttress.telemetry import collectors

if TYPE_CHECKING:
    from buttress.runtime import Runtime

QUESTION_SECONDS = 2.0
"""What the server itself allows a statement of ours."""
APP_QUESTION_SECONDS = 10.0
CLOSE_SECONDS = 2.0

READY = ("/health", "/health/ready")
Stages = list[list[Watched]]


class Health:
    """What probes ask of an open runtime.

        runtime.health.answer("/health/ready", permitted=False)

    Nothing is opened before the first question. Each check is asked by one thread at a time, waited
    for until its limit, and its answer stands for a second, however many ask.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.responses = Responses()
        self.draining = False
        self.began = time.monotonic()
        # The checks of apps hang by themselves: they must not take the line of ours.
        self._line = Line(lambda: runtime.database, statement_seconds=QUESTION_SECONDS)
        self._app_line = Line(lambda: runtime.database, statement_seconds=APP_QUESTION_SECONDS)
        self._migrations = parts.Migrations(runtime, self._line)
        self.database = self._watch(parts.database(self._line))
        self.migrations = self._watch(Check("migrations", self._migrations.question))
        self.cache = self._watch(parts.cache(runtime))
        self._collector = DeploymentCollector(runtime, self._line, self.migrations)
        self._apps: list[Watched] | None = None
        self._measures: list[Watched] | None = None
        _open.add(self)

    def __enter__(self) -> Self:
        collectors.append(self._collector)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; questions fail from now on.

        Those under way are waited for, for two seconds: after this what they ask is closed too.
        """
        if self._collector in collectors:
            collectors.remove(self._collector)
        own = [self.database, self.migrations, self.cache]
        watched = [*own, *(self._apps or ()), *(self._measures or ())]
        wait([one for check in watched if (one := check.under_way)], CLOSE_SECONDS)
        self._line.close()
        self._app_line.close()

    @property
    def apps(self) -> list[Watched]:
        """The checks of the apps."""
        if self._apps is None:
            self._apps = [
                Watched(parts.of_app(app, check, self._app_line), self._app_line.start_anew)
                for app in self.runtime.apps
                for check in app.checks
            ]
        return self._apps

    @property
    def measures(self) -> list[Watched]:
        """What is measured for operators."""
        if self._measures is None:
            found = measures(self.runtime, self._line, self.responses)
            self._measures = [self._watch(check) for check in found]
        return self._measures

    def prepare(self) -> None:
        """Read the revisions of the apps, once: that is no question to a server, and no time of
        its is counted."""
        self._migrations.known  # noqa: B018

    def drain(self) -> None:
        """Answer that this process is not ready any more: it has been asked to stop."""
        self.draining = True

    def ask(self, *checks: Watched) -> list[Finding]:
        """What these checks say; blocks for the longest of their limits at most."""
        return ask_all(checks)

    def answer(self, path: str, *, permitted: bool) -> Reply:
        """The answer to a probe; details are for the permitted. Blocks for 0.5 s at most, for
        `/health/detailed` for 2 s; the first probe until `prepare` has been done too."""
        if path not in PATHS:
            return problem(404, f"there is no {path}", f"Ask {', '.join(PATHS)}.")
        if path == "/health/detailed" and not permitted:
            return _unauthorised()
        if not self._is_prepared(path):
            self.prepare()
        findings: list[Finding] = []
        for stage in self._stages(path):
            findings += ask_all(stage)
            if worst(findings) == "fail":
                break
        return document(self, path, self._with_draining(path, findings), permitted=permitted)

    async def async_answer(self, path: str, *, permitted: bool) -> Reply:
        """The same without blocking the event loop or taking a thread of its pool."""
        if path not in PATHS:
            return problem(404, f"there is no {path}", f"Ask {', '.join(PATHS)}.")
        if path == "/health/detailed" and not permitted:
            return _unauthorised()
        if not self._is_prepared(path):
            await asyncio.to_thread(self.prepare)
        findings: list[Finding] = []
        for stage in self._stages(path):
            findings += await async_ask_all(stage)
            if worst(findings) == "fail":
                break
        return document(self, path, self._with_draining(path, findings), permitted=permitted)

    def permits(self, *, authorization: str, client: str, host: str, forwarded: bool) -> bool:
        """Whether whoever asks may see details.

        Those who present `BUTTRESS_HEALTH__TOKEN` as a bearer token, and in development whoever
        asks from this machine under a name of this machine: under any other a page of another site
        might have asked. `forwarded`: the request came through a proxy, whose address says nothing
        about who asks.
        """
        settings = self.runtime.settings
        token = settings.health.token.get_secret_value()
        scheme, _, given = authorization.partition(" ")
        if token and scheme.lower() == "bearer":
            return hmac.compare_digest(given.strip().encode(), token.encode())
        if settings.environment != "development" or forwarded:
            return False
        return _is_loopback(client) and _is_own_name(host)

    def watched(self) -> Iterator[Watched]:
        """Every check there is."""
        yield from (self.database, self.migrations, self.cache, *self.apps, *self.measures)

    def start_anew(self) -> None:
        """In a forked child: the parent's threads do not exist, and its answers are not ours."""
        for one in (self.database, self.migrations, self.cache):
            one.start_anew()
        self._apps = self._measures = None

    def _is_prepared(self, path: str) -> bool:
        needed = any(self.migrations in stage for stage in self._stages(path))
        return self._migrations.are_known or not needed

    def _stages(self, path: str) -> Stages:
        """What is asked; a stage waits for those before it, and is left out when one fails.

        Without a database nothing that needs it is asked: the answer is known.
        """
        if path in READY:
            return [[self.database], [self.migrations, self.cache, *self.apps]]
        if path == "/health/database":
            return [[self.database], [self.migrations]]
        if path == "/health/cache":
            return [[self.cache]]
        if path == "/health/detailed":
            rest = [self.migrations, self.cache, *self.apps, *self.measures]
            return [[self.database], rest]
        return []

    def _with_draining(self, path: str, findings: Sequence[Finding]) -> list[Finding]:
        if not self.draining or path not in READY:
            return list(findings)
        stopping = Finding("process", "fail", "it has been asked to stop", 0.0)
        return [*findings, stopping]

    def _watch(self, check: Check) -> Watched:
        return Watched(check, self._line.start_anew)


def _unauthorised() -> Reply:
    return problem(
        401,
        "details are told to those who may see them",
        "Send the header `Authorization: Bearer TOKEN` with the value of BUTTRESS_HEALTH__TOKEN.",
        {"www-authenticate": "Bearer"},
    )


def _is_loopback(client: str) -> bool:
    try:
        return ipaddress.ip_address(client).is_loopback
    except ValueError:  # a unix socket, or a name
        return False


def _is_own_name(host: str) -> bool:
    """Whether a Host header is an address of this machine, or a name nobody can register."""
    name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
    return "." not in name or _is_loopback(name.strip("[]"))


_open: weakref.WeakSet[Health] = weakref.WeakSet()


def _start_anew_in_child() -> None:
    for health in list(_open):
        health.start_anew()


os.register_at_fork(after_in_child=_start_anew_in_child)
