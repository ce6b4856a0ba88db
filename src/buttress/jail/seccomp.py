"""System calls a child is refused: sockets, programs, processes, other processes' memory.

A small filter in the kernel's own language, built anew in each child because it names the child.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from buttress.jail.system import LINUX, prctl

SET_SECCOMP, MODE_FILTER = 22, 2

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_CLONE_THREAD = 0x10000
_X32 = 0x40000000

COMMON = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426,
    "io_uring_register": 427, "pidfd_open": 434, "pidfd_getfd": 438, "process_madvise": 440,
}  # fmt: skip
X86_64 = {
    "socket": 41, "connect": 42, "bind": 49, "listen": 50, "fork": 57, "vfork": 58, "execve": 59,
    "ptrace": 101, "rt_sigqueueinfo": 129, "pivot_root": 155, "mount": 165, "unshare": 272,
    "add_key": 248, "request_key": 249, "keyctl": 250, "rt_tgsigqueueinfo": 297,
    "perf_event_open": 298, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
    "process_vm_writev": 311, "bpf": 321, "execveat": 322, "userfaultfd": 323,
}  # fmt: skip
AARCH64 = {
    "socket": 198, "connect": 203, "bind": 200, "listen": 201, "execve": 221, "ptrace": 117,
    "rt_sigqueueinfo": 138, "pivot_root": 41, "mount": 40, "unshare": 97, "add_key": 217,
    "request_key": 218, "keyctl": 219, "rt_tgsigqueueinfo": 240, "perf_event_open": 241,
    "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271,
    "bpf": 280, "execveat": 281, "userfaultfd": 282,
}  # fmt: skip
# Signals and limits are refused for every process but the child itself.
MACHINES = {
    "x86_64": (0xC000003E, X86_64, {"clone": 56, "kill": 62, "tgkill": 234, "prlimit64": 302}),
    "aarch64": (0xC00000B7, AARCH64, {"clone": 220, "kill": 129, "tgkill": 131, "prlimit64": 261}),
}
_CLONE3, _TKILL = 435, {"x86_64": 200, "aarch64": 130}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_system_calls() -> bool:
    """Install the filter for this process and its threads; False where there is none to install.

    Needs `no_new_privs`.
    """
    machine = platform.machine()
    if not LINUX or machine not in MACHINES:
        return False
    code = filter_code(machine, os.getpid())
    program = _Program(len(code) // 8, code)
    return prctl(SET_SECCOMP, MODE_FILTER, ctypes.addressof(program)) == 0


def filter_code(machine: str, own: int) -> bytes:
    """The filter for a kind of machine and the process with that id."""
    architecture, numbers, special = MACHINES[machine]
    refused = _one(_RETURN, _ERRNO | errno.EPERM)
    allowed = _one(_RETURN, _ALLOW)
    code = [
        _one(_LOAD, _ARCHITECTURE),
        _one(_EQUAL, architecture, yes=1),
        _one(_RETURN, _KILL),
        _one(_LOAD, _NUMBER),
        # The same calls under other numbers: a program of ours never uses them.
        _one(_AT_LEAST, _X32, no=1),
        refused,
        # The C library falls back to clone, whose flags can be looked at.
        _one(_EQUAL, _CLONE3, no=1),
        _one(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    for number in (*numbers.values(), *COMMON.values(), _TKILL[machine]):
        code += [_one(_EQUAL, number, no=1), refused]
    code += [_one(_EQUAL, special["clone"], no=4), _one(_LOAD, _FIRST_ARGUMENT)]
    code += [_one(_ANY_BIT, _CLONE_THREAD, no=1), allowed, refused]
    for name, value in (("kill", own), ("tgkill", own), ("prlimit64", 0)):
        code += [_one(_EQUAL, special[name], no=4), _one(_LOAD, _FIRST_ARGUMENT)]
        code += [_one(_EQUAL, value, no=1), allowed, refused]
    return b"".join([*code, allowed])


def _one(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One instruction; `yes` and `no` are how many to leave out."""
    return struct.pack("=HBBI", code, yes, no, value)
