"""`buttress jobs` shows jobs to people, and does what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from buttress.cli.job_tables import duration
from buttress.cli.jobs import app as commands
from buttress.db.embedded import Servers
from buttress.errors import BadInput, Conflict, NotFound
from buttress.jobs import Job, Step
from buttress.jobs.worker import Worker
from buttress.runtime import Runtime
from buttress.settings import Settings

Buttress = Callable[..., str]


@pytest.fixture
def runtime(
    jobs_url: str, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runtime]:
    for name, value in (
        ("DATABASE_URL", jobs_url),
        ("REDIS_URL", servers.valkey_url),
        ("BUTTRESS_HOME", str(tmp_path)),
        ("COLUMNS", "200"),
    ):
        monkeypatch.setenv(name, value)
    with Runtime(Settings(_env_file=None)) as runtime:
        yield runtime


@pytest.fixture
def buttress() -> Buttress:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(commands, arguments)
        if done.exception:
            raise done.exception
        return done.output

    return run


def measure(what: str, depth: int = 0) -> int:
    Job.progress(1, 2, "measuring")
    return len(look(what)) + depth


look = Step("garden.look", lambda what: what)
measuring = Job("garden.measure", measure)


def test_a_job_is_listed_and_shown_without_its_values_unless_asked_for(
    runtime: Runtime, buttress: Buttress
) -> None:
    runtime.jobs.declared = lambda: [measuring]
    with Worker(runtime.jobs):
        ticket = runtime.jobs.enqueue(measuring, "roses", depth=3)
        assert ticket.result(timeout_seconds=20) == 8

    listed = buttress("list", "--state", "done", "--queue", "default")
    assert ticket.id[:8] in listed
    assert "1/2 measuring" in listed
    shown = buttress("show", ticket.id[:6])
    for expected in ("garden.measure", "done", "garden.look", "depth", "str"):
        assert expected in shown
    assert "roses" not in shown
    assert "'roses'" in buttress("show", ticket.id, "--arguments")
    with pytest.raises(Conflict, match="is done"):
        buttress("retry", ticket.id)


def test_jobs_and_queues_are_paused_resumed_and_cancelled(
    runtime: Runtime, buttress: Buttress
) -> None:
    ticket = runtime.jobs.enqueue(measuring, "roses")
    short = ticket.id[:8]

    assert ticket.id in buttress("pause", short)
    assert "paused" in buttress("list")
    assert "goes on" in buttress("resume", short)
    assert "cancelled" in buttress("cancel", short, "--children")
    assert "have ended" in buttress("cancel", short, "--children")
    assert "waiting again" in buttress("retry", short)

    assert "is paused" in buttress("pause", "--queue", "default")
    (line,) = [line for line in buttress("queues").splitlines() if line.startswith("default")]
    assert line.split()[1:4] == ["paused", "1", "0"]
    assert "goes on" in buttress("resume", "--queue", "default")


def test_what_is_named_wrongly_is_told(runtime: Runtime, buttress: Buttress) -> None:
    for _ in range(40):  # some two begin alike
        runtime.jobs.enqueue(measuring, "roses")
    digits = [job.id[0] for job in runtime.jobs.find()]
    twice = next(digit for digit in digits if digits.count(digit) > 1)

    with pytest.raises(BadInput, match=f"several jobs begin with {twice}"):
        buttress("show", twice)
    with pytest.raises(NotFound, match="no job xyz"):
        buttress("show", "xyz")
    with pytest.raises(BadInput, match="either a job or a queue"):
        buttress("pause")
    with pytest.raises(BadInput, match="no state of a job"):
        buttress("list", "--state", "odd")


def test_a_family_is_drawn_from_its_oldest_member(runtime: Runtime, buttress: Buttress) -> None:
    def parent() -> str:
        return runtime.jobs.start(measuring, "roses").id

    planning = Job("garden.plan", parent)
    runtime.jobs.declared = lambda: [measuring, planning]
    with Worker(runtime.jobs):
        child = str(runtime.jobs.enqueue(planning).result(timeout_seconds=20))
        runtime.jobs.result(child, timeout_seconds=20)

    *_, above, below = buttress("show", child).rstrip().splitlines()
    assert "garden.plan" in above
    assert below.startswith("└── ")
    assert "garden.measure" in below


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0354, "35 ms"), (4.21, "4.2 s"), (200, "3 min"), (20_000, "6 h"), (400_000, "5 d")],
)
def test_durations_are_said_in_the_unit_people_would_use(seconds: float, said: str) -> None:
    assert duration(seconds) == said
