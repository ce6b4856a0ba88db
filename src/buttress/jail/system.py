"""The C library: what the standard library has no function for."""

from __future__ import annotations

import ctypes
import sys

LINUX = sys.platform == "linux"
libc = ctypes.CDLL(None, use_errno=True) if LINUX else None

NEW_NETWORK, NEW_USER, NEW_IPC = 0x40000000, 0x10000000, 0x08000000
PARENT_DEATH_SIGNAL, NO_NEW_PRIVILEGES = 1, 38


def prctl(option: int, first: int, second: int = 0) -> int:
    """0, or -1 when it failed or there is no such call."""
    if libc is None:
        return -1
    unsigned = ctypes.c_ulong
    return int(libc.prctl(option, unsigned(first), unsigned(second), unsigned(0), unsigned(0)))


def unshare(namespaces: int) -> bool:
    """Whether this process now has such namespaces of its own."""
    return libc is not None and libc.unshare(namespaces) == 0


def system_call(number: int, *arguments: object) -> int:
    """A call the C library has no function for; -1 when it failed."""
    if libc is None:
        return -1
    return int(libc.syscall(ctypes.c_long(number), *arguments))
