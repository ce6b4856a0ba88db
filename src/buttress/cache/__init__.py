"""A cache that never serves what is not true any more.

    from buttress.cache import cached, rows

    @cached("products", tags=[rows(Product, "tenant_id")])
    def products(session: Session, tenant_id: int) -> list[Line]: ...

`cached` (in `cached` and `declaration`) turns a function into one that is read through the cache of
the process (`cache`, `reading`). A hit is right because a *barrier* says so (`barrier`): the
database tells what changed since the last one, from a change log that triggers write (`changes`,
`triggers`, declared by `watch`, looked at by `watching`). Where the server's write-ahead log can be
mapped (`wal`), a hit needs no round trip. Values live in memory (`memory`) and in Valkey
(`shared`).
"""

from buttress.cache.cache import Cache
from buttress.cache.cached import cached
from buttress.cache.direct import Stamp
from buttress.cache.explain import CacheHealth, Explanation
from buttress.cache.stats import CacheStats, NamespaceStats
from buttress.cache.triggers import Installed, install
from buttress.cache.watch import Watch, rows, tag, watches

__all__ = [
    "Cache",
    "CacheHealth",
    "CacheStats",
    "Explanation",
    "Installed",
    "NamespaceStats",
    "Stamp",
    "Watch",
    "cached",
    "install",
    "rows",
    "tag",
    "watches",
]
