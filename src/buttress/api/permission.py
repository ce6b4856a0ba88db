"""Each route names what whoever asks must be allowed."""

from __future__ import annotations

from typing import Any

from fastapi import Depends

from buttress.access import Permission, require


def needs(permission: Permission) -> Any:
    """A dependency that lets in only who has this permission; raises NotSignedIn or Forbidden.

    `permission` stands on it for whoever lists the routes.
    """

    async def check() -> None:
        require(permission)

    check.permission = permission  # type: ignore[attr-defined]
    return Depends(check)
