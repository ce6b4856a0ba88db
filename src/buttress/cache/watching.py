"""Which tables are really watched in the database at hand, and what may be kept because of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from sqlalchemy import text

from buttress.cache.barrier import Barrier
from buttress.cache.coverage import Reads
from buttress.cache.declaration import Declaration
from buttress.cache.triggers import existing, problems, schema_of_log
from buttress.cache.watch import rollup_sources, watches
from buttress.db.database import Database
from buttress.db.tenancy import POLICY
from buttress.errors import ConfigurationError

log = logging.getLogger(__name__)

FUNCTIONS = text(
    "SELECT DISTINCT lower(p.proname) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
    "WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.provolatile <> 'i' "
    "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
)
GUARDED = text(
    "SELECT CASE n.nspname WHEN current_schema() THEN c.relname "
    "ELSE n.nspname || '.' || c.relname END AS name, "
    "(SELECT bool_and(p.polname = :policy) FROM pg_policy p WHERE p.polrelid = c.oid) AS by_owner "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relrowsecurity"
)
UPGRADE = "run `buttress migrate upgrade`"
NO_TABLE = "there is no such table"


class Watching:
    """The state of the triggers when they were last looked at.

    `look` looks again; it is called for tables of models that were imported since.
    """

    def __init__(self, database: Database, barrier: Barrier, look: Callable[[], None]) -> None:
        self.database = database
        self.barrier = barrier
        self.look = look
        self.unwatched: dict[str, str] = {}
        """Tables declared as watched that are not, and why."""
        self._by_triggers = database.backend.name == "postgresql"
        self._watched: frozenset[str] = frozenset()
        self._looked_for: frozenset[str] = frozenset()
        self._functions: frozenset[str] = frozenset()
        """Functions somebody wrote, which may read anything."""
        self.owned: frozenset[str] = frozenset()
        """Tables that show each person their own rows, see `buttress.db.tenancy`."""
        self._guarded: frozenset[str] = frozenset()
        """Tables of which policies of another kind show each role or tenant other rows."""
        self._floor = 0
        """Of the barrier when the tables were looked at: a revision raises it."""
        self._logged: set[str] = set()

    def verify(self) -> str:
        """Look at the triggers of all watched tables; why nothing can be cached, or nothing.

        Raises what the database raises.
        """
        if not self._by_triggers:
            return ""
        wanted, floor = watches(), self.barrier.floor
        with self.database.connection(read_only=True) as connection:
            schema = schema_of_log(connection)
            found = (
                dict.fromkeys(existing(connection, wanted), f"there is no change log: {UPGRADE}")
                if schema is None
                else problems(connection, schema, wanted)
            )
            self._functions = frozenset(connection.scalars(FUNCTIONS))
            guarded = connection.execute(GUARDED, {"policy": POLICY}).all()
            self.owned = frozenset(table.name for table in guarded if table.by_owner)
            self._guarded = frozenset(table.name for table in guarded) - self.owned
        names = frozenset(watch.table for watch in wanted)
        watched = frozenset() if schema is None else names - found.keys()
        if not watched >= self._watched:
            with self.barrier.alone():
                self.barrier.forget()  # changes may have passed without a trigger
        self._watched, self._looked_for, self._floor = watched, names, floor
        self.unwatched = {table: why for table, why in found.items() if why != NO_TABLE}
        return "" if schema is not None else f"there is no change log: {UPGRADE}"

    @property
    def any(self) -> bool:
        """Whether changes of any table are told."""
        return bool(self._watched)

    def missing(self, tables: AbstractSet[str]) -> frozenset[str]:
        """Those of the tables whose changes nobody would tell."""
        if not self._by_triggers or self._watched >= tables:
            return frozenset()
        if not self._looked_for >= tables:
            self.look()
            self._looked_for |= tables
        return frozenset(tables - self._watched)

    def missing_of_tags(self, tags: Iterable[str]) -> frozenset[str]:
        """The same of the tables that tags name; names that are no table's are fine."""
        tables = frozenset(name.partition("/")[0] for name in tags if not name.startswith("~"))
        return self.missing(tables & {watch.table for watch in watches()})

    def unusable(self, declaration: Declaration) -> str | None:
        """Why a function must run uncached, None when it need not."""
        missing = self.missing(declaration.tables)
        return f"{', '.join(sorted(missing))} not watched: {UPGRADE}" if missing else None

    def objection(
        self, declaration: Declaration, reads: Reads, *, scoped: bool, development: bool
    ) -> str | None:
        """Why a value must not be kept, by what was read for it.

        `scoped` tells that its key has who acts.

        Raises ConfigurationError in development when the function is at fault.
        """
        why, hint = None, ""
        if self._by_triggers and self.barrier.floor > self._floor:
            self.look()  # a revision may have given rows owners
        sources = rollup_sources()
        seen = {sources.get(table, table) for table in reads.seen}
        outside = seen - reads.declared
        guarded = sorted(seen & self._guarded)
        called = sorted(reads.functions & self._functions)
        if reads.writes:
            why, hint = "it writes", "Take the writing out of it: on a hit it would not happen."
        elif outside:
            why = f"it reads {', '.join(sorted(outside))}, which its tags do not name"
            hint = "Add the models to tags=, and __cache_tags__ = () to those that have none."
        elif guarded and not declaration.tells_tenant:
            why = (
                f"row-level security of {', '.join(guarded)} hides rows, and its key has no tenant"
            )
            hint = "Name the tenant with tenant=, or say across_tenants=True."
        if why and development:
            raise ConfigurationError(f"{declaration.name} cannot be cached: {why}", hint=hint)
        if not why and reads.elsewhere:
            why = "it reads from another server, or as another role"
        if not why and called:
            why = f"it calls {', '.join(called)}, which may read anything"
        if not why and reads.unreadable:
            why = "a statement of it cannot be understood"
        if not why and not scoped and seen & self.owned:
            why = f"rows of {', '.join(sorted(seen & self.owned))} belong to people since just now"
        missing = self.missing(seen | declaration.tables)
        if not why and missing:
            why = f"{', '.join(sorted(missing))} not watched: {UPGRADE}"
        if why and declaration.name not in self._logged:
            self._logged.add(declaration.name)
            log.warning("not cached", extra={"function": declaration.name, "reason": why})
        return why
