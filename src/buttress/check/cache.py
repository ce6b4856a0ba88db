"""Checks of Valkey or Redis, and of what tells the cache that something changed."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from buttress.check.facts import LOOPBACK, Facts
from buttress.check.registry import NotApplicable, NotChecked, check

SCANNED = 200
OURS = "buttress:"
UNREACHED = ("redis", "valkey", "rediss", "valkeys")


@check(
    "BT-501", "cache", "warning", "The cache does not answer",
    cure="Start Valkey or Redis, or correct REDIS_URL.",
)  # fmt: skip
def reachable(facts: Facts) -> str | None:
    """Reads go to the database instead: slower, and right."""
    if facts.runtime is None:
        raise NotChecked(facts.away)
    try:
        facts.valkey.ping()
    except NotChecked as error:
        return str(error)
    return None


@check(
    "BT-502", "cache", "error", "Cache without a password",
    cure="Set requirepass, or a user with ACL SETUSER, and put it into REDIS_URL.", deploy=True,
)  # fmt: skip
def password(facts: Facts) -> str | None:
    """Whoever reaches the port, a request forged by a browser included, owns the cache."""
    url = urlsplit(facts.settings.redis_url.get_secret_value())
    if url.scheme not in UNREACHED:
        raise NotApplicable
    return None if url.password else "REDIS_URL has no password"


@check(
    "BT-503", "cache", "error", "Cache without encryption",
    cure="Write rediss:// and have the server offer TLS.", deploy=True,
)  # fmt: skip
def tls(facts: Facts) -> str | None:
    """The password and every value travel readable between the machines."""
    url = urlsplit(facts.settings.redis_url.get_secret_value())
    if url.scheme not in ("redis", "valkey") or (url.hostname or "localhost").startswith(LOOPBACK):
        raise NotApplicable
    return f"REDIS_URL is {url.scheme}:// to another machine"


@check(
    "BT-504", "cache", "warning", "Cache without a limit of memory",
    cure="Set maxmemory, say to half of the machine's.", deploy=True,
)  # fmt: skip
def maxmemory(facts: Facts) -> str | None:
    """It grows until the operating system ends it, or something beside it."""
    return None if facts.valkey_memory.get("maxmemory") else "maxmemory is 0"


@check(
    "BT-505", "cache", "warning", "Cache that refuses writes when full",
    cure="Set maxmemory-policy allkeys-lru, or volatile-lru where it holds more than a cache.",
    deploy=True,
)  # fmt: skip
def eviction(facts: Facts) -> str | None:
    """With noeviction a full cache keeps what is old and takes nothing new."""
    memory = facts.valkey_memory
    if not memory.get("maxmemory"):
        raise NotApplicable  # BT-504 says so
    policy = str(memory.get("maxmemory_policy"))
    return f"maxmemory-policy is {policy}" if policy == "noeviction" else None


@check(
    "BT-506", "cache", "warning", "Cache shared with something else",
    cure="Give Buttress a database number or a server of its own.",
)  # fmt: skip
def shared(facts: Facts) -> str | None:
    """Whoever empties the one empties the other; and what is evicted is anybody's."""
    for number, key in enumerate(facts.valkey.scan_iter(count=SCANNED)):
        if not str(key).startswith(OURS):
            return "its database holds keys that are not ours"
        if number >= SCANNED:
            break
    return None


@check(
    "BT-507", "cache", "error", "Tables whose changes nobody tells",
    cure="Run `buttress migrate upgrade`.",
)  # fmt: skip
def unwatched(facts: Facts) -> Iterator[str]:
    """Functions that read them run uncached: the triggers that would tell of a write are missing,
    disabled or were changed."""
    runtime = facts.open
    runtime.cache.look()
    for table, why in sorted(runtime.cache.explain().unwatched.items()):
        yield f"{table}: {why}"


@check(
    "BT-508", "cache", "error", "Cached function that reads more than it tells",
    cure="Add the model to tags= of the function.",
)  # fmt: skip
def uncovered(facts: Facts) -> list[str]:
    """The code of the function names a model that its tags do not: its values are not kept in
    production, and an error in development."""
    from buttress.cache.lint import lint

    for app in facts.apps:
        for surface in ("models", "api", "pages", "jobs"):
            app.load(surface)
    return [str(found) for found in lint()]
