"""The change log in SQL: its tables, and the triggers that write to it.

Every statement that changes rows of a watched table appends `(xid, tag)` to the log, inside the
transaction it runs in. So the log says exactly what committed, in PostgreSQL's own order, whoever
wrote and however the writer ended.

The log is a logged table: the triggers see to it that the transaction's commit has been written
to the write-ahead log before it is acknowledged (`synchronous_commit` is set on), which is what the
watch in `wal` rests on.
"""

from __future__ import annotations

from hashlib import sha256

from psycopg import sql

from buttress.cache.watch import EVERYTHING, NULL, Watch
from buttress.db.migration_scripts import VERSION_TABLE

LOG = "buttress_cache_change"
STATE = "buttress_cache_state"
PREFIX = "buttress_cache_"
MOST_ROW_TAGS = 1000
"""A statement with more distinct values than this also writes a tag that stands for any row, and
none of the values beyond."""

MIGRATIONS = Watch(VERSION_TABLE)
"""A revision may rewrite rows without a trigger: the row it leaves here counts for everything."""

OPERATIONS = {
    "insert": "new table as buttress_new",
    "update": "old table as buttress_old new table as buttress_new",
    "delete": "old table as buttress_old",
}

TABLES = sql.SQL("""
create table if not exists {schema}.buttress_cache_change (
    xid xid8 not null default pg_current_xact_id(),
    tag text not null
);
create index if not exists buttress_cache_change_xid on {schema}.buttress_cache_change (xid);
create table if not exists {schema}.buttress_cache_state (
    only_row boolean primary key default true check (only_row),
    identity uuid not null default gen_random_uuid(),
    horizon xid8 not null default '0'
);
insert into {schema}.buttress_cache_state default values on conflict do nothing;

create or replace function {schema}.buttress_cache_invalidate(tags text[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    select set_config('synchronous_commit', 'on', true)
        where current_setting('synchronous_commit') = 'off';
    insert into {schema}.buttress_cache_change (tag) select unnest(tags);
$$;

create or replace function {schema}.buttress_cache_prune(before xid8) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    pruned bigint;
    safe constant xid8 := least(before, pg_snapshot_xmin(pg_current_snapshot()));
begin
    if not pg_try_advisory_xact_lock(hashtextextended('{plain}.buttress_cache_prune', 0)) then
        return 0;
    end if;
    update {schema}.buttress_cache_state set horizon = safe where horizon < safe;
    delete from {schema}.buttress_cache_change where xid < safe;
    get diagnostics pruned = row_count;
    return pruned;
end $$;

revoke all on {schema}.buttress_cache_change, {schema}.buttress_cache_state from public;
revoke all on function {schema}.buttress_cache_invalidate(text[]) from public;
revoke all on function {schema}.buttress_cache_prune(xid8) from public;
""")


def note_function(watch: Watch) -> str:
    """The name of the function that notes the changes of a table."""
    digest = sha256(watch.table.encode()).hexdigest()[:8]
    return f"{PREFIX}note_{watch.table.replace('.', '_')[:32]}_{digest}"


def note_body(schema: str, watch: Watch, *, by_row: bool) -> str:
    """The body of that function, called for each statement or, of a partitioned table, each row.

    The table's own tag is written once in a transaction: a setting that falls with it, or with the
    savepoint it was made in, remembers that. Every step is one that PL/pgSQL runs without a plan of
    its own, but for the insert itself.
    """
    seen = _text(f"buttress.c{sha256(watch.table.encode()).hexdigest()[:16]}")
    return f"""
declare
    known boolean := current_setting({seen}, true) = pg_current_xact_id_if_assigned()::text;
    ignored text;
    noted bigint;
begin
    known := coalesce(known, false);
    if current_setting('synchronous_commit') = 'off' then
        ignored := set_config('synchronous_commit', 'on', true);
    end if;
{_by_row(schema, watch) if by_row else _by_statement(schema, watch)}
    if not known and noted > 0 then
        ignored := set_config({seen}, pg_current_xact_id()::text, true);
    end if;
    return null;
end"""


def _by_statement(schema: str, watch: Watch) -> str:
    """Note a statement, unless it changed no row."""
    branches = [_branch("if", "INSERT", schema, watch, "buttress_new")]
    branches.append(_branch("elsif", "UPDATE", schema, watch, "buttress_new", "buttress_old"))
    branches.append(_branch("elsif", "DELETE", schema, watch, "buttress_old"))
    return "\n".join([*branches, f"    else\n{_truncated(schema, watch)}\n    end if;"])


def _branch(word: str, operation: str, schema: str, watch: Watch, *relations: str) -> str:
    table = _text(_table_tag(watch))
    start = f"    {word} TG_OP = '{operation}' then"
    if not watch.rows:
        return f"""{start}
        if known then return null; end if;
        insert into {_log(schema)} (tag) select {table} where exists (select from {relations[0]});
        get diagnostics noted = row_count;"""
    columns = ", ".join(
        sql.Identifier(name).as_string() for name in sorted({n for g in watch.rows for n in g})
    )
    changed = " union all ".join(f"select {columns} from {relation}" for relation in relations)
    tags = ", ".join(f"({_row_tag(watch, group, 'r.')})" for group in watch.rows)
    return f"""{start}
        insert into {_log(schema)} (tag)
            select distinct t from ({changed}) r, lateral (values {tags}) v (t)
            limit {MOST_ROW_TAGS + 1};
        get diagnostics noted = row_count;
        if noted > {MOST_ROW_TAGS} then
            insert into {_log(schema)} (tag) values ({_text(f"{watch.table}/*")});
        end if;
        if noted > 0 and not known then
            insert into {_log(schema)} (tag) values ({table});
        end if;"""


def _truncated(schema: str, watch: Watch) -> str:
    rows = f", ({_text(f'{watch.table}/*')})" if watch.rows else ""
    return f"""        insert into {_log(schema)} (tag) values ({_text(_table_tag(watch))}){rows};
        noted := 1;"""


def _by_row(schema: str, watch: Watch) -> str:
    """Note a row, or that the table was truncated."""
    table = f"""        if not known then
            insert into {_log(schema)} (tag) values ({_text(_table_tag(watch))});
            noted := 1;
        end if;"""
    parts = [f"    if TG_OP = 'TRUNCATE' then\n{_truncated(schema, watch)}\n    else\n{table}"]
    for row, operations in (("NEW", "('INSERT', 'UPDATE')"), ("OLD", "('UPDATE', 'DELETE')")):
        tags = ", ".join(f"({_row_tag(watch, group, f'{row}.')})" for group in watch.rows)
        if tags:
            parts.append(
                f"        if TG_OP in {operations} then\n"
                f"            insert into {_log(schema)} (tag) values {tags};\n        end if;"
            )
    return "\n".join([*parts, "    end if;"])


def _table_tag(watch: Watch) -> str:
    return EVERYTHING if watch == MIGRATIONS else watch.table


def _log(schema: str) -> str:
    return sql.Identifier(schema, LOG).as_string()


def _row_tag(watch: Watch, columns: tuple[str, ...], row: str) -> str:
    values = " || ',' || ".join(
        f"coalesce({row}{sql.Identifier(name).as_string()}::text, {_text(NULL)})"
        for name in columns
    )
    start = f"{watch.table}/{','.join(columns)}="
    return f"{_text(start)} || {values}"


def _text(value: str) -> str:
    """A literal that reads the same whatever `standard_conforming_strings` says."""
    quoted = value.replace("'", "''")
    return f"E'{quoted.replace(chr(92), chr(92) * 2)}'" if "\\" in quoted else f"'{quoted}'"
