"""Where code lies that a child may read: packages and modules, not what lies beside them."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LIBRARIES = ("site-packages", "dist-packages")
MODULES = (".py", ".pyc", ".so")


@functools.lru_cache
def code_folders(path: tuple[str, ...]) -> tuple[str, ...]:
    """Folders and files that hold the code found on such a `sys.path`.

    Of a folder of one's own these are its packages and modules: `.env` and the data folder often
    lie beside them.
    """
    return tuple(str(place) for entry in path if entry for place in _code_in(Path(entry)))


def _code_in(folder: Path) -> Iterator[Path]:
    if folder.name in LIBRARIES or folder.is_relative_to(_standard_library()):
        yield folder
        return
    with suppress(OSError):  # what this user may not look into, children may not either
        for entry in folder.iterdir():
            if entry.suffix in MODULES or os.path.isfile(entry / "__init__.py"):
                yield entry


@functools.cache
def _standard_library() -> Path:
    return Path(str(sys.modules["os"].__file__)).parent
