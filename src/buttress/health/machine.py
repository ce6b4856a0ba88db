"""Disk and memory of the machine, or of the container that limits them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMORY = Path("/proc/meminfo")
NO_LIMIT = 1 << 60
"""Version 1 of control groups writes a number of this size for no limit."""


@dataclass(frozen=True)
class Usage:
    """Bytes in use and bytes there are."""

    used: int
    total: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.used / max(self.total, 1)


def disk(folder: Path) -> Usage:
    """The file system a folder lies on, or would lie on; raises OSError."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    found = shutil.disk_usage(folder)
    # What is reserved for root is not free for us.
    return Usage(found.used, found.used + found.free)


def memory(cgroup: Path = CGROUP, machine: Path = MEMORY) -> Usage | None:
    """Of the control group that limits this process, else of the machine; None when neither tells.

    Pages of files that could be dropped at once do not count as used.
    """
    for limit, used, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        total = _number(cgroup / limit)
        if total is not None and total < NO_LIMIT:
            stat = (cgroup / used).with_name("memory.stat")
            droppable = _fields(stat).get(cache, 0)
            return Usage(max((_number(cgroup / used) or 0) - droppable, 0), total)
    fields = _fields(machine)
    if "MemTotal:" not in fields:
        return None
    total = fields["MemTotal:"] * 1024
    return Usage(total - fields.get("MemAvailable:", 0) * 1024, total)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # not there, or `max`
        return None


def _fields(file: Path) -> dict[str, int]:
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return {}
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}
