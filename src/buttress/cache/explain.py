"""What a cache says of itself: its mode, what that guarantees, and why it is not a better one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from buttress.cache.cache import Cache

Mode = Literal["wal", "barrier", "sqlite", "off"]

STRICT = (
    "A read that begins after a commit was acknowledged never returns an older value, whichever "
    "program committed. Nothing rolled back is served, and no reader goes back in time."
)
COST = {
    "wal": "A hit compares bytes of the server's log, mapped into this process: no round trip.",
    "barrier": "A hit asks the database what changed: one round trip, shared by readers at once.",
    "sqlite": "A hit asks SQLite whether anything was committed; any commit empties the cache.",
    "off": "Every read computes.",
}


@dataclass(frozen=True)
class Explanation:
    """The mode in force."""

    mode: Mode
    guarantee: str
    cost: str
    why: str
    """Why the mode is not a better one; empty when there is none."""
    shared: str
    """The state of the second level: `ok`, `off`, or what is wrong with it."""
    unwatched: dict[str, str] = field(default_factory=dict)
    """Tables whose functions run uncached, and why."""

    def __str__(self) -> str:
        lines = [f"mode      {self.mode}", f"guarantee {self.guarantee}", f"cost      {self.cost}"]
        if self.why:
            lines.append(f"why       {self.why}")
        lines.append(f"valkey    {self.shared}")
        lines += [f"uncached  {table}: {why}" for table, why in sorted(self.unwatched.items())]
        return "\n".join(lines)


@dataclass(frozen=True)
class CacheHealth:
    """For a badge."""

    status: Literal["pass", "warn"]
    detail: str


def explanation(cache: Cache) -> Explanation:
    """What a cache says of itself now."""
    mode = cache.mode
    why = ""
    if mode == "off":
        why = cache.off
    elif mode == "barrier":
        why = cache.wal.refused or "the log has not been seen to show a commit yet"
    guarantee = "Nothing is cached." if mode == "off" else STRICT
    return Explanation(
        mode, guarantee, COST[mode], why, cache.shared.stats().state, dict(cache.watching.unwatched)
    )
