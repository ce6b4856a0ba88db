"""For each alert, series on which it fires and series on which it stays silent, by the minute or the hour."""

from __future__ import annotations

from dataclasses import dataclass, field

DAY = 1440


@dataclass(frozen=True)
class Case:
    """`values` are promtool's: `0+60x30` is 0, 60, 120 … thirty times after the first."""

    fires: dict[str, str]
    silent: dict[str, str]
    at_minute: int = 30
    step_minutes: int = 1
    """Between two values, and between two looks at them."""
    labels: dict[str, str] = field(default_factory=dict)
    """What the alert bears beside its severity."""


def http(status: str) -> str:
    return f'buttress_http_requests_total{{method="GET",route="/api",status="{status}"}}'


def answers(within: str, beyond: str) -> dict[str, str]:
    """So many answers a minute within a second, and so many within ten."""
    name = "buttress_http_request_duration_seconds_bucket"
    return {
        f'{name}{{le="1.0"}}': f"0+{within}x60",
        f'{name}{{le="10.0"}}': f"0+{beyond}x60",
        f'{name}{{le="+Inf"}}': f"0+{beyond}x60",
    }


def constant(**series: float) -> dict[str, str]:
    return {name: f"{value}x60" for name, value in series.items()}


def share(used: str, total: str, *, part: int) -> dict[str, str]:
    return {f'{used}{{instance="a"}}': f"{part}x60", f'{total}{{instance="a"}}': "100x60"}


POOL = 'buttress_pool_connections{instance="a",state="checked_out"}'
POOL_LIMIT = 'buttress_pool_connections_limit{instance="a"}'
WAITING = 'buttress_pool_waiting_callers{instance="a"}'
READS = 'buttress_cache_reads_total{{namespace="n",answered="{}"}}'
CALLS = 'buttress_llm_calls_total{{model="m",outcome="{}"}}'
SIGN_INS = 'buttress_audited_actions_total{{action="sign-in",outcome="{}"}}'
GIVEN_UP = 'buttress_jobs{state="given up",queue="q"}'
UNANSWERED = 'buttress_unanswered{part="backups"}'
# promtool's clock begins at 0: what is a moment there is a moment after 1970.
NEWEST = "buttress_backup_newest_timestamp_seconds"
PROVEN = "buttress_backup_proven_timestamp_seconds"

CASES = {
    "ButtressDown": Case(
        {"up": "0x60"}, {'buttress_build_info{version="1"}': "1x60"}
    ),
    "ButtressRequestsFail": Case(
        {http("200"): "0+98x60", http("503"): "0+2x60"},
        {http("200"): "0+998x60", http("503"): "0+2x60"},
    ),
    "ButtressAnswersSlow": Case(answers("90", "100"), answers("99", "100")),
    "ButtressPoolNearlyUsedUp": Case(
        {POOL: "41x60", POOL_LIMIT: "50x60"}, {POOL: "40x60", POOL_LIMIT: "50x60"},
        labels={"instance": "a"},
    ),
    "ButtressCallersWait": Case(
        {WAITING: "1x60"}, {WAITING: "0 3 0 3 0 3 0 3 0 3 0 3 0 3 0 3 0 3 0 3 0x30"},
        at_minute=10, labels={"instance": "a"},
    ),
    "ButtressStatementsFail": Case(
        {'buttress_statement_errors_total{type="E"}': "0+2x60",
         'buttress_statement_seconds_count{kind="select"}': "0+100x60"},
        {'buttress_statement_errors_total{type="E"}': "0+1x60",
         'buttress_statement_seconds_count{kind="select"}': "0+100x60"},
    ),
    "ButtressStatementsSlow": Case(
        {"buttress_slow_statements_total": "0+11x60"}, {"buttress_slow_statements_total": "0+9x60"}
    ),
    "ButtressCacheMisses": Case(
        {READS.format("memory"): "0+60x60", READS.format("computed"): "0+40x60"},
        # Half of the reads miss, and there are next to none.
        {READS.format("memory"): "0+1x60", READS.format("computed"): "0+1x60"},
    ),
    "ButtressModelsFail": Case(
        {CALLS.format("ok"): "0+3x60", CALLS.format("failed"): "0+1x60"},
        {CALLS.format("ok"): "0+9x60", CALLS.format("failed"): "0+1x60"},
    ),
    "ButtressBudgetSpent": Case(
        {CALLS.format("budget"): "0+1x60"}, {CALLS.format("budget"): "7x60"}
    ),
    "ButtressSignInsFail": Case(
        {SIGN_INS.format("failed"): "0+5x60"}, {SIGN_INS.format("failed"): "0+3x60",
                                                SIGN_INS.format("done"): "0+90x60"},
    ),
    "ButtressFiguresMissing": Case(
        {UNANSWERED: "1x60"}, {UNANSWERED: "0 1 0 1 1 0 0 1 0x50"}, labels={"part": "backups"}
    ),
    "ButtressJobsGivenUp": Case({GIVEN_UP: "1x20 2x40"}, {GIVEN_UP: "2x60"}),
    "ButtressJobsWait": Case(
        {'buttress_job_oldest_waiting_seconds{queue="q"}': "601x60"},
        {'buttress_job_oldest_waiting_seconds{queue="q"}': "599x60"},
        labels={"queue": "q"},
    ),
    "ButtressNoWorker": Case(constant(buttress_workers=0), constant(buttress_workers=1)),
    "ButtressBackupOld": Case(
        {NEWEST: "0x60"}, {NEWEST: f"{10 * 3600}x60"}, at_minute=29 * 60, step_minutes=60
    ),
    "ButtressNoBackup": Case(
        {UNANSWERED: "0x60"}, {UNANSWERED: "0x60", NEWEST: "0x60"},
        at_minute=27 * 60, step_minutes=60,
    ),
    "ButtressBackupUnproven": Case(
        {PROVEN: "0x300"}, {PROVEN: f"{2 * 86400}x300"},
        at_minute=8 * DAY + 120, step_minutes=60,
    ),
    "ButtressDrillFailed": Case(
        constant(buttress_backup_drill_passed=0), constant(buttress_backup_drill_passed=1)
    ),
    "ButtressMigrationsPending": Case(
        constant(buttress_migrations_pending=2), {"buttress_migrations_pending": "0x10 1x9 0x40"}
    ),
    "ButtressDiskNearlyFull": Case(
        share("buttress_disk_used_bytes", "buttress_disk_total_bytes", part=86),
        share("buttress_disk_used_bytes", "buttress_disk_total_bytes", part=85),
        labels={"instance": "a"},
    ),
    "ButtressMemoryNearlyUsedUp": Case(
        share("buttress_memory_used_bytes", "buttress_memory_total_bytes", part=81),
        share("buttress_memory_used_bytes", "buttress_memory_total_bytes", part=80),
        labels={"instance": "a"},
    ),
}  # fmt: skip
