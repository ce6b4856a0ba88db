"""What a child may read of the file system: code and libraries; it may write nothing."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

from buttress.jail.system import system_call

CREATE, ADD_RULE, RESTRICT = 444, 445, 446
VERSION, PATH_BENEATH = 1, 1
READ_FILE, READ_FOLDER, WRITE_FILE = 1 << 2, 1 << 3, 1 << 1

SYSTEM = (
    "/lib", "/lib64", "/lib32", "/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/share",
    "/usr/local/lib", "/usr/local/share", "/nix/store", "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/ld.so.conf.d", "/etc/fonts", "/etc/localtime", "/etc/mime.types", "/dev/urandom",
    "/dev/zero", "/sys/devices/system/cpu",
)  # fmt: skip
"""Libraries, fonts and time zones. Not /proc: the environment of other processes is in there."""


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)
    )  # fmt: skip


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def ruleset(readable: Iterable[str]) -> int | None:
    """A descriptor to restrict children by; None where the kernel has no Landlock."""
    version = system_call(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION))
    if version < 1:
        return None
    rules = _Ruleset(_file_rights(version))
    size = 8
    if version >= 4:
        size, rules.network = 16, 3  # no TCP, neither way
    if version >= 6:
        size, rules.scoped = 24, 3  # no abstract sockets and no signals of others
    handle = system_call(CREATE, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if handle < 0:
        return None
    for path in dict.fromkeys([*SYSTEM, *readable]):
        _allow(handle, path, READ_FILE | READ_FOLDER)
    _allow(handle, "/dev/null", READ_FILE | WRITE_FILE)
    return handle


def restrict(handle: int) -> bool:
    """Hold this process to a ruleset for good; needs `no_new_privs`."""
    return system_call(RESTRICT, ctypes.c_int(handle), ctypes.c_uint32(0)) == 0


def _file_rights(version: int) -> int:
    """Every right that version of the kernel knows: what is not allowed is refused."""
    bits = 13 + (version >= 2) + (version >= 3) + (version >= 5)
    return (1 << bits) - 1


def _allow(handle: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not on this machine
    try:
        if not os.path.isdir(path):
            rights &= ~READ_FOLDER
        rule = _Beneath(rights, descriptor)
        system_call(
            ADD_RULE,
            ctypes.c_int(handle),
            ctypes.c_int(PATH_BENEATH),
            ctypes.byref(rule),
            ctypes.c_uint32(0),
        )
    finally:
        os.close(descriptor)
