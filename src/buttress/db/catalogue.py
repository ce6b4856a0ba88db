"""A PostgreSQL schema read from the catalogues: its fingerprint, and what a copy of it starts with.

Definitions come from PostgreSQL's own deparser, so two schemas that mean the same read the same.
Objects of extensions, and objects a move brought, are nobody's migrations and are left out.
"""

from __future__ import annotations

import psycopg
from sqlalchemy import Connection, text

from buttress.db.fingerprint import Item
from buttress.db.url import DatabaseURL
from buttress.errors import ConfigurationError

_OURS = """
    n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = '{catalogue}'::regclass AND d.objid = {oid}
        AND d.deptype = 'e')
"""
_RELATION = _OURS.format(catalogue="pg_class", oid="c.oid")

# Each answers kind, schema, table, name and definition.
QUERIES = [
    # Schemas, also empty ones: they tell which part of the database the migrations own.
    """
    SELECT 'schema', n.nspname, '', n.nspname, '' FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    """,
    f"""
    SELECT 'table', n.nspname, '', c.relname, concat_ws(' ',
        CASE c.relpersistence WHEN 'u' THEN 'unlogged' END,
        CASE WHEN c.relkind = 'p' THEN 'partitioned by ' || pg_get_partkeydef(c.oid) END,
        CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END,
        array_to_string(c.reloptions, ' '))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND {_RELATION}
    """,
    f"""
    SELECT 'row security', n.nspname, c.relname, '',
        CASE WHEN c.relrowsecurity THEN 'enabled' ELSE 'disabled' END
        || CASE WHEN c.relforcerowsecurity THEN ', forced' ELSE '' END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND {_RELATION}
    """,
    f"""
    SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, n.nspname, '',
        c.relname, concat_ws(' ', array_to_string(c.reloptions, ' '), pg_get_viewdef(c.oid))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('v', 'm') AND {_RELATION}
    """,
    f"""
    SELECT 'sequence', n.nspname, '', c.relname, concat_ws(' ', format_type(s.seqtypid, NULL),
        'start', s.seqstart, 'by', s.seqincrement, 'from', s.seqmin, 'to', s.seqmax,
        CASE WHEN s.seqcycle THEN 'cycle' END)
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {_RELATION}
    """,
    f"""
    SELECT 'column', n.nspname, c.relname, a.attname, concat_ws(' ',
        format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attcollation <> t.typcollation
            THEN 'collate ' || a.attcollation::regcollation::text END,
        CASE WHEN a.attnotnull THEN 'not null' END,
        CASE WHEN a.attidentity <> '' THEN 'identity ' || a.attidentity::text END,
        CASE WHEN a.attgenerated <> '' THEN 'generated ' || a.attgenerated::text END,
        CASE WHEN d.oid IS NOT NULL THEN 'default ' || pg_get_expr(d.adbin, d.adrelid) END)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND {_RELATION}
    """,
    # NOT NULL (n) is told with its column; constraint triggers (t) with the triggers.
    f"""
    SELECT 'constraint', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND {_RELATION}
    """,
    f"""
    SELECT 'index', n.nspname, c.relname, i.relname,
        pg_get_indexdef(x.indexrelid) || CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {_RELATION} AND NOT EXISTS (
        SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.conrelid = x.indrelid)
    """,
    f"""
    SELECT 'trigger', n.nspname, c.relname, t.tgname,
        pg_get_triggerdef(t.oid)
        || CASE t.tgenabled WHEN 'O' THEN '' ELSE ' mode ' || t.tgenabled::text END
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND {_RELATION}
    """,
    f"""
    SELECT 'policy', n.nspname, c.relname, p.polname, concat_ws(' ',
        CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
        'for ' || p.polcmd::text,
        'to ' || (SELECT string_agg(CASE r WHEN 0 THEN 'public' ELSE r::regrole::text END, ', '
                  ORDER BY r::regrole::text) FROM unnest(p.polroles) r),
        'using ' || pg_get_expr(p.polqual, p.polrelid),
        'with check ' || pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {_RELATION}
    """,
    f"""
    SELECT 'function', n.nspname, '',
        f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')',
        pg_get_functiondef(f.oid)
    FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
    WHERE f.prokind IN ('f', 'p') AND {_OURS.format(catalogue="pg_proc", oid="f.oid")}
    """,
    f"""
    SELECT 'type', n.nspname, '', t.typname, CASE t.typtype
        WHEN 'e' THEN 'enum ' || (
            SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
            FROM pg_enum e WHERE e.enumtypid = t.oid)
        ELSE concat_ws(' ', 'domain', format_type(t.typbasetype, t.typtypmod),
            CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault,
            (SELECT string_agg(pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname)
             FROM pg_constraint k WHERE k.contypid = t.oid)) END
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd') AND {_OURS.format(catalogue="pg_type", oid="t.oid")}
    """,
    # The owner's own rights are no news; a right is one item, so that a lost one is told by name.
    f"""
    SELECT 'grant', n.nspname, c.relname, concat(a.privilege_type, ' to ',
        CASE a.grantee WHEN 0 THEN 'public' ELSE a.grantee::regrole::text END),
        CASE WHEN a.is_grantable THEN 'with grant option' ELSE '' END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
        aclexplode(coalesce(c.relacl, acldefault(
            CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) a
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND a.grantee <> c.relowner AND {_RELATION}
    """,
    f"""
    SELECT 'grant', n.nspname, c.relname, concat(a.privilege_type, ' (', t.attname, ') to ',
        CASE a.grantee WHEN 0 THEN 'public' ELSE a.grantee::regrole::text END),
        CASE WHEN a.is_grantable THEN 'with grant option' ELSE '' END
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace,
        aclexplode(t.attacl) a
    WHERE a.grantee <> c.relowner AND {_RELATION}
    """,
    f"""
    SELECT 'grant', n.nspname,
        f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')',
        concat(a.privilege_type, ' to ',
            CASE a.grantee WHEN 0 THEN 'public' ELSE a.grantee::regrole::text END),
        CASE WHEN a.is_grantable THEN 'with grant option' ELSE '' END
    FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace,
        aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
    WHERE a.grantee <> f.proowner AND {_OURS.format(catalogue="pg_proc", oid="f.oid")}
    """,
]  # fmt: skip

