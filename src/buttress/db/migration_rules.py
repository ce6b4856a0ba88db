"""The rules migrations are judged by: what goes wrong, and how to get the same safely."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One unsafe operation: what happens, and how to get the same safely."""

    id: str
    message: str
    cure: str


RULES = {
    rule.id: rule
    for rule in (
        Rule(
            "index-locks-writes",
            "building the index keeps all writers of the table waiting",
            "Use postgresql_concurrently=True inside op.get_context().autocommit_block().",
        ),
        Rule(
            "concurrently-in-transaction",
            "CONCURRENTLY cannot run inside a transaction",
            "Put it inside `with op.get_context().autocommit_block():`.",
        ),
        Rule(
            "not-null-without-default",
            "the column cannot be added while the table has rows",
            "Give it a server_default, or add it as nullable, fill it, then require it.",
        ),
        Rule(
            "column-rewrites-table",
            "adding the column rewrites the whole table while nobody can read it",
            "Add it without the volatile default or generated value, and fill it in batches.",
        ),
        Rule(
            "set-not-null-scans",
            "SET NOT NULL reads the whole table while nobody can use it",
            "First add CHECK (column IS NOT NULL) NOT VALID and VALIDATE it in a later revision.",
        ),
        Rule(
            "constraint-scans",
            "the constraint is checked against all rows while nobody can write",
            "Add it NOT VALID, and VALIDATE CONSTRAINT in a later revision.",
        ),
        Rule(
            "key-builds-index",
            "the key builds its index while nobody can use the table",
            "Create the unique index CONCURRENTLY first, then ADD CONSTRAINT … USING INDEX.",
        ),
        Rule(
            "type-rewrites-table",
            "changing the type may rewrite the whole table while nobody can read it",
            "Add a new column, fill it in batches, and switch the code over.",
        ),
        Rule(
            "drop-table",
            "the table's rows are gone, and code that still runs fails",
            "Stop using the table in one release and drop it in the next.",
        ),
        Rule(
            "drop-column",
            "the column's values are gone, and code that still runs fails",
            "Stop using the column in one release and drop it in the next.",
        ),
        Rule(
            "rename",
            "code that still runs uses the old name and fails",
            "Add the new name beside the old one, move over, and drop the old one later.",
        ),
        Rule(
            "unbounded-change",
            "one statement changes every row: a long transaction, locks on all rows and bloat",
            "Change some thousand rows at a time, each batch in its own transaction.",
        ),
        Rule(
            "refresh-blocks-readers",
            "readers of the view wait until it is computed",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index on the view.",
        ),
        Rule(
            "rewrites-under-lock",
            "nobody can use the table until it is rewritten",
            "Leave it to autovacuum, or use pg_repack in a maintenance window.",
        ),
        Rule(
            "explicit-lock",
            "everybody else waits until the transaction ends",
            "Let each statement take the lock it needs.",
        ),
        Rule(
            "owner-without-tenancy",
            "the rows say whose they are, and everybody sees them",
            "op.enable_tenancy(table, owner=column), or another name than owner and owner_id.",
        ),
        Rule(
            "policy-asks-each-row",
            "the policy calls current_setting for every row it is asked about",
            "Write (SELECT current_setting(…)), or use op.enable_tenancy.",
        ),
        Rule(
            "not-readable",
            "the revision cannot be printed as SQL, so it was not checked",
            "Use op.execute with SQL instead of reading from op.get_bind().",
        ),
    )
}
