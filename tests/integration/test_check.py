"""`buttress check`: every check fires at a real fault and is silent without it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from buttress.check import GROUPS, Facts, all_checks, facts_of, run
from buttress.check.registry import Check, NotApplicable
from buttress.check.report import look
from buttress.db.embedded import Servers
from buttress.deployment import prepare
from buttress.jobs.tables import install
from buttress.runtime import select_apps
from buttress.settings import Given
from docs.generate import REFERENCE
from integration.check_cases import FIRES, ON_A_SERVER_OF_ITS_OWN, SILENT
from integration.check_world import Shared, World
from integration.test_pgbouncer import PGBOUNCER, pgbouncer
from own_server import OwnServer, own_server

CHECKS = {check.id: check for check in all_checks()}
FAULTS = {
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off",
    "max_prepared_transactions": "5",
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    with ExitStack() as exits:
        yield Shared(servers, tmp_path_factory.mktemp("shared"), exits)


@pytest.fixture
def world(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Shared
) -> Iterator[World]:
    with ExitStack() as exits:
        yield World(servers, tmp_path, monkeypatch, exits, shared)


@pytest.fixture(scope="module")
def faulty() -> Iterator[OwnServer]:
    """A server set up wrongly, with a transaction and a slot somebody has forgotten."""
    with own_server() as server:
        server.stop()
        server._run("pg_checksums", "--disable", "-D", str(server.data))
        server.start(**FAULTS)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("select pg_create_physical_replication_slot('left', true)")
            connection.execute("create table t (n int)")
            connection.execute("begin; insert into t values (1); prepare transaction 'left'")
        yield server


@pytest.fixture(scope="module")
def sound() -> Iterator[OwnServer]:
    with own_server() as server:
        yield server


def test_every_check_has_a_deployment_at_which_it_fires_and_one_at_which_it_is_silent():
    for cases in (FIRES, SILENT):
        assert sorted([*cases, *ON_A_SERVER_OF_ITS_OWN]) == list(CHECKS)


@pytest.mark.parametrize("check", FIRES)
def test_it_fires(check: str, world: World) -> None:
    facts = FIRES[check](world)

    finding = look(CHECKS[check], facts)

    assert finding is not None
    assert finding.outcome == CHECKS[check].severity, finding.text


@pytest.mark.parametrize("check", SILENT)
def test_it_is_silent(check: str, world: World) -> None:
    finding = look(CHECKS[check], SILENT[check](world))

    assert finding is None, finding.text


@pytest.mark.slow
@pytest.mark.parametrize("check", ON_A_SERVER_OF_ITS_OWN)
def test_it_fires_at_a_server_that_is_set_up_wrongly(check, world, faulty, sound):
    world.patch.setattr("buttress.check.server.PREPARED_SECONDS", 0.0)

    wrong = look(CHECKS[check], world.at(faulty.url))
    right = look(CHECKS[check], world.at(sound.url))

    assert wrong is not None
    assert wrong.outcome == CHECKS[check].severity, wrong.text
    assert right is None, right.text


@pytest.mark.slow
@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
def test_pgbouncer_is_noticed_where_the_url_does_not_tell_of_it(world, sound):
    with pgbouncer(sound.url) as folder:
        url = f"postgresql://postgres@/postgres?host={quote(str(folder), safe='')}&port=6432"
        # Start-up options, which it refuses in this mode, would tell of it before the check does.
        untold = world.at(f"{url}&options=")
        untold.database.backend._variables = dict
        told = look(CHECKS["BT-307"], world.at(f"{url}&pgbouncer=true"))
        found = look(CHECKS["BT-307"], untold)

    assert told is None
    assert found is not None
    assert found.outcome == "error", found.text


def test_there_are_checks_in_every_group_and_each_says_what_to_do():
    assert {check.group for check in CHECKS.values()} == set(GROUPS)
    assert set(GROUPS) == {
        "configuration", "web", "database", "access", "people", "cache", "backup", "jobs",
        "observability", "models", "supply",
    }  # fmt: skip
    assert len(CHECKS) >= 60
    for check in CHECKS.values():
        assert check.why.endswith("."), check.id
        assert check.cure, check.id
        assert check.title[0].isupper(), check.id


def test_a_misspelt_setting_is_told_with_the_right_name(world):
    finding = look(CHECKS["BT-101"], world.facts(given={"BUTTRESS_POOL__SIZES": "3"}))

    assert finding is not None
    assert finding.text == "BUTTRESS_POOL__SIZES is no setting; did you mean BUTTRESS_POOL__SIZE?"


def test_what_cannot_be_looked_at_is_told_and_not_hidden(world):
    facts = world.facts(database_url=f"postgresql://u:hunter2@/d?host={world.folder}")
    report = run(facts, all_checks(), deploy=True)

    unchecked = {
        finding.check.id for finding in report.findings if finding.outcome == "not checked"
    }
    assert {"BT-302", "BT-341", "BT-401", "BT-507", "BT-702"} <= unchecked
    assert report.fails("error")
    assert "hunter2" not in json.dumps([finding.as_document() for finding in report.findings])


def test_a_check_that_fails_in_an_unknown_way_does_not_keep_the_others_from_looking(world):
    def broken(_: Facts) -> None:
        raise KeyError("secret")

    def beside(_: Facts) -> str:
        return "something"

    def nothing(_: Facts) -> None:
        raise NotApplicable

    checks = [
        Check(name, "web", "error", "T", "C.", look, deploy=False)
        for name, look in (("BT-1", broken), ("BT-2", beside), ("BT-3", nothing))
    ]
    report = run(world.facts(), checks, deploy=False)

    assert [(f.check.id, f.outcome, f.text) for f in report.findings] == [
        ("BT-2", "error", "something"),
        ("BT-1", "not checked", "not checked: KeyError"),
    ]


def test_all_of_a_running_deployment_is_looked_at_in_seconds(world):
    facts = world.shared.facts
    with facts_of(facts.settings, Given(), world.folder) as opened:
        began = time.monotonic()
        report = run(opened, all_checks(), deploy=True)
        seconds = time.monotonic() - began

    assert seconds < 5
    assert report.checked == len(CHECKS)
    assert not [f.text for f in report.findings if f.outcome == "not checked"]


@pytest.mark.slow
def test_the_command_prints_json_and_ends_with_the_exit_code_asked_for(world):
    facts = world.runtime(
        "set role buttress_owner; create unlogged table gone (id int primary key)"
    )
    install(facts.open.owner_database)
    prepare(facts.open.owner_database, select_apps(""))
    url = facts.settings.database_url.get_secret_value()
    environment = {
        "PATH": "/usr/bin:/bin", "BUTTRESS_HOME": str(world.folder),
        "DATABASE_URL": url,
        "REDIS_URL": world.servers.valkey_url, "BUTTRESS_TIMEOUTS__LOCK_SECONDS": "0",
    }  # fmt: skip
    command = [sys.executable, "-m", "buttress"]
    plain = subprocess.run([*command, "check"], env=environment, cwd=world.folder,
                           capture_output=True, text=True)  # fmt: skip
    strict = subprocess.run([*command, "check", "--json", "--fail-on", "warning"], env=environment,
                            cwd=world.folder, capture_output=True, text=True)  # fmt: skip

    found = {one["id"]: one for one in json.loads(strict.stdout)}
    assert plain.returncode == 0, plain.stdout
    assert strict.returncode == 1
    assert {"BT-346", "BT-310"} <= set(found)
    assert found["BT-346"] == {
        "id": "BT-346", "group": "database", "severity": "warning", "title": "Unlogged table",
        "finding": "gone", "cure": CHECKS["BT-346"].cure, "page": "reference/checks.md#bt-346",
    }  # fmt: skip
    assert "Unlogged table: gone" in plain.stdout
    assert "0 errors" in plain.stdout.splitlines()[-1]


def test_every_check_has_an_anchor_in_the_documentation():
    page = (REFERENCE / "checks.md").read_text(encoding="utf-8")

    for check in CHECKS.values():
        assert f"### {check.id}" in page
