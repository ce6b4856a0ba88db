"""The first level: values in this process, bounded by bytes, oldest unused out first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Any

OVERHEAD_BYTES = 600
"""What an entry takes beside its value: the key, the tags, the slots."""


class Entry:
    """One value and what is needed to tell whether it is right."""

    __slots__ = (
        "checked", "copy", "created", "encoded", "expires", "namespace", "size", "stamp", "tags",
        "touched", "validated", "value",
    )  # fmt: skip

    def __init__(
        self,
        value: Any,
        *,
        stamp: int,
        tags: tuple[str, ...],
        namespace: str,
        created: float,
        expires: float,
        size: int,
        copy: Callable[[Any], Any],
    ) -> None:
        self.value = value
        """The value, or its encoded form when `copy` decodes."""
        self.stamp = stamp
        """The barrier that had ended when the value began to be computed."""
        self.checked = stamp
        """The last barrier at which it was found right."""
        self.tags = tags
        self.namespace = namespace
        self.created = created
        self.validated = created
        """When it was last known to be right, on the monotonic clock."""
        self.expires = expires
        self.size = size
        self.copy = copy
        self.touched = False


class Memory:
    """Entries by key, at most `limit` bytes of them."""

    def __init__(self, limit: int, on_evict: Callable[[Entry], None] | None = None) -> None:
        self.entries: dict[Hashable, Entry] = {}
        """Read without a lock on the way of a hit."""
        self.limit = limit
        self.bytes = 0
        self._on_evict = on_evict
        self._changing = threading.Lock()

    def put(self, key: Hashable, entry: Entry) -> bool:
        """Keep an entry, unless a newer one is there or it is larger than all room."""
        if entry.size > self.limit:
            return False
        with self._changing:
            there = self.entries.get(key)
            if there is not None and there.stamp > entry.stamp:
                return False
            self._drop(key)
            self.entries[key] = entry
            self.bytes += entry.size
            self._make_room()
        return True

    def drop(self, key: Hashable, entry: Entry | None = None) -> None:
        """Forget a key; with `entry`, only while that is what is kept."""
        with self._changing:
            if entry is None or self.entries.get(key) is entry:
                self._drop(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._changing:
            self.entries.clear()
            self.bytes = 0

    def items(self) -> Iterator[tuple[Hashable, Entry]]:
        """What is kept now."""
        with self._changing:
            return iter(list(self.entries.items()))

    def start_anew(self) -> None:
        """In a forked child, where another thread may have held the lock."""
        self._changing = threading.Lock()
        self.clear()

    def _drop(self, key: Hashable) -> None:
        entry = self.entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry.size

    def _make_room(self) -> None:
        while self.bytes > self.limit:
            key, entry = next(iter(self.entries.items()))
            del self.entries[key]
            if entry.touched:  # used since it was last looked at: it goes to the end of the line
                entry.touched = False
                self.entries[key] = entry
                continue
            self.bytes -= entry.size
            if self._on_evict is not None:
                self._on_evict(entry)
