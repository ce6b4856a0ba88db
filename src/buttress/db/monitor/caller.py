"""Which line of the app asked: the innermost frame that is neither a library's nor ours."""

from __future__ import annotations

import site
import sys
import sysconfig
from pathlib import Path
from types import CodeType, FrameType

PASSED, LIBRARY, HOUSE, APP = range(4)
"""What a file is, from what never asks on its own to what we look for."""

PACKAGE = Path(__file__).parents[2]
PLUMBING = (str(PACKAGE / "db"), str(PACKAGE / "runtime.py"), str(PACKAGE / "telemetry"))
LIBRARIES = tuple(
    {
        *(sysconfig.get_path(name) for name in ("purelib", "platlib", "scripts")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    }
)
STANDARD = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
SENDERS = ("sqlalchemy", "psycopg", "aiosqlite", "greenlet", "alembic")
FILES = 20_000


class Files(dict[str, int]):
    """What each file is, found out when it is first met; looked up on every statement."""

    def __init__(self) -> None:
        super().__init__()
        self._apps: tuple[str, ...] = ()

    def add_app(self, folder: str) -> None:
        """Code below this folder is an app's, although it is installed like a library."""
        self._apps = (*self._apps, folder)
        self.clear()

    def __missing__(self, name: str) -> int:
        if len(self) >= FILES:
            self.clear()
        rank = self[name] = self._judge(name)
        return rank

    def _judge(self, name: str) -> int:
        if name.startswith("<") or below(name, PLUMBING):
            return PASSED
        if below(name, self._apps):
            return APP
        if below(name, (str(PACKAGE),)):
            return HOUSE
        if below(name, LIBRARIES):
            sender = any(f"/site-packages/{package}/" in name for package in SENDERS)
            return PASSED if sender else LIBRARY
        return PASSED if below(name, STANDARD) else APP


def below(name: str, folders: tuple[str, ...]) -> bool:
    """Whether a file is one of these or lies in one of these folders."""
    return any(name == folder or name.startswith(f"{folder}/") for folder in folders)


def second_choice(frame: FrameType, files: Files) -> FrameType:
    """The frame to name when nothing of an app was found from here to the end of the stack.

    A statement of an async session runs in a greenlet, whose stack ends where the coroutine that
    waits for it goes on. Without an app, the innermost frame of ours, or of a library, is named.
    """
    choices: dict[int, FrameType] = {}
    seen: FrameType | None = frame
    hopped = False
    while seen is not None:
        rank = files[seen.f_code.co_filename]
        if rank == APP:
            return seen
        choices.setdefault(rank, seen)
        seen = seen.f_back
        if seen is None and not hopped:
            seen, hopped = waiting_coroutine(), True
    return choices[max(choices)]


def waiting_coroutine() -> FrameType | None:
    """The frame that waits for this greenlet; None outside of one."""
    greenlet = sys.modules.get("greenlet")
    parent = greenlet.getcurrent().parent if greenlet else None
    return parent.gr_frame if parent else None


def describe(code: CodeType, offset: int) -> str:
    """`shop/orders.py:41 in open_orders`, the path from the working folder or the library."""
    lines = (line for start, end, line in code.co_lines() if start <= offset < end)
    line = next(lines, None) or code.co_firstlineno
    path = Path(code.co_filename)
    roots = (*(Path(folder) for folder in LIBRARIES), Path.cwd(), PACKAGE.parent)
    shown = next((path.relative_to(root) for root in roots if path.is_relative_to(root)), path)
    return f"{shown}:{line} in {code.co_name}"
