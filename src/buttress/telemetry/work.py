"""Work that is timed by its name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from time import perf_counter_ns
from typing import Any, TypeVar, cast

Listener = Callable[[str, int, int, BaseException | None], None]
"""Called with the name of work, when it began and ended (`perf_counter_ns`), and its error."""

listeners: list[Listener] = []
"""Told of all work that is timed; an open runtime's monitor is one of them."""


class track:  # noqa: N801 — used like a function
    """`with track("fetch users"):` counts and times what is inside, and whether it fails."""

    def __init__(self, name: str, tell: Iterable[Listener] = listeners) -> None:
        self.name = name
        self.tell = tell

    def __enter__(self) -> None:
        self.began = perf_counter_ns()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        ended = perf_counter_ns()
        for listener in self.tell:
            listener(self.name, self.began, ended, error)


F = TypeVar("F", bound=Callable[..., Any])


def timed(name: str) -> Callable[[F], F]:
    """Count and time every call of a function or coroutine function under this name.

    Applied when a module is imported; calls are recorded while a runtime is open.
    """

    def decorate(function: F) -> F:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **options: Any) -> Any:
                with track(name):
                    return await function(*args, **options)

            return cast("F", awaited)

        @functools.wraps(function)
        def called(*args: Any, **options: Any) -> Any:
            with track(name):
                return function(*args, **options)

        return cast("F", called)

    return decorate
