"""Buttress takes a Python data or AI app from its SQLite prototype to production on PostgreSQL.

Every name here is imported when it is first used, so that `import buttress` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buttress.app import App
    from buttress.cache import Cache
    from buttress.contracts import Contract, Violation
    from buttress.db.base import Base
    from buttress.db.database import Database
    from buttress.errors import ButtressError
    from buttress.files import Files
    from buttress.llm import LLM
    from buttress.mover import move
    from buttress.mover.report import MoveReport
    from buttress.runtime import Runtime
    from buttress.settings import Settings

__all__ = [
    "LLM",
    "App",
    "Base",
    "ButtressError",
    "Cache",
    "Contract",
    "Database",
    "Files",
    "MoveReport",
    "Runtime",
    "Settings",
    "Violation",
    "move",
]

_HOMES = {
    "App": "buttress.app",
    "Base": "buttress.db.base",
    "ButtressError": "buttress.errors",
    "Cache": "buttress.cache",
    "Contract": "buttress.contracts",
    "Database": "buttress.db.database",
    "Files": "buttress.files",
    "LLM": "buttress.llm",
    "MoveReport": "buttress.mover.report",
    "Runtime": "buttress.runtime",
    "Settings": "buttress.settings",
    "Violation": "buttress.contracts",
    "move": "buttress.mover",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'buttress' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
