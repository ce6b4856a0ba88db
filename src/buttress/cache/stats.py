"""What the cache counts, as of now and over a window."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

from buttress.cache.memory import Entry
from buttress.cache.shared import SharedStats

SAMPLE_SECONDS = 10
WINDOW_SECONDS = 3600


@dataclass(frozen=True)
class NamespaceStats:
    """One namespace since the cache was opened, or within a window."""

    namespace: str
    hits: int
    """Reads answered from memory or from Valkey."""
    shared_hits: int
    """Those of them that came from Valkey."""
    misses: int
    fills: int
    bypasses: dict[str, int] = field(default_factory=dict)
    """Reads that had to go past the cache, by reason."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Computed values that were not kept, by reason."""
    evictions: int = 0
    entries: int = 0
    bytes: int = 0
    oldest_seconds: float = 0.0

    @property
    def hit_rate(self) -> float:
        """Share of reads answered without computing, from 0 to 1."""
        reads = self.hits + self.misses + sum(self.bypasses.values())
        return self.hits / max(reads, 1)


@dataclass(frozen=True)
class CacheStats:
    """The cache of this process."""

    mode: str
    namespaces: dict[str, NamespaceStats]
    bytes: int
    limit_bytes: int
    entries: int
    shared: SharedStats
    barriers: int
    seconds: float
    """How long these numbers were counted."""

    @property
    def hits(self) -> int:
        """Reads answered without computing."""
        return sum(one.hits for one in self.namespaces.values())

    @property
    def misses(self) -> int:
        """Reads that computed."""
        return sum(one.misses for one in self.namespaces.values())

    @property
    def fills(self) -> int:
        """Values kept."""
        return sum(one.fills for one in self.namespaces.values())

    @property
    def hit_rate(self) -> float:
        """Share of reads answered without computing, from 0 to 1."""
        reads = self.hits + self.misses
        reads += sum(sum(one.bypasses.values()) for one in self.namespaces.values())
        return self.hits / max(reads, 1)


class Tally:
    """A counter that threads may advance at once: `tally.add()`."""

    __slots__ = ("_count", "add")

    def __init__(self) -> None:
        self._count = count()
        self.add = self._count.__next__

    @property
    def value(self) -> int:
        """How often it was advanced."""
        return int(repr(self._count)[len("count(") : -1])  # the only way to look without counting


class Counters:
    """What one namespace counts."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.hits, self.shared_hits, self.misses = Tally(), Tally(), Tally()
        self.fills, self.evictions = Tally(), Tally()
        self._reasons: dict[str, Counter[str]] = {"bypass": Counter(), "reject": Counter()}
        self._counting = threading.Lock()

    def bypass(self, reason: str) -> None:
        """A read went past the cache."""
        with self._counting:
            self._reasons["bypass"][reason] += 1

    def reject(self, reason: str) -> None:
        """A computed value was not kept."""
        with self._counting:
            self._reasons["reject"][reason] += 1

    def snapshot(self, entries: Iterable[Entry] = ()) -> NamespaceStats:
        """The numbers now, with what is kept."""
        kept = list(entries)
        now = time.monotonic()
        with self._counting:
            bypasses, rejected = dict(self._reasons["bypass"]), dict(self._reasons["reject"])
        return NamespaceStats(
            self.namespace,
            hits=self.hits.value,
            shared_hits=self.shared_hits.value,
            misses=self.misses.value,
            fills=self.fills.value,
            bypasses=bypasses,
            rejected=rejected,
            evictions=self.evictions.value,
            entries=len(kept),
            bytes=sum(entry.size for entry in kept),
            oldest_seconds=max((now - entry.created for entry in kept), default=0.0),
        )


class History:
    """Samples of the counters, for "the last five minutes"."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, dict[str, NamespaceStats]]] = deque(
            maxlen=WINDOW_SECONDS // SAMPLE_SECONDS + 1
        )

    def sample(self, counters: Iterable[Counters]) -> None:
        """Remember the numbers of this moment."""
        now = {one.namespace: one.snapshot() for one in counters}
        self._samples.append((time.monotonic(), now))

    def before(self, seconds: float) -> tuple[float, dict[str, NamespaceStats]]:
        """The youngest sample at least that old, or the oldest there is."""
        wanted = time.monotonic() - seconds
        samples = list(self._samples)
        for sample in reversed(samples):
            if sample[0] <= wanted:
                return sample
        return samples[0] if samples else (time.monotonic(), {})


def since(now: NamespaceStats, then: NamespaceStats | None) -> NamespaceStats:
    """What was counted between two moments; sizes are those of the later."""
    if then is None:
        return now
    return NamespaceStats(
        now.namespace,
        hits=now.hits - then.hits,
        shared_hits=now.shared_hits - then.shared_hits,
        misses=now.misses - then.misses,
        fills=now.fills - then.fills,
        bypasses=_less(now.bypasses, then.bypasses),
        rejected=_less(now.rejected, then.rejected),
        evictions=now.evictions - then.evictions,
        entries=now.entries,
        bytes=now.bytes,
        oldest_seconds=now.oldest_seconds,
    )


def _less(now: dict[str, int], then: dict[str, int]) -> dict[str, int]:
    left = {reason: times - then.get(reason, 0) for reason, times in now.items()}
    return {reason: times for reason, times in left.items() if times}
