"""Checks of what the app's role may do, and of row-level security."""

from __future__ import annotations

from collections.abc import Iterator

from buttress.check.facts import Facts
from buttress.check.registry import check

OWN = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'"
EXTENSIONS = "NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = {object} AND e.deptype = 'e')"
ROLE = "Connect as a role that is no superuser, owns nothing and cannot bypass row-level security."


@check(
    "BT-401", "access", "error", "The app is a superuser",
    cure=ROLE,
)  # fmt: skip
def superuser(facts: Facts) -> list[str]:
    """A superuser reads and runs everything on the server, and row-level security is not asked."""
    return facts.names(
        "SELECT 'role ' || rolname FROM pg_roles WHERE rolname = current_user AND rolsuper"
    )


@check(
    "BT-402", "access", "error", "The app bypasses row-level security",
    cure="ALTER ROLE … NOBYPASSRLS, or connect as another role.",
)  # fmt: skip
def bypass(facts: Facts) -> list[str]:
    """No policy applies to it: one forgotten condition shows everybody's rows."""
    return facts.names(
        "SELECT 'role ' || rolname FROM pg_roles WHERE rolname = current_user AND rolbypassrls"
        " AND NOT rolsuper"
    )


@check(
    "BT-403", "access", "error", "The app owns tables",
    cure="Have another role own them and run the migrations; grant the app what it needs.",
    deploy=True,
)  # fmt: skip
def ownership(facts: Facts) -> Iterator[str]:
    """An owner may drop what it owns, switch its policies off, and is exempt from them unless they
    are forced."""
    found = facts.names(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE c.relowner = current_user::regrole AND c.relkind IN ('r', 'p', 'v', 'm') AND {OWN}"
        " ORDER BY 1"
    )
    if found:
        yield f"it owns {len(found)} tables and views, {found[0]} for one"


@check(
    "BT-404", "access", "error", "The app may create tables",
    cure="REVOKE CREATE ON SCHEMA … and ON DATABASE … FROM the role.", deploy=True,
)  # fmt: skip
def create(facts: Facts) -> list[str]:
    """Code that got into the app could put functions and tables where others trust them."""
    return facts.names(
        f"SELECT 'schema ' || nspname FROM pg_namespace n WHERE {OWN}"
        " AND has_schema_privilege(n.oid, 'CREATE')"
        " UNION ALL SELECT 'database ' || current_database()"
        " WHERE has_database_privilege(current_database(), 'CREATE')"
    )


@check(
    "BT-405", "access", "error", "The app may make roles or databases",
    cure="ALTER ROLE … NOCREATEROLE NOCREATEDB NOREPLICATION.", deploy=True,
)  # fmt: skip
def role_attributes(facts: Facts) -> list[str]:
    """Whoever makes roles may make one that is allowed more; one that replicates reads it all."""
    return facts.names(
        "SELECT concat_ws(', ', CASE WHEN rolcreaterole THEN 'CREATEROLE' END,"
        " CASE WHEN rolcreatedb THEN 'CREATEDB' END,"
        " CASE WHEN rolreplication THEN 'REPLICATION' END) FROM pg_roles"
        " WHERE rolname = current_user AND NOT rolsuper"
        " AND (rolcreaterole OR rolcreatedb OR rolreplication)"
    )


@check(
    "BT-406", "access", "error", "Policies that are not in force",
    cure="ALTER TABLE … ENABLE ROW LEVEL SECURITY, and FORCE it.",
)  # fmt: skip
def disabled_policies(facts: Facts) -> list[str]:
    """The table has policies, and row-level security is off: everybody sees every row."""
    return facts.names(
        "SELECT DISTINCT p.polrelid::regclass::text FROM pg_policy p"
        " JOIN pg_class c ON c.oid = p.polrelid WHERE NOT c.relrowsecurity ORDER BY 1"
    )


@check(
    "BT-407", "access", "warning", "Row-level security without a policy",
    cure="Write the policy, or disable row-level security of the table.",
)  # fmt: skip
def no_policy(facts: Facts) -> list[str]:
    """Nobody but the owner sees a row: reads come back empty, without an error."""
    return facts.names(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE c.relrowsecurity AND {OWN}"
        " AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) ORDER BY 1"
    )


VIEWS = (
    "SELECT DISTINCT v.oid::regclass::text FROM pg_class v"
    " JOIN pg_namespace n ON n.oid = v.relnamespace"
    " JOIN pg_rewrite r ON r.ev_class = v.oid JOIN pg_depend d ON d.objid = r.oid"
    " AND d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass"
    " JOIN pg_class t ON t.oid = d.refobjid AND t.relrowsecurity AND t.oid <> v.oid"
    " WHERE v.relkind = :kind AND " + OWN
)


