"""For each check a deployment at which it fires and one at which it is silent."""

from __future__ import annotations

from importlib.metadata import version

from buttress.health.machine import Usage
from buttress.settings import (
    AccessSettings,
    BackupSettings,
    HealthSettings,
    JobSettings,
    LLMSettings,
    MonitorSettings,
    OIDCSettings,
    PoolSettings,
    TimeoutSettings,
)
from integration.check_seeds import (
    POLICY,
    REMOTE,
    SECURED,
    TENANTS,
    backup,
    backup_role,
    clock_off_by,
    encoded,
    foreign_key,
    given,
    health_of,
    invalid_index,
    job_row,
    jobs,
    kept,
    lock_file,
    log_folder,
    mounted,
    patched,
    people,
    plain,
    pooled,
    reads_more,
    real_backup,
    repository,
    rights,
    schedules_as_declared,
    server_says,
    sql,
    standby,
    streamlit_file,
    unwatched,
    valkey_keys,
)
from integration.check_world import Case, with_facts

FIRES: dict[str, Case] = {
    "BT-101": given(BUTTRESS_POOL__SIZES="3"),
    "BT-102": rights(0o644),
    "BT-103": repository(tracked=True),
    "BT-104": given(DATABASE_URL="postgresql://u:[YOUR-PASSWORD]@h/d"),
    "BT-105": plain(),
    "BT-106": plain(),
    "BT-107": mounted("tmpfs"),
    "BT-108": plain(log_level="DEBUG"),
    "BT-109": lambda w: w.env_file("BUTTRESS_PORT=1\n", {"BUTTRESS_PORT": "2"}),
    "BT-110": patched("buttress.check.configuration.os.access", lambda *_: False),
    "BT-111": patched("buttress.health.machine.disk", lambda _: Usage(90, 100)),
    "BT-201": plain(host="0.0.0.0"),
    "BT-202": plain(host="0.0.0.0", monitor=MonitorSettings(metrics=True)),
    "BT-203": plain(access=AccessSettings(base_url="http://shop.example.com")),
    "BT-204": streamlit_file("[server]\nenableXsrfProtection = false\n"),
    "BT-205": given(STREAMLIT_SERVER_MAX_UPLOAD_SIZE="5"),
    "BT-206": health_of("short"),
    "BT-207": plain(host="0.0.0.0"),
    "BT-208": plain(access=AccessSettings(trusted_proxies="10.0.0.5, 0.0.0.0/0")),
    "BT-301": plain(),
    "BT-302": server_says(server_version_num="140010"),
    "BT-303": plain(database_url=f"{REMOTE}?sslmode=require"),
    "BT-304": lambda w: w.runtime(migrated=False),
    "BT-305": lambda w: w.runtime("update buttress_migrations set version_num = 'buttress_9999'"),
    "BT-306": lambda w: w.runtime("alter table buttress_query_rollup add column extra int"),
    "BT-307": pooled,
    "BT-308": lambda w: w.at(
        w.servers.postgres_url("app", "postgres"), pool=PoolSettings(size=190, overflow=10)
    ),
    "BT-309": plain(timeouts=TimeoutSettings(statement_seconds=0)),
    "BT-310": plain(timeouts=TimeoutSettings(lock_seconds=0)),
    "BT-311": clock_off_by(7),
    "BT-312": standby("{primary}"),
    "BT-328": sql(
        "update pg_database set datcollversion = '0' where datname = current_database()"
    ),
    "BT-329": sql("update pg_extension set extversion = '0.0.1' where extname = 'vector'"),
    "BT-330": encoded("LATIN1"),
    "BT-341": invalid_index,
    "BT-342": foreign_key(),
    "BT-343": sql("create table loose (n int)"),
    "BT-344": sql(
        "create table old (id int primary key)",
        "update pg_class set relfrozenxid = ((txid_current() - 1500000000 + 4294967296)"
        " % 4294967296)::text::xid where relname = 'old'",
    ),
    "BT-345": sql(
        "set role buttress_owner; create table t (id serial primary key);"
        " select setval('t_id_seq', 2000000000)"
    ),
    "BT-346": sql("create unlogged table gone (id int primary key)"),
    "BT-347": sql(
        "create table t (id int primary key); insert into t values (0);"
        " alter table t add check (id > 0) not valid"
    ),
    "BT-401": sql(role="postgres"),
    "BT-402": sql(role="backup"),
    "BT-403": sql("create table t (id int); alter table t owner to buttress_app"),
    "BT-404": sql("grant create on schema public to buttress_app"),
    "BT-405": sql(role="owner"),
    "BT-406": sql(TENANTS, POLICY),
    "BT-407": sql(SECURED),
    "BT-408": sql(SECURED, "create view everything as select * from guarded"),
    "BT-409": sql(
        SECURED, "create materialized view copied as select * from guarded",
        "grant select on copied to buttress_app",
    ),
    "BT-410": sql(
        "create function f() returns int language sql security definer return 1"
    ),
    "BT-411": sql("create table t (id int primary key)", "grant select on t to public"),
    "BT-412": sql("grant create on schema public to public"),
    "BT-413": sql(SECURED, "grant truncate on guarded to buttress_app"),
    "BT-414": sql(
        SECURED, "create policy slow on guarded using (owner_id = current_setting('a.b')::int)"
    ),
    "BT-421": people("admin", disabled=True),
    "BT-422": plain(access=AccessSettings(absolute_days=31)),
    "BT-423": plain(oidc=OIDCSettings(issuer="http://id.example.com")),
    "BT-424": plain(oidc=OIDCSettings(issuer="https://id.example.com", client_id="b")),
    "BT-501": lambda w: w.runtime(redis_url=f"unix://{w.folder}/none.sock"),
    "BT-502": plain(redis_url="redis://cache.example.com/0"),
    "BT-503": plain(redis_url="redis://:secret@cache.example.com/0"),
    "BT-504": valkey_keys(8),
    "BT-505": lambda w: with_facts(
        w.facts(), valkey_memory={"maxmemory": 9, "maxmemory_policy": "noeviction"}
    ),
    "BT-506": valkey_keys(7, "celery-task-meta-1"),
    "BT-507": unwatched(installed=False),
    "BT-508": reads_more,
    "BT-601": kept(hours=30),
    "BT-602": kept(hours=1, proven_days=9),
    "BT-603": backup_role("app"),
    "BT-604": plain(database_url="sqlite:///a.db"),
    "BT-605": backup(store="s3://bucket/x"),
    "BT-606": backup(daily=2),
    "BT-607": backup(drill=False),
    "BT-608": real_backup(damage=True),
    "BT-609": backup(before_changes=False),
    "BT-610": backup(key="short"),
    "BT-611": backup(schedule=""),
    "BT-701": jobs(),
    "BT-702": jobs(job_row("ENQUEUED", hours_ago=1)),
    "BT-703": lambda w: w.runtime(migrated=False),
    "BT-704": jobs(),
    "BT-705": jobs(job_row("MAX_RECOVERY_ATTEMPTS_EXCEEDED", hours_ago=1)),
    "BT-706": plain(jobs=JobSettings(concurrency=99)),
    "BT-801": log_folder(writable=False),
    "BT-802": sql("drop extension pg_stat_statements"),
    "BT-803": plain(monitor=MonitorSettings(slow_seconds=60)),
    "BT-851": plain(environment="production"),
    "BT-852": plain(llm=LLMSettings(model="groq:llama-3.3-70b-versatile")),
    "BT-853": plain(
        llm=LLMSettings(model="openai-compatible:acorn", person_daily_budget_usd={"*": 1})
    ),
    "BT-854": plain(llm=LLMSettings(model="openai:gpt-4o-mini", app_daily_budget_usd={"*": 1})),
    "BT-855": plain(llm=LLMSettings(base_url="http://models.example.com/v1")),
    "BT-901": patched("buttress.check.supply.platform.python_version", lambda: "3.9.1"),
    "BT-902": patched("buttress.check.supply.version", lambda _: "999"),
    "BT-903": patched("buttress.check.supply.version", lambda _: "0.0.1"),
    "BT-904": patched("buttress.check.supply.os.geteuid", lambda: 0),
    "BT-905": lock_file('[[package]]\nname = "typer"\nversion = "0.0.1"\n'),
}  # fmt: skip

