"""Whose rows a transaction sees: row-level security of tables that have an owner.

    op.enable_tenancy("notes_note", owner="owner_id")       # in a revision, see tenancy_operations

From then on PostgreSQL shows, and lets be changed, only rows whose owner lies between two settings
of the transaction. Who acts is entered when a transaction begins and gone when it ends, so that
pools and poolers hand nothing on:

    a person            both settings are the person's id
    who may see all     the lowest and the highest id there is
    nobody              neither is set: no row is there, and none can be written

A range and not `owner = … OR …`: an index on the owner serves it. A transaction stays whose it
was when it began. SQLite has no such thing: there everybody sees every row.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

log = logging.getLogger(__name__)

POLICY = "buttress_owner"
LOWEST, HIGHEST = str(UUID(int=0)), str(UUID(int=2**128 - 1))
FROM, TO = "buttress.owner_from", "buttress.owner_to"
NOTED = "buttress_scope"
"""Under which a connection remembers for whom its transaction began."""


@dataclass(frozen=True)
class Scope:
    """For whom a transaction begins."""

    person: UUID | None
    everything: bool = False
    """Whether rows of others are there too."""
    system: str = ""
    """What the deployment does on its own account, when it is nobody's errand."""

    def __post_init__(self) -> None:
        # Who is nobody and may see nothing is no scope at all.
        assert self.person is not None or (self.everything and self.system)

    @property
    def settings(self) -> tuple[tuple[str, str], ...]:
        """What policies compare owners with."""
        if self.everything:
            return EVERYTHING
        return ((FROM, str(self.person)), (TO, str(self.person)))

    @property
    def key(self) -> str:
        """What tells a value read for one from a value read for another."""
        return f"{self.person or 'system'}{' all' if self.everything else ''}"


_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)

scope = _scope.get
"""For whom transactions begin here; None for nobody. No argument."""


@contextmanager
def entered(whose: Scope | None) -> Iterator[None]:
    """Transactions that begin inside are for them."""
    token = _scope.set(whose)
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def as_system(what: str) -> Iterator[None]:
    """Transactions that begin inside see the rows of everybody, for work that is nobody's errand.

    `what` says in a few words what is done, for the log: `as_system("count files")`. Who acts stays
    who it was: for the audit log, for calls of models.
    """
    log.debug("acts as the system", extra={"what": what})
    with entered(Scope(None, everything=True, system=what)):
        yield


def condition(column: str, *, unowned: bool) -> str:
    """What a row must fulfil, as SQL; `column` is quoted.

    With `unowned`, rows without an owner are there for whoever sees the rows of everybody.
    """

    def setting(name: str) -> str:
        # In a subquery it is asked once, not for every row. What has ended leaves '' behind.
        return f"(SELECT nullif(current_setting('{name}', true), '')::uuid)"

    owned = f"{column} >= {setting(FROM)} AND {column} <= {setting(TO)}"
    if not unowned:
        return owned
    return f"({owned}) OR ({column} IS NULL AND {setting(TO)} = '{HIGHEST}'::uuid)"


EVERYTHING = ((FROM, LOWEST), (TO, HIGHEST))
"""Settings under which policies of ours hide no row."""

ALL_OURS = """
    SELECT NOT exempt AND NOT others FROM (SELECT
        (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user)
            AS exempt,
        EXISTS (SELECT FROM pg_class c WHERE c.relrowsecurity AND NOT EXISTS (
            SELECT FROM pg_policy p
            JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
                AND d.refobjid = c.oid AND d.refobjsubid > 0
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
            WHERE p.polrelid = c.oid AND p.polname = 'buttress_owner' AND p.polpermissive
                AND p.polcmd = '*' AND p.polroles = '{0}' AND p.polwithcheck IS NULL
                AND pg_get_expr(p.polqual, c.oid) LIKE '%buttress.owner_from%buttress.owner_to%'
                AND (a.attnotnull OR pg_get_expr(p.polqual, c.oid) LIKE '% IS NULL%'))
            OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive)
        ) AS others) facts
"""
"""Whether policies apply to this role, and all of them are ours and show each row to somebody: then
EVERYTHING is every row."""

OWNED = """
    SELECT c.oid, c.oid::regclass::text AS name, a.attname::text AS owner, a.attnum,
        c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND c.relpersistence <> 't'
        AND (a.attname IN ('owner', 'owner_id') OR EXISTS (
            SELECT FROM pg_policy p JOIN pg_depend d ON d.classid = 'pg_policy'::regclass
                AND d.objid = p.oid AND d.refobjid = c.oid AND d.refobjsubid = a.attnum
            WHERE p.polrelid = c.oid AND p.polname = 'buttress_owner'))
        AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
            AND e.objid = c.oid AND e.deptype = 'e')
"""
"""Tables whose rows belong to somebody: a column is named owner or owner_id, or a policy of ours
asks for it."""