@check(
    "BT-408", "access", "error", "View past row-level security",
    cure="ALTER VIEW … SET (security_invoker = true).",
)  # fmt: skip
def definer_views(facts: Facts) -> list[str]:
    """A view reads as its owner, who sees every row, and shows them to whoever may read it."""
    return facts.names(
        VIEWS + " AND NOT coalesce((SELECT option_value::bool FROM"
        " pg_options_to_table(v.reloptions) WHERE option_name = 'security_invoker'), false)"
        " ORDER BY 1",
        kind="v",
    )


@check(
    "BT-409", "access", "error", "Materialised view past row-level security",
    cure="REVOKE SELECT from the app; give it a function or a view that filters.",
)  # fmt: skip
def materialised_views(facts: Facts) -> list[str]:
    """It holds the rows of everybody, and policies do not apply to it."""
    return facts.names(VIEWS + " AND has_table_privilege(v.oid, 'SELECT') ORDER BY 1", kind="m")


@check(
    "BT-410", "access", "error", "Privileged function without a search path",
    cure="ALTER FUNCTION … SET search_path = pg_catalog, pg_temp, and name schemas in its body.",
)  # fmt: skip
def definer_functions(facts: Facts) -> list[str]:
    """SECURITY DEFINER runs as the owner, but finds tables and functions where its caller says: a
    caller can put his own in their place."""
    return facts.names(
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n"
        f" ON n.oid = p.pronamespace WHERE p.prosecdef AND {OWN}"
        f" AND {EXTENSIONS.format(object='p.oid')} AND NOT EXISTS (SELECT FROM"
        " unnest(p.proconfig) setting WHERE setting LIKE 'search\\_path=%') ORDER BY 1"
    )


@check(
    "BT-411", "access", "warning", "Tables open to every role",
    cure="REVOKE ALL ON … FROM PUBLIC, and grant the roles that need it.",
)  # fmt: skip
def public_tables(facts: Facts) -> list[str]:
    """PUBLIC is every role of the server, those of other applications included."""
    return facts.names(
        "SELECT DISTINCT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n"
        f" ON n.oid = c.relnamespace, aclexplode(c.relacl) a WHERE a.grantee = 0 AND {OWN}"
        f" AND {EXTENSIONS.format(object='c.oid')} ORDER BY 1"
    )


@check(
    "BT-412", "access", "error", "Schema in which everybody may create",
    cure="REVOKE CREATE ON SCHEMA … FROM PUBLIC.",
)  # fmt: skip
def public_schemas(facts: Facts) -> list[str]:
    """Any role can put a function there that others call by mistake. PostgreSQL 15 stopped this
    for new databases; those that were upgraded keep it."""
    return facts.names(
        "SELECT 'schema ' || n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a"
        f" WHERE a.grantee = 0 AND a.privilege_type = 'CREATE' AND {OWN} ORDER BY 1"
    )


@check(
    "BT-413", "access", "warning", "The app may empty guarded tables",
    cure="REVOKE TRUNCATE, TRIGGER ON … FROM the role.",
)  # fmt: skip
def truncate(facts: Facts) -> list[str]:
    """TRUNCATE removes every tenant's rows: policies are not asked. A trigger sees them."""
    return facts.names(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_roles o ON o.rolname = current_user"
        " WHERE c.relrowsecurity AND c.relkind IN ('r', 'p') AND NOT o.rolsuper"
        " AND c.relowner <> o.oid AND has_table_privilege(c.oid, 'TRUNCATE, TRIGGER') ORDER BY 1"
    )


@check(
    "BT-414", "access", "warning", "Policy that asks once for each row",
    cure="Write (SELECT current_setting(…)) in the policy.",
)  # fmt: skip
def slow_policies(facts: Facts) -> Iterator[str]:
    """`current_setting` in a policy is called for every row that is read; inside a subquery it is
    called once."""
    rows = facts.sql(
        "SELECT polname, polrelid::regclass::text AS name, concat_ws(' ',"
        " pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) AS text"
        " FROM pg_policy ORDER BY 2, 1"
    )
    for row in rows:
        # PostgreSQL writes a subquery as `( SELECT …`; one call may hide in each.
        if row.text.count("current_setting(") > row.text.count("( SELECT "):
            yield f"policy {row.polname} of {row.name}"
