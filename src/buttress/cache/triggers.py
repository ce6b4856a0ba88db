"""Installing the triggers that write the change log, and telling whether they are right."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import stamina
from psycopg import sql
from sqlalchemy import Connection, text

from buttress.cache.changes import (
    MIGRATIONS,
    OPERATIONS,
    PREFIX,
    STATE,
    TABLES,
    note_body,
    note_function,
)
from buttress.cache.watch import EVERYTHING, Watch, watches
from buttress.db.backend import LockTimeout
from buttress.db.database import Database
from buttress.errors import ConfigurationError

log = logging.getLogger(__name__)

ROW, INSERT, DELETE, UPDATE, TRUNCATE = 1, 4, 8, 16, 32
KIND = {"insert": INSERT, "update": UPDATE, "delete": DELETE}
SEARCH_PATH = "search_path=pg_catalog, pg_temp"

# Each watched table and all that inherit from it, with what is attached to them.
FOUND = text("""
    WITH RECURSIVE family(watched, root, oid) AS (
        SELECT w, to_regclass(w)::oid, to_regclass(w)::oid FROM unnest(CAST(:tables AS text[])) w
        UNION SELECT f.watched, f.root, i.inhrelid FROM family f
            JOIN pg_inherits i ON i.inhparent = f.oid
    )
    SELECT f.watched, n.nspname, c.relname, c.relkind::text AS kind, c.oid = f.root AS root,
        c.relispartition OR (SELECT relkind = 'p' FROM pg_class WHERE oid = f.root) AS by_row,
        EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = c.oid) AS subscribed,
        coalesce((
            SELECT json_agg(json_build_array(t.tgname, t.tgenabled::text, t.tgtype,
                coalesce(t.tgoldtable, ''), coalesce(t.tgnewtable, ''),
                t.tgattr::text = '' AND t.tgqual IS NULL, p.proname, pn.nspname, p.prosrc,
                p.prosecdef, array_to_string(p.proconfig, ';')))
            FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                JOIN pg_namespace pn ON pn.oid = p.pronamespace
            WHERE t.tgrelid = c.oid AND starts_with(t.tgname, 'buttress_cache_')), '[]'
        ) AS triggers
    FROM family f JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    ORDER BY f.watched, root DESC, c.oid
""")

UNTAGGABLE = text("""
    SELECT a.attname FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE a.attrelid = to_regclass(:table) AND a.attname = ANY(CAST(:columns AS text[]))
        AND (a.atttypid NOT IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype,
            'text'::regtype, 'varchar'::regtype, 'bool'::regtype, 'uuid'::regtype)
            AND (SELECT typtype FROM pg_type WHERE oid = a.atttypid) <> 'e'
            OR NOT coalesce(l.collisdeterministic, true))
""")

UNWATCHED = text("""
    SELECT t.tgname, n.nspname, c.relname FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace pn ON pn.oid = p.pronamespace
    WHERE starts_with(t.tgname, 'buttress_cache_') AND t.tgparentid = 0
        AND pn.nspname = :schema AND starts_with(p.proname, 'buttress_cache_note_')
        AND p.proname <> ALL(CAST(:functions AS text[]))
""")

# Whoever may read a watched table may ask what changed.
READERS = text("""
    SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
    FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = ANY(SELECT to_regclass(w) FROM unnest(CAST(:tables AS text[])) w)
        AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
