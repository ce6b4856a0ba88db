"""Checks of tables whose rows belong to people."""

from __future__ import annotations

from buttress.check.facts import Facts
from buttress.check.registry import check
from buttress.db.tenancy import OWNED, POLICY


@check(
    "BT-415", "access", "error", "Rows with an owner that everybody sees",
    cure="op.enable_tenancy(table, owner=column) in a revision, or another name for the column.",
)  # fmt: skip
def unguarded(facts: Facts) -> list[str]:
    """A column named owner or owner_id says whose a row is, and no policy in force asks for it: one
    forgotten condition shows everybody's rows."""
    return facts.names(
        f"SELECT name || '.' || owner FROM ({OWNED}) t WHERE NOT enabled OR NOT EXISTS"
        " (SELECT FROM pg_policy p JOIN pg_depend d ON d.classid = 'pg_policy'::regclass"
        " AND d.objid = p.oid AND d.refobjid = t.oid AND d.refobjsubid = t.attnum"
        " WHERE p.polrelid = t.oid) ORDER BY 1"
    )


@check(
    "BT-416", "access", "error", "Row-level security that spares the owner of the table",
    cure="ALTER TABLE … FORCE ROW LEVEL SECURITY.",
)  # fmt: skip
def not_forced(facts: Facts) -> list[str]:
    """Whoever connects as the table's owner sees every row, and so does a function or a view of
    that role."""
    return facts.names(f"SELECT name FROM ({OWNED}) t WHERE enabled AND NOT forced ORDER BY 1")


@check(
    "BT-417", "access", "error", "The app can become a role that sees every row",
    cure="REVOKE that role from the app's.",
)  # fmt: skip
def may_become(facts: Facts) -> list[str]:
    """SET ROLE to a superuser, a role with BYPASSRLS or the owner of a guarded table ends what the
    policies promise."""
    return facts.names(
        "SELECT 'role ' || r.rolname FROM pg_roles r WHERE r.rolname <> current_user"
        " AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
        " AND pg_has_role(current_user, r.oid, 'MEMBER') AND (r.rolsuper OR r.rolbypassrls"
        " OR EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid AND c.relrowsecurity))"
        " ORDER BY 1"
    )


@check(
    "BT-418", "access", "warning", "Owner without an index",
    cure="CREATE INDEX CONCURRENTLY on the column, or one that begins with it.",
)  # fmt: skip
def unindexed(facts: Facts) -> list[str]:
    """Every statement asks for the owner: without an index each reads the rows of everybody."""
    return facts.names(
        f"SELECT name || '.' || owner FROM ({OWNED}) t WHERE enabled AND EXISTS"
        " (SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polname = :policy)"
        " AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisvalid"
        " AND i.indpred IS NULL AND i.indkey[0] = t.attnum) ORDER BY 1",
        policy=POLICY,
    )
