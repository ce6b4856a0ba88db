"""Whether a socket has something to read, asked without giving other threads the interpreter.

`select.poll` lets go of the interpreter's lock while it asks, even when it need not wait. With a
hundred threads another one takes it, and the answer of a microsecond arrives milliseconds later.
"""

from __future__ import annotations

import ctypes
import select
from functools import partial

_poll = ctypes.PyDLL(None).poll
_poll.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int]


class _Request(ctypes.Structure):
    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("returned", ctypes.c_short))


class SocketWatch:
    """One socket, for as long as it is open.

    `is_readable()` is 0 when nothing has arrived; data, the other side's farewell and a descriptor
    that was closed make it 1.
    """

    __slots__ = ("_request", "is_readable")

    def __init__(self, descriptor: int) -> None:
        self._request = _Request(descriptor, select.POLLIN | select.POLLPRI, 0)
        self.is_readable = partial(_poll, ctypes.addressof(self._request), 1, 0)