SILENT: dict[str, Case] = {
    "BT-101": given(BUTTRESS_POOL__SIZE="3", BUTTRESS_POOL="{}", OTHER="x"),
    "BT-102": rights(0o600),
    "BT-103": repository(tracked=False),
    "BT-104": given(DATABASE_URL="postgresql://u:Xk7-4411@h/d", OTHER="changeme"),
    "BT-105": plain(environment="production"),
    "BT-106": plain(database_url=REMOTE, redis_url="rediss://:x@cache.example.com"),
    "BT-107": mounted("ext4"),
    "BT-108": plain(),
    "BT-109": lambda w: w.env_file("BUTTRESS_PORT=2\n", {"BUTTRESS_PORT": "2"}),
    "BT-110": plain(),
    "BT-111": patched("buttress.health.machine.disk", lambda _: Usage(84, 100)),
    "BT-201": plain(),
    "BT-202": plain(monitor=MonitorSettings(metrics=True)),
    "BT-203": plain(access=AccessSettings(base_url="https://shop.example.com")),
    "BT-204": streamlit_file("[server]\nenableXsrfProtection = true\n"),
    "BT-205": given(STREAMLIT="5"),
    "BT-206": health_of("x" * 24),
    "BT-207": plain(host="0.0.0.0", health=HealthSettings(drain_seconds=5)),
    "BT-208": plain(access=AccessSettings(trusted_proxies="10.0.0.0/8, ::1")),
    "BT-301": sql(),
    "BT-302": sql(),
    "BT-303": plain(
        database_url=f"{REMOTE}?sslmode=verify-full", replica_urls="postgresql://localhost/d"
    ),
    "BT-304": lambda w: w.shared.facts,
    "BT-305": lambda w: w.shared.facts,
    "BT-306": lambda w: w.shared.facts,
    "BT-307": sql(),
    "BT-308": sql(),
    "BT-309": plain(),
    "BT-310": plain(),
    "BT-311": clock_off_by(0),
    "BT-312": standby(""),
    "BT-328": sql(),
    "BT-329": sql(),
    "BT-330": sql(),
    "BT-341": sql("create table t (id int primary key)"),
    "BT-342": foreign_key("create index on child (parent_id)"),
    "BT-343": sql("create table firm (n int primary key)"),
    "BT-344": sql("create table t (id int primary key)"),
    "BT-345": sql("set role buttress_owner; create table t (id bigserial primary key);"
                  " select setval('t_id_seq', 2000000000)"),
    "BT-346": sql("create table t (id int primary key)"),
    "BT-347": sql("create table t (id int primary key check (id > 0))"),
    "BT-401": sql(),
    "BT-402": sql(),
    "BT-403": sql("create table t (id int primary key)"),
    "BT-404": sql(),
    "BT-405": sql(),
    "BT-406": sql(SECURED, POLICY),
    "BT-407": sql(SECURED, POLICY),
    "BT-408": sql(
        SECURED, "create view own with (security_invoker = true) as select * from guarded"
    ),
    "BT-409": sql(SECURED, "create materialized view copied as select * from guarded"),
    "BT-410": sql("create function f() returns int language sql security definer"
                  " set search_path = pg_catalog, pg_temp return 1"),
    "BT-411": sql("create table t (id int primary key)", "grant select on t to buttress_app"),
    "BT-412": sql(),
    "BT-413": sql(SECURED),
    "BT-414": sql(SECURED, POLICY),
    "BT-421": people("admin"),
    "BT-422": plain(access=AccessSettings(absolute_days=30, idle_hours=24)),
    "BT-423": plain(oidc=OIDCSettings(issuer="https://id.example.com")),
    "BT-424": plain(
        oidc=OIDCSettings(issuer="https://id.example.com", client_id="b", client_secret="s")
    ),
    "BT-501": lambda w: w.shared.facts,
    "BT-502": plain(redis_url="redis://:secret@cache.example.com/0"),
    "BT-503": plain(redis_url="redis://:secret@localhost/0"),
    "BT-504": lambda w: with_facts(w.facts(), valkey_memory={"maxmemory": 9}),
    "BT-505": lambda w: with_facts(
        w.facts(), valkey_memory={"maxmemory": 9, "maxmemory_policy": "allkeys-lru"}
    ),
    "BT-506": valkey_keys(8),
    "BT-507": unwatched(installed=True),
    "BT-508": lambda w: (
        w.patch.setattr("buttress.cache.lint.current.registered", list), w.at("sqlite:///n.db")
    )[1],
    "BT-601": real_backup(),
    "BT-602": real_backup(),
    "BT-603": backup_role("backup"),
    "BT-604": plain(database_url="sqlite:///a.db", backup=BackupSettings(store="s3://bucket")),
    "BT-605": backup(store="s3://bucket/x", key="k" * 20),
    "BT-606": backup(daily=7),
    "BT-607": backup(),
    "BT-608": real_backup(),
    "BT-609": backup(),
    "BT-610": backup(key="k" * 20),
    "BT-611": backup(),
    "BT-701": jobs("insert into buttress_jobs.buttress_job_lease values"
                   " ('e', 'h', 1, extract(epoch from clock_timestamp()) + 60)"),
    "BT-702": jobs(job_row("ENQUEUED", hours_ago=0.1), job_row("SUCCESS", hours_ago=9).replace("check", "c2")),
    "BT-703": lambda w: w.shared.facts,
    "BT-704": schedules_as_declared,
    "BT-705": jobs(job_row("SUCCESS", hours_ago=1)),
    "BT-706": plain(),
    "BT-801": log_folder(writable=True),
    "BT-802": sql(),
    "BT-803": plain(),
    "BT-851": plain(environment="production", llm=LLMSettings(model="offline")),
    "BT-852": plain(
        groq_api_key="k", llm=LLMSettings(model="groq:llama-3.3-70b-versatile", fallback="offline")
    ),
    "BT-853": plain(
        llm=LLMSettings(
            model="openai-compatible:acorn", fallback="openai:gpt-4o-mini", daily_budget_usd=1,
            prices={"openai-compatible:acorn": (1, 2)},
        )
    ),
    "BT-854": plain(llm=LLMSettings(model="openai:gpt-4o-mini", daily_budget_usd=1)),
    "BT-855": plain(llm=LLMSettings(base_url="http://127.0.0.1:8080/v1")),
    "BT-901": plain(),
    "BT-902": plain(),
    "BT-903": plain(),
    "BT-904": patched("buttress.check.supply.os.geteuid", lambda: 1000),
    "BT-905": lock_file(f'[[package]]\nname = "typer"\nversion = "{version("typer")}"\n'),
}  # fmt: skip

ON_A_SERVER_OF_ITS_OWN = ("BT-321", "BT-322", "BT-323", "BT-324", "BT-325", "BT-326", "BT-327")
"""Faults of a whole server: tried on one that has them all and on one that has none."""
