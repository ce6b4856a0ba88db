"""Where people find this deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buttress.settings import Settings


def address(settings: Settings) -> str:
    """The address to open in a browser."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{settings.port}"


def sign_in_link(settings: Settings, secret: str) -> str:
    """The whole address of a link that works once."""
    return f"{settings.access.base_url.rstrip('/') or address(settings)}/sign-in/link/{secret}"
