"""The families each process counts for itself, since it began."""

from __future__ import annotations

from buttress.telemetry.metrics.family import Alert, Panel, declare

WEB, DATABASE, CACHE, MODELS = "Web", "Database", "Cache", "Models"
PLACE = "`route …`, `page …` or `job …` it was done for; empty outside of any"
ROUTE = "pattern of the route; the first part of the path where there is none"

BUILD = declare(
    "buttress_build_info", "gauge", "1, with what runs as labels",
    {"version": "of Buttress", "python": "of Python"},
    alerts=[
        Alert(
            "ButtressDown", "absent(buttress_build_info)",
            "No process of Buttress answers Prometheus",
            "Look whether `buttress up` runs, and whether Prometheus' token is still good: "
            "a target that answers 401 needs a new one.",
            severity="critical",
        )
    ],
    panels=[
        Panel("Process", "Memory", {"{{instance}}": "process_resident_memory_bytes"}, "bytes"),
        Panel("Process", "CPU", {"{{instance}}": "rate(process_cpu_seconds_total[5m])"}, "short"),
    ],
)  # fmt: skip

REQUESTS = declare(
    "buttress_http_requests", "counter", "HTTP requests that were answered, refused ones too",
    {"method": "of HTTP, or `other`", "route": ROUTE, "status": "three digits"},
    alerts=[
        Alert(
            "ButtressRequestsFail",
            'sum(rate(buttress_http_requests_total{status=~"5.."}[5m]))'
            " / sum(rate(buttress_http_requests_total[5m])) > 0.01",
            "More than 1 % of the answers are errors of ours",
            "Look at /health/detailed for what is away, then at `buttress logs --level error`.",
            severity="critical",
        )
    ],
    panels=[
        Panel(WEB, "Requests",
              {"{{status}}": "sum by (status) (rate(buttress_http_requests_total[5m]))"}, "reqps"),
        Panel(WEB, "Busiest routes",
              {"{{route}}": "topk(10, sum by (route) (rate(buttress_http_requests_total[5m])))"},
              "reqps"),
    ],
)  # fmt: skip

REQUEST_SECONDS = declare(
    "buttress_http_request_duration_seconds", "histogram",
    "Time from a request's first byte to the answer's last",
    {"method": "of HTTP, or `other`", "route": ROUTE},
    alerts=[
        Alert(
            "ButtressAnswersSlow",
            "histogram_quantile(0.95, sum by (le) "
            "(rate(buttress_http_request_duration_seconds_bucket[5m]))) > 2",
            "One answer in twenty takes longer than two seconds",
            "Look at the page Queries for what is slow, and at the pool: are callers waiting?",
            minutes=10,
        )
    ],
    panels=[
        Panel(WEB, "Time of answers",
              {f"p{share[2:]}": f"histogram_quantile({share}, sum by (le) "
               "(rate(buttress_http_request_duration_seconds_bucket[5m])))"
               for share in ("0.50", "0.95", "0.99")}, "s"),
    ],
)  # fmt: skip

IN_FLIGHT = declare(
    "buttress_http_requests_in_flight", "gauge", "HTTP requests being answered at this moment",
    panels=[
        Panel(WEB, "In flight and connected",
              {"requests": "sum(buttress_http_requests_in_flight)",
               "WebSockets": "sum(buttress_websockets_open)"}, "short"),
    ],
)  # fmt: skip

SOCKETS = declare(
    "buttress_websockets_open", "gauge", "WebSockets that are open: one for each open page"
)

POOL = declare(
    "buttress_pool_connections", "gauge", "Connections to the database that this process holds",
    {"state": "`checked_out` or `idle`"},
    panels=[
        Panel(DATABASE, "Connections",
              {"{{state}}": "sum by (state) (buttress_pool_connections)",
               "limit": "sum(buttress_pool_connections_limit)",
               "waiting callers": "sum(buttress_pool_waiting_callers)"}, "short"),
    ],
)  # fmt: skip

