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
"""A statement with more distinct values than this writes one tag that stands for any row."""

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
    """The body of that function, called for each statement or, of a partitioned table, each row."""
    table = EVERYTHING if watch == MIGRATIONS else watch.table
    seen = f"buttress.c{sha256(watch.table.encode()).hexdigest()[:16]}"
    log = sql.Identifier(schema, LOG).as_string()
    return f"""
declare
    tags text[] := '{{}}';
    xact text;
begin
{_row_tags(watch) if by_row else _statement_tags(watch)}
    xact := pg_current_xact_id()::text;
    if current_setting({_text(seen)}, true) is distinct from xact then
        tags := tags || {_text(table)}::text;
        perform set_config({_text(seen)}, xact, true);
    end if;
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'on', true);
    end if;
    if tags <> '{{}}' then
        insert into {log} (tag) select unnest(tags);
    end if;
    return null;
end"""


def _statement_tags(watch: Watch) -> str:
    """Collect the row tags of a statement; return early when it changed no row."""
    branches = [_branch("if", "INSERT", watch, "buttress_new")]
    branches.append(_branch("elsif", "UPDATE", watch, "buttress_new", "buttress_old"))
    branches.append(_branch("elsif", "DELETE", watch, "buttress_old"))
    anything = f"tags := array[{_text(f'{watch.table}/*')}];" if watch.rows else "null;"
    return "\n".join([*branches, f"    else\n        {anything}\n    end if;"])


def _branch(word: str, operation: str, watch: Watch, *relations: str) -> str:
    start = f"    {word} TG_OP = '{operation}' then"
    empty = f"        if not exists (select from {relations[0]}) then return null; end if;"
    if not watch.rows:
        return f"{start}\n{empty}"
    selects = "\n            union ".join(
        f"select {_row_tag(watch, columns, '')} as tag from {relation}"
        for relation in relations
        for columns in watch.rows
    )
    return f"""{start}
{empty}
        select array_agg(tag) into tags from ({selects}
            limit {MOST_ROW_TAGS + 1}) changed;
        if cardinality(tags) > {MOST_ROW_TAGS} then
            tags := array[{_text(f"{watch.table}/*")}];
        end if;"""


def _row_tags(watch: Watch) -> str:
    """The row tags of one row; none when the trigger is the one for TRUNCATE."""
    if not watch.rows:
        return ""
    new = ", ".join(_row_tag(watch, columns, "NEW.") for columns in watch.rows)
    old = ", ".join(_row_tag(watch, columns, "OLD.") for columns in watch.rows)
    return f"""    if TG_OP = 'TRUNCATE' then
        tags := array[{_text(f"{watch.table}/*")}];
    end if;
    if TG_OP in ('INSERT', 'UPDATE') then
        tags := tags || array[{new}];
    end if;
    if TG_OP in ('UPDATE', 'DELETE') then
        tags := tags || array[{old}];
    end if;"""


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
