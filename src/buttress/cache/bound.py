"""A cached function tied to an open cache: what its calls need at hand."""

from __future__ import annotations

from collections.abc import Hashable
from time import monotonic
from typing import TYPE_CHECKING, Any

from buttress.cache.barrier import Reading
from buttress.cache.coverage import computing
from buttress.cache.declaration import Declaration
from buttress.cache.memory import Entry
from buttress.cache.sessions import harmless
from buttress.db.tenancy import scope
from buttress.db.transactions import Transaction, open_transactions

if TYPE_CHECKING:
    from buttress.cache.cache import Cache

MISSED = object()


class Scoped(tuple[Hashable, str]):
    """A key that has who acts."""

    __slots__ = ()


def scope_key() -> str:
    """Who acts here, as part of a key."""
    whose = scope()
    return "" if whose is None else whose.key


class Bound:
    """One function in one cache."""

    __slots__ = (
        "_by_scope", "_owned", "armed", "barrier", "cache", "counters", "declaration", "entries",
        "has_session", "hit", "max_staleness", "memory", "serve_stale", "shared", "strict",
        "ttl_seconds", "watching",
    )  # fmt: skip

    def __init__(self, cache: Cache, declaration: Declaration) -> None:
        self.cache = cache
        self.declaration = declaration
        self.memory = cache.memory_of(declaration.namespace)
        self.entries = self.memory.entries
        self.counters = cache.counters_of(declaration.namespace)
        self.hit = self.counters.hits.add
        self.watching = cache.watching
        self._owned: frozenset[str] = frozenset()
        self._by_scope = False
        self.armed = cache.armed
        self.barrier = cache.barrier
        self.shared = cache.shared
        self.has_session = declaration.has_session
        self.max_staleness = declaration.max_staleness_seconds
        self.serve_stale = declaration.serve_stale_seconds
        self.strict = not (self.max_staleness or self.serve_stale)
        self.ttl_seconds = cache.ttl_of(declaration.namespace, declaration.ttl_seconds)

    def key(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Hashable:
        """The key of a call: what it was given and, where rows have owners, who acts.

        Raises BadInput for an argument that has no value.
        """
        key = self.declaration.key(arguments, keywords)
        return Scoped((key, scope_key())) if self.by_scope else key

    @property
    def by_scope(self) -> bool:
        """Whether the function may read tables whose rows belong to people."""
        owned = self.watching.owned
        if owned is not self._owned:
            # Where tags are told by each call anew, any table may be among them.
            self._by_scope = bool(owned) and (
                callable(self.declaration.tags) or not owned.isdisjoint(self.declaration.named)
            )
            self._owned = owned
        return self._by_scope

    def quick(self, key: Hashable, session: Transaction | None) -> Any:
        """The value of a hit that needs nobody else's answer; MISSED for everything else."""
        entry = self.entries.get(key)
        if entry is None:
            return MISSED
        if session is not None:
            if not harmless(session):
                return MISSED
        else:
            for transaction in open_transactions():
                if not harmless(transaction):
                    return MISSED
        # Looked at after the read began: from here on no commit was acknowledged unseen.
        reading = self.armed()
        if reading is None:
            return MISSED
        number = reading.number
        if entry.checked < number and not self.check(entry, number):
            return MISSED
        if monotonic() >= entry.expires or computing.get() or not self.strict:
            return MISSED
        entry.touched = True
        self.hit()
        return entry.copy(entry.value)

    def check(self, entry: Entry, number: int) -> bool:
        """Whether an entry is right at that barrier, or one after it."""
        if not self.barrier.valid(entry.stamp, entry.tags):
            return False
        entry.checked = number
        return True

    def usable(self, entry: Entry, reading: Reading) -> bool:
        """Whether an entry can answer a read that began before this barrier."""
        if not self.check(entry, reading.number) or monotonic() >= entry.expires:
            return False
        entry.validated = monotonic()
        return True

    def take(self, entry: Entry) -> Any:
        """Hand out the value of an entry as a hit."""
        entry.touched = True
        self.hit()
        for reads in computing.get():
            reads.tables(self.declaration.tables)
        return entry.copy(entry.value)