POOL_LIMIT = declare(
    "buttress_pool_connections_limit", "gauge", "Connections this process may hold",
    alerts=[
        Alert(
            "ButtressPoolNearlyUsedUp",
            'buttress_pool_connections{state="checked_out"}'
            " / ignoring (state) buttress_pool_connections_limit > 0.8",
            "More than 80 % of the connections of a process are in use",
            "Look for transactions that stay open (`buttress stats`); raise BUTTRESS_POOL__SIZE "
            "as far as the server's max_connections allows.",
        )
    ],
)  # fmt: skip

POOL_WAITING = declare(
    "buttress_pool_waiting_callers", "gauge", "Callers that wait for a connection",
    alerts=[
        Alert(
            "ButtressCallersWait", "min_over_time(buttress_pool_waiting_callers[2m]) > 0",
            "Requests wait for a connection to the database",
            "The same as for a pool that is nearly used up; requests fail after "
            "BUTTRESS_POOL__TIMEOUT_SECONDS.",
            minutes=2, severity="critical",
        )
    ],
)  # fmt: skip

STATEMENTS = declare(
    "buttress_statement_seconds", "histogram", "Time of statements",
    {"kind": "`select`, `insert`, `update`, `delete`, `ddl` or `other`", "place": PLACE},
    panels=[
        Panel(DATABASE, "Time of statements",
              {f"p{share[2:]} {{{{kind}}}}": f"histogram_quantile({share}, sum by (le, kind) "
               "(rate(buttress_statement_seconds_bucket[5m])))" for share in ("0.50", "0.95")},
              "s"),
        Panel(DATABASE, "Where the time goes",
              {"{{place}}": "topk(10, sum by (place) (rate(buttress_statement_seconds_sum[5m])))"},
              "s"),
    ],
)  # fmt: skip

WORK_SECONDS = declare(
    "buttress_work_seconds", "histogram", "Time of work with a name (`@timed`, `track`)",
    {"name": "as the code gives it"},
    panels=[
        Panel("Process", "Timed work",
              {"{{name}}": "sum by (name) (rate(buttress_work_seconds_sum[5m]))"}, "s"),
    ],
)  # fmt: skip

STATEMENT_ERRORS = declare(
    "buttress_statement_errors", "counter", "Statements that failed",
    {"type": "of the error"},
    alerts=[
        Alert(
            "ButtressStatementsFail",
            "sum(rate(buttress_statement_errors_total[5m]))"
            " / sum(rate(buttress_statement_seconds_count[5m])) > 0.01",
            "More than 1 % of the statements fail",
            "`buttress stats` names the statements, their lines and the errors.",
        )
    ],
)  # fmt: skip

SLOW = declare(
    "buttress_slow_statements", "counter", "Statements above BUTTRESS_MONITOR__SLOW_SECONDS",
    alerts=[
        Alert(
            "ButtressStatementsSlow", "sum(rate(buttress_slow_statements_total[5m])) * 60 > 10",
            "More than ten slow statements a minute",
            "`buttress stats` lists them with the line that sent them; mend the slowest first.",
        )
    ],
    panels=[
        Panel(DATABASE, "Slow, repeated and failed statements",
              {"slow": "sum(rate(buttress_slow_statements_total[5m]))",
               "N+1": "sum(rate(buttress_repeated_statements_total[5m]))",
               "{{type}}": "sum by (type) (rate(buttress_statement_errors_total[5m]))"}, "ops"),
    ],
)  # fmt: skip

REPEATED = declare(
    "buttress_repeated_statements", "counter",
    "Requests and sessions in which one line repeated a statement (N+1)",
)  # fmt: skip

CACHE_READS = declare(
    "buttress_cache_reads", "counter", "Reads through the cache",
    {"namespace": "as the code gives it",
     "answered": "from `memory`, from `valkey`, `computed` or `past the cache`"},
    alerts=[
        Alert(
            "ButtressCacheMisses",
            'sum(rate(buttress_cache_reads_total{answered=~"memory|valkey"}[15m]))'
            " / sum(rate(buttress_cache_reads_total[15m])) < 0.7"
            " and sum(increase(buttress_cache_reads_total[15m])) > 100",
            "The cache answers less than 70 % of the reads",
            "The page Cache tells why reads go past it; is the room "
            "(BUTTRESS_CACHE__MEMORY_BYTES) too small?",
        )
    ],
    panels=[
        Panel(CACHE, "Reads",
              {"{{answered}}": "sum by (answered) (rate(buttress_cache_reads_total[5m]))"}, "ops"),
    ],
)  # fmt: skip