MOVES = """
    SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = 'buttress_moves' AND c.relkind = 'r'
"""
MOVED = """
    SELECT jsonb_path_query(plan, '$.tables[*].target') #>> '{{}}' FROM {moves}
    UNION SELECT jsonb_path_query(plan, '$.views[*].target') #>> '{{}}' FROM {moves}
    UNION SELECT proname FROM pg_proc f JOIN pg_trigger t ON t.tgfoid = f.oid
        JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema AND c.relname IN (
            SELECT jsonb_path_query(plan, '$.tables[*].target') #>> '{{}}' FROM {moves})
"""
CACHE = "buttress_cache_"
"""What the change log of `buttress.cache` consists of starts with this, also its triggers."""
SIDE_TABLES = {"buttress_moves", "buttress_quarantine", "buttress_cells"}

DEFAULT_PRIVILEGES = """
    SELECT n.nspname, d.defaclobjtype::text, a.privilege_type,
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.is_grantable
    FROM pg_default_acl d LEFT
        JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a
    WHERE d.defaclrole = current_user::regrole AND a.grantee <> d.defaclrole
        AND (n.nspname IS NULL OR n.nspname IN ('public', current_schema()))
"""
KINDS = {
    "r": "TABLES",
    "S": "SEQUENCES",
    "f": "FUNCTIONS",
    "T": "TYPES",
    "n": "SCHEMAS",
    "L": "LARGE OBJECTS",
}


def fingerprint(connection: Connection) -> dict[Item, str]:
    """Every item of every schema of the connected database, the system's excepted."""
    brought = _brought_by_moves(connection)
    items = {}
    for query in QUERIES:
        for kind, schema, table, name, definition in connection.execute(text(query)):
            own = name.partition("(")[0] if kind == "function" else name
            owner = table.partition("(")[0]
            if own.startswith(CACHE) or owner.startswith(CACHE):
                continue  # installed after the revisions, from what the models declare
            if (schema, owner or own) not in brought:
                items[Item(kind, schema, table, name)] = " ".join(definition.split())
    return items


def _brought_by_moves(connection: Connection) -> set[tuple[str, str]]:
    names = set()
    for schema in connection.scalars(text(MOVES)).all():
        moves = f"{quoted(schema)}.buttress_moves"
        rows = connection.scalars(text(MOVED.format(moves=moves)), {"schema": schema})
        names |= {(schema, name) for name in rows} | {(schema, name) for name in SIDE_TABLES}
    return names


def preparation(connection: Connection, schema: str | None) -> list[str]:
    """Statements that give a new database the extensions, the schema and the default privileges of
    this one, so that migrations find what they find here."""
    statements = [
        f"CREATE EXTENSION IF NOT EXISTS {quoted(name)}"
        for name in connection.scalars(text("SELECT extname FROM pg_extension ORDER BY oid"))
    ]
    if schema:
        statements.append(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
    for namespace, kind, privilege, grantee, grantable in connection.execute(
        text(DEFAULT_PRIVILEGES)
    ):
        where = f"IN SCHEMA {quoted(namespace)} " if namespace else ""
        option = " WITH GRANT OPTION" if grantable else ""
        statements.append(
            f"ALTER DEFAULT PRIVILEGES {where}"
            f"GRANT {privilege} ON {KINDS[kind]} TO {grantee}{option}"  # PostgreSQL quoted the role
        )
    return statements


def prepare(url: DatabaseURL, statements: list[str]) -> None:
    """Run the preparation in a database that was just created."""
    with psycopg.connect(url.conninfo, autocommit=True) as connection:
        for statement in statements:
            try:
                connection.execute(statement.encode())
            except psycopg.errors.InsufficientPrivilege as error:
                raise ConfigurationError(
                    f"a scratch database cannot be prepared: {error.diag.message_primary}",
                    hint="Install the extension in template1, or connect as a role that may "
                    "create it.",
                ) from error


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
