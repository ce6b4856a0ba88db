"""Every deployment backs itself up and forgets what is old, without an app that says so."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from buttress.db.embedded import Servers
from buttress.db.migrations import upgrade
from buttress.errors import BadInput
from buttress.housekeeping import housekeeping
from buttress.jobs import Job
from buttress.jobs.tables import install
from buttress.jobs.worker import Worker
from buttress.llm.tables import LLMCall
from buttress.runtime import Runtime
from buttress.settings import BackupSettings, JobSettings, Settings


@pytest.fixture(autouse=True)
def no_apps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("buttress.runtime.entry_points", lambda group: [])


@pytest.fixture
def settings(backend_url: str, servers: Servers, tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None, database_url=backend_url, redis_url=servers.valkey_url, home=tmp_path
    )


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    with Runtime(settings) as runtime:
        upgrade(runtime.owner_database, [])
        install(runtime.owner_database)
        yield runtime


def named(runtime: Runtime, name: str) -> Job[..., object]:
    (job,) = [job for job in housekeeping(runtime) if job.name == name]
    return job


@pytest.mark.slow
def test_a_backup_is_made_proven_and_told_of_as_it_goes_on(runtime: Runtime) -> None:
    with Worker(runtime.jobs):
        ticket = runtime.jobs.enqueue(named(runtime, "buttress.backup"))
        name = ticket.result(timeout_seconds=60)

    (backup,) = runtime.backup.all()
    assert (backup.id, backup.verified, backup.manifest.reason) == (name, True, "on schedule")
    assert [step.name for step in runtime.jobs.steps(ticket.id)] == [
        "buttress.make_backup",
        "buttress.prune_backups",
    ]
    assert len(runtime.jobs.history(ticket.id)) > 1


@pytest.mark.slow
def test_a_drill_proves_the_newest_backup_and_fails_where_it_is_damaged(
    settings: Settings, tmp_path: Path
) -> None:
    unproven = BackupSettings(drill=False)
    with Runtime(settings.model_copy(update={"backup": unproven})) as runtime:
        install(runtime.owner_database)
        job = named(runtime, "buttress.drill")
        with Worker(runtime.jobs):
            assert runtime.jobs.enqueue(job).result(timeout_seconds=30) is None

            made = runtime.backup.create()
            assert not made.verified
            assert runtime.jobs.enqueue(job).result(timeout_seconds=60) == made.id
            assert runtime.backup.find(made.id).verified

            (stored,) = made.manifest.files
            (path,) = [p for p in tmp_path.rglob(Path(stored.name).name) if p.is_file()]
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
            with pytest.raises(BadInput):
                runtime.jobs.enqueue(job).result(timeout_seconds=60)


@pytest.mark.slow
def test_jobs_that_ended_long_ago_are_forgotten(settings: Settings) -> None:
    at_once = JobSettings(keep_days=0)
    with Runtime(settings.model_copy(update={"jobs": at_once})) as runtime:
        upgrade(runtime.owner_database, [])
        install(runtime.owner_database)
        job = named(runtime, "buttress.prune")
        with Worker(runtime.jobs):
            runtime.jobs.enqueue(job).result(timeout_seconds=20)
            time.sleep(0.01)
            second = runtime.jobs.enqueue(job)

            assert second.result(timeout_seconds=20) == 1
        assert [found.id for found in runtime.jobs.find()] == [second.id]


def test_calls_of_models_are_accounted_for_a_year_and_then_forgotten(runtime: Runtime) -> None:
    now = dt.datetime.now(dt.UTC)
    with runtime.session() as session:
        for days in (399, 401):
            session.add(
                LLMCall(
                    id=uuid4(), at=now - dt.timedelta(days=days), provider="p", model="m",
                    purpose=f"{days}", app="a", outcome="ok", attempts=1, latency_ms=1,
                    input_tokens=1, output_tokens=1, cached_tokens=0, tokens_estimated=False,
                )
            )  # fmt: skip

    with Worker(runtime.jobs):
        runtime.jobs.enqueue(named(runtime, "buttress.prune")).result(timeout_seconds=20)

    with runtime.session() as session:
        assert session.scalars(select(LLMCall.purpose)).all() == ["399"]


@pytest.mark.parametrize(
    ("backup", "scheduled"),
    [
        (BackupSettings(), ["buttress.backup", "buttress.prune"]),
        (BackupSettings(drill=False), ["buttress.backup", "buttress.drill", "buttress.prune"]),
        (BackupSettings(schedule=""), ["buttress.prune"]),
        (BackupSettings(schedule="", drill=False), ["buttress.prune"]),
    ],
)
def test_what_is_done_by_itself_follows_from_the_settings_and_the_rest_can_be_asked_for(
    settings: Settings, backup: BackupSettings, scheduled: list[str]
) -> None:
    changed = settings.model_copy(update={"backup": backup})
    with Runtime(changed) as runtime:
        declared = {job.name: job for job in housekeeping(runtime)}

    assert sorted(declared) == ["buttress.backup", "buttress.drill", "buttress.prune"]
    assert sorted(name for name, job in declared.items() if job.schedule) == scheduled
    assert all(job.time_zone == "UTC" for job in declared.values())