CACHE_REJECTED = declare(
    "buttress_cache_rejected_fills", "counter",
    "Computed values that were not kept, most because they were stale before they could be",
    {"namespace": "as the code gives it", "reason": "one of a dozen phrases"},
    panels=[
        Panel(CACHE, "Values not kept",
              {"{{reason}}": "sum by (reason) (rate(buttress_cache_rejected_fills_total[5m]))"},
              "ops"),
    ],
)  # fmt: skip

CACHE_BYTES = declare(
    "buttress_cache_bytes", "gauge", "Room that cached values take in this process",
    {"namespace": "as the code gives it"},
    panels=[
        Panel(CACHE, "Room", {"{{namespace}}": "sum by (namespace) (buttress_cache_bytes)"},
              "bytes"),
    ],
)  # fmt: skip
CACHE_MODE = declare(
    "buttress_cache_mode", "gauge", "1 for the mode in force", {"mode": "name of the mode"}
)
CACHE_BARRIERS = declare(
    "buttress_cache_barriers", "counter", "Questions to the database whether values still hold"
)

MODEL_CALLS = declare(
    "buttress_llm_calls", "counter", "Calls of language models",
    {"model": "`provider:name`",
     "outcome": "`ok`, `invalid`, `refused`, `failed`, `cancelled`, `budget`, `cached`, `offline`"},
    alerts=[
        Alert(
            "ButtressModelsFail",
            'sum(increase(buttress_llm_calls_total{outcome=~"failed|invalid"}[15m]))'
            " / sum(increase(buttress_llm_calls_total[15m])) > 0.2"
            " and sum(increase(buttress_llm_calls_total[15m])) > 10",
            "More than 20 % of the calls of models fail",
            "`buttress llm usage` tells which; name another model in BUTTRESS_LLM__FALLBACK.",
        ),
        Alert(
            "ButtressBudgetSpent",
            'sum(increase(buttress_llm_calls_total{outcome="budget"}[15m])) > 0',
            "Calls of models are refused because a budget is spent",
            "The page Model usage tells who spent it; raise the budget or wait for midnight UTC.",
            minutes=0,
        ),
    ],
    panels=[
        Panel(MODELS, "Calls",
              {"{{model}} {{outcome}}":
               "sum by (model, outcome) (rate(buttress_llm_calls_total[5m]))"}, "ops"),
    ],
)  # fmt: skip
MODEL_TOKENS = declare(
    "buttress_llm_tokens", "counter", "Tokens read and written",
    {"model": "`provider:name`", "direction": "`in` or `out`"},
    panels=[
        Panel(MODELS, "Tokens",
              {"{{model}} {{direction}}":
               "sum by (model, direction) (rate(buttress_llm_tokens_total[5m]))"}, "short"),
    ],
)  # fmt: skip
MODEL_COST = declare(
    "buttress_llm_cost_usd", "counter", "What calls cost, where the price is known",
    {"model": "`provider:name`"},
    panels=[
        Panel(MODELS, "Cost of an hour",
              {"{{model}}": "sum by (model) (increase(buttress_llm_cost_usd_total[1h]))"},
              "currencyUSD"),
    ],
)  # fmt: skip
MODEL_SECONDS = declare(
    "buttress_llm_seconds", "counter", "Time of calls", {"model": "`provider:name`"}
)

ACTIONS = declare(
    "buttress_audited_actions", "counter", "Entries in the audit log, as they were made",
    {"action": "`sign-in`, `token.create` and the like", "outcome": "`done`, `refused`, `failed`"},
    alerts=[
        Alert(
            "ButtressSignInsFail",
            'sum(increase(buttress_audited_actions_total{action="sign-in",outcome!="done"}[5m]))'
            " > 20",
            "More than twenty sign-ins failed within five minutes",
            "The page Audit log tells names and addresses; block an address that guesses at "
            "the proxy.",
            minutes=0,
        )
    ],
    panels=[
        Panel(WEB, "Sign-ins",
              {"{{outcome}}": "sum by (outcome) "
               '(increase(buttress_audited_actions_total{action="sign-in"}[5m]))'}, "short"),
    ],
)  # fmt: skip
