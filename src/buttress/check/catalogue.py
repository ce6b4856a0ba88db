"""Checks of tables, indexes and sequences."""

from __future__ import annotations

from buttress.check.facts import Facts
from buttress.check.registry import check

WRAPAROUND = 1_000_000_000
"""Transactions since a table was last frozen; the server stops at about twice as many."""
SEQUENCE_SHARE = 0.8

OURS = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'buttress_jobs')"
    " AND n.nspname NOT LIKE 'pg_temp%'"
    " AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass"
    " AND e.objid = c.oid AND e.deptype = 'e')"
)
"""Tables that are neither the system's, nor an extension's, nor the job engine's."""


@check(
    "BT-341", "database", "error", "Invalid index",
    cure="REINDEX INDEX CONCURRENTLY, or drop it and make it again.",
)  # fmt: skip
def invalid_indexes(facts: Facts) -> list[str]:
    """CREATE INDEX CONCURRENTLY was interrupted: the index costs every write and helps no read."""
    return facts.names(
        "SELECT 'index ' || c.oid::regclass FROM pg_index i JOIN pg_class c"
        " ON c.oid = i.indexrelid WHERE NOT i.indisvalid AND c.relkind = 'i' ORDER BY 1"
    )


@check(
    "BT-342", "database", "warning", "Foreign key without an index",
    cure="CREATE INDEX CONCURRENTLY on the columns of the key.",
)  # fmt: skip
def foreign_keys(facts: Facts) -> list[str]:
    """Deleting one row of the other table reads this one from end to end, under a lock."""
    return facts.names(
        "SELECT c.oid::regclass || ' (' || f.conname || ')' FROM pg_constraint f"
        " JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE f.contype = 'f' AND f.conparentid = 0 AND {OURS}"
        " AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = f.conrelid"
        " AND i.indisvalid AND i.indpred IS NULL"
        " AND (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(f.conkey)] @> f.conkey)"
        " ORDER BY 1"
    )


@check(
    "BT-343", "database", "warning", "Table without a primary key",
    cure="Add one: ALTER TABLE … ADD PRIMARY KEY (…).",
)  # fmt: skip
def primary_keys(facts: Facts) -> list[str]:
    """Nothing tells two rows apart: no replication of changes, and duplicates stay for good."""
    return facts.names(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
        f" AND c.relname NOT LIKE 'buttress\\_%' AND {OURS} AND NOT EXISTS"
        " (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) ORDER BY 1"
    )


@check(
    "BT-344", "database", "error", "Transaction numbers running out",
    cure="Find what keeps vacuum back (old transactions, slots), then VACUUM FREEZE the table.",
)  # fmt: skip
def wraparound(facts: Facts) -> list[str]:
    """When the oldest row is two thousand million transactions old, the server refuses to write."""
    return facts.names(
        "SELECT c.oid::regclass || ' is ' || age(c.relfrozenxid) || ' transactions old'"
        " FROM pg_class c WHERE c.relkind IN ('r', 't', 'm')"
        " AND age(c.relfrozenxid) > :limit ORDER BY age(c.relfrozenxid) DESC",
        limit=WRAPAROUND,
    )


@check(
    "BT-345", "database", "error", "Sequence near its end",
    cure="ALTER the column to bigint, and its sequence too.",
)  # fmt: skip
def sequences(facts: Facts) -> list[str]:
    """After the last number of its column's type every INSERT fails."""
    return facts.names(
        "SELECT name || ' has used ' || round(100 * last / most) || ' %' FROM ("
        " SELECT s.seqrelid::regclass::text AS name, CASE WHEN"
        " has_sequence_privilege(s.seqrelid, 'SELECT, USAGE')"
        " THEN pg_sequence_last_value(s.seqrelid)::numeric END AS last,"
        " least(s.seqmax, CASE a.atttypid WHEN 'int4'::regtype THEN 2147483647"
        " WHEN 'int2'::regtype THEN 32767 ELSE s.seqmax END)::numeric AS most"
        " FROM pg_sequence s LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass"
        " AND d.objid = s.seqrelid AND d.refclassid = 'pg_class'::regclass"
        " AND d.deptype IN ('a', 'i')"
        " LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
        " WHERE NOT s.seqcycle AND s.seqincrement > 0) found"
        " WHERE last > most * :share ORDER BY last / most DESC",
        share=SEQUENCE_SHARE,
    )


@check(
    "BT-346", "database", "warning", "Unlogged table",
    cure="ALTER TABLE … SET LOGGED, unless its rows may be lost.",
)  # fmt: skip
def unlogged(facts: Facts) -> list[str]:
    """It is empty after a crash, on every standby and after a restore from a base backup."""
    return facts.names(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence = 'u'"
        f" AND {OURS} ORDER BY 1"
    )


@check(
    "BT-347", "database", "warning", "Constraint never validated",
    cure="ALTER TABLE … VALIDATE CONSTRAINT …; rows that break it must be mended first.",
)  # fmt: skip
def unvalidated(facts: Facts) -> list[str]:
    """NOT VALID lets the rows that were there be: nobody may rely on what it says."""
    return facts.names(
        "SELECT c.oid::regclass || ' (' || f.conname || ')' FROM pg_constraint f"
        " JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE NOT f.convalidated AND f.contype IN ('c', 'f', 'n') AND {OURS} ORDER BY 1"
    )