""")


@dataclass(frozen=True)
class Member:
    """A watched table, or a partition or heir of one, as the database has it."""

    schema: str
    name: str
    kind: str
    root: bool
    by_row: bool
    subscribed: bool
    triggers: frozenset[tuple[object, ...]]

    @property
    def identifier(self) -> str:
        """Its name for a statement."""
        return sql.Identifier(self.schema, self.name).as_string()


@dataclass
class Installed:
    """What `install` did."""

    tables: list[str] = field(default_factory=list)
    """Watched tables whose triggers were made or renewed."""
    removed: list[str] = field(default_factory=list)
    """Tables that are watched no more."""
    missing: list[str] = field(default_factory=list)
    """Watched tables the database does not have yet."""


def install(
    database: Database,
    watched: Sequence[Watch] | None = None,
    *,
    lock_timeout_seconds: float = 2.0,
    patience_seconds: float = 120.0,
) -> Installed:
    """Bring the change log and the triggers to what the models declare; nothing where they are.

    Connect as the owner of the tables. Each table is one transaction; a busy one is tried again for
    `patience_seconds`, as migrations are. On SQLite there is nothing to install.

    Raises `LockTimeout` when a table stayed busy, `ConfigurationError` when a column cannot make
    row tags.
    """
    done = Installed()
    if database.backend.name != "postgresql":
        return done
    wanted = list(watches() if watched is None else watched)

    def transaction(work: Callable[[Connection, str], None]) -> None:
        for attempt in stamina.retry_context(
            on=LockTimeout, attempts=None, timeout=patience_seconds, wait_initial=0.2, wait_max=10.0
        ):
            with attempt, database.connection() as connection:
                timeout = round(lock_timeout_seconds * 1000)
                connection.exec_driver_sql(
                    f"SET LOCAL lock_timeout = {timeout}; SET LOCAL statement_timeout = 0"
                )
                work(connection, str(connection.scalar(text("SELECT current_schema()"))))

    transaction(_create_log)
    for watch in [MIGRATIONS, *wanted]:
        transaction(lambda connection, schema, watch=watch: _renew(connection, schema, watch, done))  # type: ignore[misc]
    transaction(lambda connection, schema: _remove(connection, schema, wanted, done))
    transaction(lambda connection, schema: _grant(connection, schema, wanted))
    return done


def problems(connection: Connection, schema: str, watched: Sequence[Watch]) -> dict[str, str]:
    """What keeps watched tables from being watched, by table; empty when all is right."""
    families = _families(connection, watched)
    found = {}
    for watch in watched:
        problem = _problem(schema, watch, families[watch.table])
        if problem:
            found[watch.table] = problem
    return found


def existing(connection: Connection, watched: Sequence[Watch]) -> list[str]:
    """Those of the watched tables that the database has."""
    families = _families(connection, watched)
    return [watch.table for watch in watched if families[watch.table]]


def schema_of_log(connection: Connection) -> str | None:
    """The schema the change log lies in, None when it was never installed."""
    found = connection.scalar(
        text(
            "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            f"WHERE c.oid = to_regclass('{STATE}')"
        )
    )
    return None if found is None else str(found)


def _families(connection: Connection, watched: Sequence[Watch]) -> dict[str, list[Member]]:
    names = {_quoted(watch.table): watch.table for watch in watched}
    found: dict[str, list[Member]] = defaultdict(list)
    for row in connection.execute(FOUND, {"tables": list(names)}):
        found[names[row.watched]].append(
            Member(
                row.nspname, row.relname, row.kind, row.root, row.by_row, row.subscribed,
                frozenset(tuple(trigger) for trigger in row.triggers),
            )
        )  # fmt: skip
    return found


def _problem(schema: str, watch: Watch, family: list[Member]) -> str | None:
    if not family:
        return "there is no such table"
    for member in family:
        if member.kind not in "rp":
            return f"{member.name} is no table that can have triggers"
        if member.subscribed:
            return f"rows of {member.name} arrive by logical replication, which fires no triggers"
        if member.triggers != _expected(schema, watch, member):
            return "its triggers are missing or not those of this version"
    return None


def _expected(schema: str, watch: Watch, member: Member) -> frozenset[tuple[object, ...]]:
    """The triggers as the catalogue tells them when they are right."""

    def told(operation: str, kind: int, old: bool = False, new: bool = False) -> tuple[object, ...]:
        return (
            PREFIX + operation, "A", kind, "buttress_old" if old else "",
            "buttress_new" if new else "", True, note_function(watch), schema,
            note_body(schema, watch, by_row=member.by_row), True, SEARCH_PATH,
        )  # fmt: skip

    expected = {told("truncate", TRUNCATE)}
    if member.by_row:
        expected.add(told("row", ROW | INSERT | UPDATE | DELETE))
    else:
        expected |= {
            told(operation, kind, "old" in OPERATIONS[operation], "new" in OPERATIONS[operation])
            for operation, kind in KIND.items()
        }
    return frozenset(expected)


def _create_log(connection: Connection, schema: str) -> None:
    connection.exec_driver_sql("SET LOCAL client_min_messages = warning")
    statement = TABLES.format(schema=sql.Identifier(schema), plain=sql.SQL(schema.replace("'", "")))
    connection.exec_driver_sql(statement.as_string())


def _renew(connection: Connection, schema: str, watch: Watch, done: Installed) -> None:
    family = _families(connection, [watch])[watch.table]
    if not family:
        done.missing += [watch.table] if watch != MIGRATIONS else []
        return
    if _problem(schema, watch, family) is None:
        return
    _refuse_untaggable(connection, watch)
    root = family[0]
    function = sql.Identifier(schema, note_function(watch)).as_string()
    connection.exec_driver_sql(
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql "
        f"SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $buttress$"
        f"{note_body(schema, watch, by_row=root.by_row)}$buttress$;"
        f"REVOKE ALL ON FUNCTION {function}() FROM PUBLIC"
    )
    for member in family:
        _attach(connection, member, function)
    # What was written while the triggers were not there is told now.
    connection.exec_driver_sql(
        f"INSERT INTO {sql.Identifier(schema, 'buttress_cache_change').as_string()} (tag) "
        f"VALUES ('{EVERYTHING}')"
    )
    done.tables.append(watch.table)


def _attach(connection: Connection, member: Member, function: str) -> None:
    """Replace the triggers of one table; those for rows come to partitions from their root."""
    inherited = member.by_row and not member.root
    names = ["truncate"] if inherited else ["insert", "update", "delete", "row", "truncate"]
    for name in names:
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {PREFIX}{name} ON {member.identifier}")
    made = {"truncate": "TRUNCATE ON {table}"}
    if member.by_row and member.root:
        made["row"] = "INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW"
    elif not member.by_row:
        for name, transition in OPERATIONS.items():
            made[name] = f"{name.upper()} ON {{table}} REFERENCING {transition}"
    for name, event in made.items():
        connection.exec_driver_sql(
            f"CREATE TRIGGER {PREFIX}{name} AFTER {event.format(table=member.identifier)} "
            f"EXECUTE FUNCTION {function}();"
            f"ALTER TABLE {member.identifier} ENABLE ALWAYS TRIGGER {PREFIX}{name}"
        )


def _refuse_untaggable(connection: Connection, watch: Watch) -> None:
    columns = sorted({name for group in watch.rows for name in group})
    found = connection.scalars(
        UNTAGGABLE, {"table": _quoted(watch.table), "columns": columns}
    ).all()
    if found:
        raise ConfigurationError(
            f"columns of {watch.table} cannot make row tags: {', '.join(found)}",
            hint="Tag rows by integers, text with an ordinary collation, booleans, enums or UUIDs.",
        )


def _remove(connection: Connection, schema: str, watched: Sequence[Watch], done: Installed) -> None:
    functions = [note_function(watch) for watch in [MIGRATIONS, *watched]]
    found = connection.execute(UNWATCHED, {"schema": schema, "functions": functions}).all()
    for trigger, namespace, table in found:
        identifier = sql.Identifier(namespace, table).as_string()
        connection.exec_driver_sql(f"DROP TRIGGER {trigger} ON {identifier}")
        if table not in done.removed:
            done.removed.append(table)


def _grant(connection: Connection, schema: str, watched: Sequence[Watch]) -> None:
    tables = [_quoted(watch.table) for watch in watched]
    readers = ", ".join(connection.scalars(READERS, {"tables": tables}).all())
    if not readers:
        return
    within = sql.Identifier(schema).as_string()
    both = f"{within}.buttress_cache_change, {within}.buttress_cache_state"
    connection.exec_driver_sql(
        f"REVOKE ALL ON {both} FROM {readers};"
        f"GRANT SELECT ON {both} TO {readers};"
        f"GRANT EXECUTE ON FUNCTION {within}.buttress_cache_invalidate(text[]), "
        f"{within}.buttress_cache_prune(xid8) TO {readers}"
    )


def _quoted(table: str) -> str:
    return sql.Identifier(*table.split(".", 1)).as_string()
