"""Values kept by hand under a namespace and a key, as strictly as those of functions."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec

from buttress.cache.barrier import Reading
from buttress.cache.barrier_postgresql import PostgreSQLBarrier
from buttress.cache.coverage import computing
from buttress.cache.declaration import Tag
from buttress.cache.keys import digest, frozen
from buttress.cache.memory import OVERHEAD_BYTES, Entry
from buttress.cache.sessions import connections, objection
from buttress.cache.shared import FORMAT, Kept
from buttress.cache.snapshot import Snapshot
from buttress.cache.values import Codec
from buttress.cache.watch import Rows, is_watched, tables_of, tag, wider
from buttress.db.transactions import open_transactions
from buttress.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from buttress.cache.cache import Cache


@dataclass(frozen=True)
class Stamp:
    """A moment: what was committed before it is in everything read after it."""

    reading: Reading


class Direct:
    """`get` and `set` of a cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def stamp(self) -> Stamp:
        """The moment now; raises Unavailable."""
        self._cache.start()
        return Stamp(self._cache.armed() or self._cache.barrier.ask())

    def set(
        self,
        namespace: str,
        key: Hashable,
        value: object,
        tags: Iterable[Tag],
        stamp: Stamp,
        ttl_seconds: float | None,
    ) -> bool:
        """Keep a value, unless this thread's transaction may have read what is not committed."""
        cache = self._cache
        if cache.off or self._in_transaction():
            cache.counters_of(namespace).reject(cache.off or "set within a transaction")
            return False
        encoded, _ = Codec(type(value), f"{namespace}:{key}").kept(value)
        seconds = cache.ttl_of(namespace, ttl_seconds)
        now = time.monotonic()
        entry = Entry(
            encoded,
            stamp=stamp.reading.number,
            tags=self._tags(namespace, key, tags),
            namespace=namespace,
            created=now,
            expires=now + seconds,
            size=OVERHEAD_BYTES + len(encoded),
            copy=bytes,
        )
        if not cache.barrier.valid(entry.stamp, entry.tags):
            cache.counters_of(namespace).reject("changed while it was read")
            return False
        kept = cache.memory_of(namespace).put(self._key(namespace, key), entry)
        cache.counters_of(namespace).fills.add()
        reading = stamp.reading
        if reading.snapshot is not None:
            wall = time.time()
            letter = Kept(
                FORMAT, reading.epoch, str(reading.snapshot), list(entry.tags), wall,
                wall + seconds, encoded,
            )  # fmt: skip
            cache.shared.put(self._name(namespace, key), letter)
        return kept

    def get(self, namespace: str, key: Hashable, kind: Any, default: Any) -> Any:
        """The value, decoded as `kind`; `default` when there is none that is right."""
        cache = self._cache
        counters = cache.counters_of(namespace)
        cache.start()
        if cache.off or self._in_transaction():
            counters.bypass(cache.off or "read within a transaction")
            return default
        try:
            reading = cache.armed() or cache.barrier.ask()
            found = self._encoded(namespace, key, reading)
        except Unavailable:
            found = None
        if found is None:
            counters.misses.add()
            return default
        encoded, tags = found
        counters.hits.add()
        for reads in computing.get():
            reads.tables(frozenset(name.partition("/")[0] for name in tags if name[0] != "~"))
        return msgspec.msgpack.decode(encoded, type=kind)

    def tag(self, namespace: str, key: Hashable) -> str:
        """The tag every entry under that key has."""
        return f"~{namespace}/{digest(frozen(key))}"

    def _encoded(
        self, namespace: str, key: Hashable, reading: Reading
    ) -> tuple[bytes, Sequence[str]] | None:
        cache = self._cache
        memory, inner = cache.memory_of(namespace), self._key(namespace, key)
        entry = memory.entries.get(inner)
        if entry is not None:
            if time.monotonic() < entry.expires and cache.barrier.valid(entry.stamp, entry.tags):
                entry.touched = True
                return cast("bytes", entry.value), entry.tags
            memory.drop(inner, entry)
        kept = cache.shared.get(self._name(namespace, key)) if reading.snapshot else None
        if kept is None or not self._right(kept):
            return None
        cache.counters_of(namespace).shared_hits.add()
        return kept.value, kept.tags

    def _right(self, kept: Kept) -> bool:
        barrier = cast("PostgreSQLBarrier", self._cache.barrier)
        try:
            seen = Snapshot.parse(kept.snapshot)
        except ValueError:
            return False
        right = barrier.judge(kept.epoch, seen, kept.tags)
        if right is None:
            _, right = barrier.ask_about(kept.epoch, seen, kept.tags)
        return right

    def _tags(self, namespace: str, key: Hashable, tags: Iterable[Tag]) -> tuple[str, ...]:
        names = [f"~{namespace}", self.tag(namespace, key)]
        for one in tags:
            if isinstance(one, str):
                names.append(one)
            elif isinstance(one, Rows):
                raise ConfigurationError(
                    "rows() stands for parameters, and set() has none",
                    hint="Write tag(Model, column=value).",
                )
            elif is_watched(one):
                names += tables_of(one)
            else:
                tag(one, id=None)  # raises with the cure
        found = wider(names)
        missing = self._cache.watching.missing_of_tags(found)
        owned = self._cache.watching.owned & {n.partition("/")[0] for n in found}
        if owned:
            raise ConfigurationError(
                f"rows of {', '.join(sorted(owned))} belong to people, and the key has no person",
                hint="Have a function declared with @cached read them.",
            )
        if missing:
            raise ConfigurationError(
                f"{', '.join(sorted(missing))} not watched", hint="Run `buttress migrate upgrade`."
            )
        return found

    def _in_transaction(self) -> bool:
        transactions = open_transactions()
        return bool(objection(transactions, "read") or connections(transactions))

    def _key(self, namespace: str, key: Hashable) -> Hashable:
        return ("~", namespace, frozen(key))

    def _name(self, namespace: str, key: Hashable) -> str:
        return f"{namespace}:{digest(frozen(key))}"
