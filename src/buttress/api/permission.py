"""Each route names what whoever asks must be allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache

from buttress.access import Permission, require


@cache
def needing(permission: Permission) -> Callable[[], Awaitable[None]]:
    """A dependency that lets in only who has this permission; raises NotSignedIn or Forbidden."""

    async def check() -> None:
        require(permission)

    check.__name__ = f"needs {permission}"
    return check
