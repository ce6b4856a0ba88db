"""What calls leave behind: rows, budgets, usage, metrics; with the database there and away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, insert, text

from buttress import telemetry
from buttress.db.base import Base
from buttress.db.database import Database
from buttress.db.migrations import upgrade
from buttress.errors import BadInput, BudgetSpent, ModelUnavailable
from buttress.exports import export_rows
from buttress.llm import ledger, usage_query
from buttress.llm.entry import Entry
from buttress.llm.tables import LLMCall
from buttress.runtime import Runtime
from buttress.settings import Settings
from buttress.telemetry.metrics import page
from buttress.testing.models import Answer, Failure, ModelServer, Silence
from llm_world import A_CALL, OWN, PRICE, TABLES, Gateway, gateway

ASK = {"purpose": "catalog.extract"}


@pytest.fixture
def llm(calls_url: str, model_server: ModelServer) -> Iterator[Gateway]:
    with gateway(calls_url, model_server) as opened:
        yield opened


def hide_table(llm: Gateway) -> None:
    """Make the database refuse what the ledger sends."""
    with llm.database.connection() as connection:
        connection.execute(text("alter table buttress_llm_call rename to buttress_hidden"))


def show_table(llm: Gateway) -> None:
    with llm.database.connection() as connection:
        connection.execute(text("alter table buttress_hidden rename to buttress_llm_call"))


def add_call(llm: Gateway, **values: object) -> None:
    """A row some other process wrote."""
    usual = {
        "id": uuid4(), "at": datetime.now(UTC), "provider": "openai", "model": "m", "app": "catalog",
        "purpose": "catalog.x", "outcome": "ok", "attempts": 1, "latency_ms": 500,
        "input_tokens": 10, "output_tokens": 5, "cached_tokens": 0, "tokens_estimated": False,
        "cost": Decimal("0.5"),
    }  # fmt: skip
    with llm.database.connection() as connection:
        connection.execute(insert(LLMCall).values(**usual | values))


def test_a_call_does_not_fail_because_the_database_does(
    llm: Gateway, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(ledger, "AGAIN_SECONDS", 0.05)
    hide_table(llm)
    try:
        answers = [llm.complete(f"n{n}", **ASK).text for n in range(3)]
    finally:
        show_table(llm)

    assert answers == ["n0", "n1", "n2"]
    assert caplog.messages.count("model call is not written yet") == 1, "each call waited for it"
    ends = time.monotonic() + 5
    while len(llm.calls()) < 3 and time.monotonic() < ends:
        time.sleep(0.02)
    assert llm.outcomes == ["ok"] * 3
    assert "model calls are written again" in caplog.messages


def test_what_is_kept_is_written_when_the_gateway_closes(
    calls_url: str, model_server: ModelServer
) -> None:
    with gateway(calls_url, model_server) as llm:
        hide_table(llm)
        llm.complete("?", **ASK)
        show_table(llm)
        llm.close()

        assert llm.outcomes == ["ok"]


def test_what_is_kept_is_bounded(
    llm: Gateway, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "KEPT", 2)
    hide_table(llm)
    try:
        for n in range(4):
            llm.complete(f"n{n}", **ASK)
    finally:
        show_table(llm)
    llm._ledger.flush()

    assert len(llm.calls()) == 2
    assert "model calls are lost" in caplog.messages


def test_a_database_that_is_away_holds_nobody_up(tmp_path: Path, model_server: ModelServer) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    with gateway(nowhere, model_server, tables=False) as llm:
        llm.complete("warm", **ASK)
        began = time.monotonic()

        for _ in range(5):
            llm.complete("?", **ASK)

        assert time.monotonic() - began < 2


def test_a_budget_ends_at_what_was_spent(calls_url: str, model_server: ModelServer) -> None:
    with gateway(calls_url, model_server, daily_budget_usd=0.0025) as llm:
        llm.complete("?", max_tokens=100, **ASK)
        add_call(llm, cost=Decimal("0.0024"))

        with pytest.raises(BudgetSpent, match="this deployment for today is") as caught:
            llm.complete("?", max_tokens=100, **ASK)

        assert len(model_server.requests) == 1
        assert llm.calls()[-1]["outcome"] == "budget"
    midnight = datetime.combine(datetime.now(UTC).date(), datetime.min.time(), UTC)
    assert caught.value.resets_at == midnight + timedelta(days=1)
    assert 0 < caught.value.after_seconds <= 86_400
    assert f"{caught.value.resets_at:%Y-%m-%d} 00:00 UTC" in str(caught.value.hint)
    assert caught.value.http_status == 429


def test_yesterday_does_not_count(calls_url: str, model_server: ModelServer) -> None:
    with gateway(calls_url, model_server, daily_budget_usd=0.01) as llm:
        add_call(llm, cost=Decimal(1), at=datetime.now(UTC) - timedelta(days=1))

        assert llm.complete("?", **ASK).cost == A_CALL


def test_apps_and_persons_have_budgets_of_their_own(
    calls_url: str, model_server: ModelServer
) -> None:
    budgets = {
        "app_daily_budget_usd": {"catalog": 1.0, "*": 0.0},
        "person_daily_budget_usd": {"ana": 0.0, "*": 1.0},
    }
    with gateway(calls_url, model_server, **budgets) as llm:
        with telemetry.working_for(person="bob"):
            llm.complete("?", purpose="catalog.extract")
            with pytest.raises(BudgetSpent, match="app 'margins'"):
                llm.complete("?", purpose="margins.guess")
        with telemetry.working_for(person="ana"), pytest.raises(BudgetSpent, match="this person"):
            llm.complete("?", purpose="catalog.extract")


def test_twelve_at_once_do_not_spend_more_than_there_is(
    calls_url: str, model_server: ModelServer
) -> None:
    # Each call may come to cost 0.000201 USD, so four of them fit.
    model_server.script(*[Answer("x", usage=(1, 100, 0), delay_seconds=0.3)] * 12)
    outcomes: list[str] = []
    with gateway(calls_url, model_server, daily_budget_usd=0.00085) as llm:

        def ask(_: int) -> None:
            try:
                llm.complete("?", max_tokens=100, **ASK)
            except BudgetSpent:
                outcomes.append("budget")

        with ThreadPoolExecutor(12) as threads:
            list(threads.map(ask, range(12)))
        spent = sum(call["cost"] for call in llm.calls())

    assert len(outcomes) == 8
    assert spent == Decimal("0.000804")


def test_a_call_that_ends_while_another_asks_what_is_spent_counts_once(
    calls_url: str, model_server: ModelServer
) -> None:
    with gateway(calls_url, model_server, daily_budget_usd=1.0) as llm:
        ending = Entry.begun("openai", "m", "catalog.extract")
        ending.reserved = ending.cost = Decimal("0.4")

        def in_flight() -> list[Entry]:
            llm._ledger.write(ending)
            return [ending]

        fits = Entry.begun("openai", "m", "catalog.extract")
        llm._budgets.reserve(fits, Decimal("0.6"), in_flight)
        too_much = Entry.begun("openai", "m", "catalog.extract")
        with pytest.raises(BudgetSpent):
            llm._budgets.reserve(too_much, Decimal("0.01"), lambda: [fits])

        assert fits.reserved == Decimal("0.6")


def test_a_budget_holds_while_the_database_is_away(
    calls_url: str, model_server: ModelServer
) -> None:
    with gateway(calls_url, model_server, daily_budget_usd=0.00041) as llm:
        hide_table(llm)
        try:
            model_server.script(*[Answer("x", usage=(1, 100, 0))] * 3)
            llm.complete("?", max_tokens=100, **ASK)
            llm.complete("?", max_tokens=100, **ASK)
            with pytest.raises(BudgetSpent):
                llm.complete("?", max_tokens=100, **ASK)
        finally:
            show_table(llm)


def test_usage_is_told_by_what_one_asks(llm: Gateway, model_server: ModelServer) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    add_call(llm, at=yesterday, person="ana", latency_ms=1500)
    add_call(llm, person="ana", cost=None)
    add_call(llm, person="bob", outcome="failed", model="n")
    add_call(llm, outcome="cached", cost=Decimal(0))

    by_day = llm.usage(by=["day"])
    by_both = {(row.model, row.person): row for row in llm.usage(by=["model", "person"])}

    today: date = datetime.now(UTC).date()
    assert [(row.day, row.calls) for row in by_day] == [(today - timedelta(days=1), 1), (today, 3)]
    ana = by_both["openai:m", "ana"]
    assert (ana.calls, ana.failed, ana.unpriced, ana.cost) == (2, 0, 1, Decimal("0.5"))
    assert (ana.input_tokens, ana.output_tokens, ana.mean_latency_seconds) == (20, 10, 1.0)
    assert by_both["openai:n", "bob"].failed == 1
    assert by_both["openai:m", None].cached == 1
    assert llm.usage(since=datetime.now(UTC) + timedelta(hours=1)) == []


def test_usage_knows_its_groups(llm: Gateway) -> None:
    with pytest.raises(BadInput, match="by 'prompt'"):
        llm.usage(by=["prompt"])  # type: ignore[list-item]


def test_usage_is_exported(llm: Gateway, tmp_path: Path) -> None:
    add_call(llm, model="=cmd()")
    now = datetime.now(UTC)
    query = usage_query(now - timedelta(days=1), now + timedelta(days=1), ["model", "app"])

    with llm.database.session(read_only=True) as session:
        export_rows(session, query, tmp_path / "usage.csv")

    lines = (tmp_path / "usage.csv").read_text().splitlines()
    assert lines[0].startswith("model,app,calls,failed,")
    assert lines[1].startswith("openai:=cmd(),catalog,1,0,")


def test_the_books_are_the_same_on_sqlite(sqlite_url: str, model_server: ModelServer) -> None:
    with gateway(sqlite_url, model_server, daily_budget_usd=1.0) as llm:
        llm.complete("?", cache=True, **ASK)
        llm.complete("?", cache=True, **ASK)
        list(llm.stream("?", **ASK))

        assert llm.outcomes == ["ok", "cached", "ok"]
        (row,) = llm.usage(by=["day"])
    assert (row.calls, row.cost, row.day) == (3, 2 * A_CALL, datetime.now(UTC).date())


def test_metrics_tell_calls_tokens_and_cost(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(Answer("hi"), Failure(401))
    llm.complete("?", **ASK)
    with pytest.raises(Exception, match="does not accept the key"):
        llm.complete("?", **ASK)

    told = page([llm._metrics])

    assert llm._metrics in telemetry.collectors
    assert f'buttress_llm_calls_total{{model="{OWN}",outcome="ok"}} 1.0' in told
    assert f'buttress_llm_calls_total{{model="{OWN}",outcome="failed"}} 1.0' in told
    assert f'buttress_llm_tokens_total{{direction="out",model="{OWN}"}} 7.0' in told
    assert f'buttress_llm_cost_usd_total{{model="{OWN}"}} 2.5e-05' in told


def test_the_migration_makes_the_tables_the_code_expects(backend_url: str) -> None:
    database = Database(backend_url)
    try:
        upgrade(database, [])
        with database.connection() as connection:
            context = MigrationContext.configure(
                connection,
                opts={"include_name": lambda name, kind, _: kind != "table" or "llm" in name},
            )
            metadata = MetaData(naming_convention=Base.metadata.naming_convention)
            for table in TABLES:
                table.to_metadata(metadata)
            assert compare_metadata(context, metadata) == []
    finally:
        database.close()


def test_a_runtime_has_a_gateway(
    database_url: str, model_server: ModelServer, tmp_path: Path
) -> None:
    settings = Settings(
        _env_file=None,
        database_url=database_url,
        redis_url="redis://127.0.0.1:1",
        home=tmp_path,
        llm={"model": OWN, "base_url": model_server.url, "prices": PRICE},
    )
    with Runtime(settings) as runtime:
        upgrade(runtime.owner_database, [])

        answer = runtime.llm.complete("hello", **ASK)
        usage = runtime.llm.usage(by=["model", "outcome"])

    assert answer.text == "hello"
    assert [(row.model, row.outcome, row.cost) for row in usage] == [(OWN, "ok", A_CALL)]


def test_opening_a_runtime_does_not_import_a_client() -> None:
    import subprocess
    import sys

    script = (
        "import sys, buttress.llm, buttress.testing.models; from buttress.settings import *\n"
        "from buttress.db.database import Database\n"
        "with buttress.llm.LLM(Database('sqlite:////nowhere/x.db'), LLMSettings(), "
        "buttress.llm.Providers({}, {})) as llm:\n"
        "    assert llm.complete('Oaks grow.', purpose='a.b').offline\n"
        "print(sorted({'pydantic_ai', 'openai', 'genai_prices', 'httpx2'} & set(sys.modules)))"
    )

    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert answer.stdout.strip() == "[]", answer.stderr


def test_a_caller_that_is_interrupted_is_cancelled(
    llm: Gateway, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.script(Silence())
    run = llm._loop.run

    def interrupted(coroutine: object, *, seconds: float) -> object:
        future = llm._loop.start(coroutine, seconds=seconds)  # type: ignore[arg-type]
        while not model_server.requests:
            time.sleep(0.01)
        future.cancel()
        raise KeyboardInterrupt

    llm._clients.of(llm.providers.choose(OWN))
    monkeypatch.setattr(llm._loop, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        llm.complete("a question", **ASK)
    monkeypatch.setattr(llm._loop, "run", run)

    (row,) = llm.calls()
    assert (row["outcome"], row["input_tokens"], row["tokens_estimated"]) == ("cancelled", 3, True)


def test_a_closed_gateway_asks_nobody(calls_url: str, model_server: ModelServer) -> None:
    with gateway(calls_url, model_server) as llm:
        llm.close()
        with pytest.raises(ModelUnavailable, match="closed"):
            llm.complete("?", **ASK)
    assert model_server.requests == []


def test_no_thread_is_left_behind(calls_url: str, model_server: ModelServer) -> None:
    with gateway(calls_url, model_server) as llm:
        llm.complete("?", **ASK)

    assert not [t for t in threading.enumerate() if t.name.startswith("buttress model")]
