"""`@cached`: a function whose answers are kept for as long as they are right."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, ParamSpec, TypeVar, cast

from buttress.cache import current
from buttress.cache.bound import MISSED
from buttress.cache.declaration import Declaration, Tags
from buttress.cache.reading import Call, read
from buttress.cache.steps import drive, drive_async

P = ParamSpec("P")
T = TypeVar("T")


def cached(
    namespace: str,
    *,
    tags: Tags,
    ttl_seconds: float | None = None,
    tenant: str | Callable[[], Hashable] | None = None,
    across_tenants: bool = False,
    version: int = 1,
    serve_stale_seconds: float = 0.0,
    max_staleness_seconds: float = 0.0,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Keep what a function returns, plain or `async`; without an open cache it simply runs.

        @cached("products", tags=[rows(Product, "tenant_id")])
        def products(session: Session, tenant_id: int) -> list[Line]: ...

    A first parameter that is a session is not part of the key. The return annotation says how a
    value is kept; `products.forget(tenant_id)` and `products.warm(tenant_id)` go with the function.

    Parameters
    ----------
    namespace
        What the values count under in statistics and settings, and are cleared by.
    tags
        The models whose tables the function reads, `rows(...)` of them, or a function of the same
        parameters (without the session) that returns such tags.
    ttl_seconds
        After this time a value is computed again although nothing changed; the namespace's unless
        told.
    tenant
        The parameter that names the tenant when it is not the column of `__cache_tenant__`, or a
        function that tells the tenant.
    across_tenants
        The value is the same for all tenants, although it is read from rows that belong to them.
    version
        Raise it when the function computes something else from the same rows.
    serve_stale_seconds
        NOT STRICT: a value that was right this long ago is handed out while it is computed anew.
    max_staleness_seconds
        NOT STRICT: a value that was right this long ago is handed out without looking.

    Raises
    ------
    ConfigurationError
        When it is declared: the value's type cannot be kept, a model is not watched, or rows that
        belong to tenants are read without the tenant in the key.
    """

    def declare(function: Callable[P, T]) -> Callable[P, T]:
        declaration = Declaration(
            function,
            namespace,
            tags=tags,
            ttl_seconds=ttl_seconds,
            tenant=tenant,
            across_tenants=across_tenants,
            version=version,
            serve_stale_seconds=serve_stale_seconds,
            max_staleness_seconds=max_staleness_seconds,
        )
        entry = current.register(declaration)
        wrap = _async_wrapper if declaration.is_async else _sync_wrapper
        wrapper = functools.wraps(function)(wrap(entry))
        _attach(wrapper, entry)
        return cast("Callable[P, T]", wrapper)

    return declare


def _sync_wrapper(entry: current.Registered) -> Callable[..., Any]:
    function = entry.declaration.function
    session_of, has_session = entry.declaration.session_of, entry.declaration.has_session

    def call(*arguments: Any, **keywords: Any) -> Any:
        bound = entry.bound
        if bound is None:
            return function(*arguments, **keywords)
        key = bound.key(arguments, keywords)
        session = session_of(arguments, keywords) if has_session else None
        value = bound.quick(key, session)
        if value is MISSED:
            return drive(read(Call(bound, key, arguments, keywords)))
        return value

    return call


def _async_wrapper(entry: current.Registered) -> Callable[..., Coroutine[Any, Any, Any]]:
    function = entry.declaration.function
    session_of, has_session = entry.declaration.session_of, entry.declaration.has_session

    async def call(*arguments: Any, **keywords: Any) -> Any:
        bound = entry.bound
        if bound is None:
            return await function(*arguments, **keywords)
        key = bound.key(arguments, keywords)
        session = session_of(arguments, keywords) if has_session else None
        value = bound.quick(key, session)
        if value is MISSED:
            return await drive_async(read(Call(bound, key, arguments, keywords)))
        return value

    return call


def _attach(wrapper: Any, entry: current.Registered) -> None:
    """What goes with a cached function: `declaration`, `forget`, `warm`."""
    declaration = entry.declaration

    def forget(*arguments: Any, **keywords: Any) -> None:
        """Forget the value of these arguments (without the session), in this process and Valkey.

        Of rows that belong to people, the value of who acts.
        """
        if entry.bound is not None:
            passed = (None, *arguments) if declaration.has_session else arguments
            entry.bound.cache.forget(declaration, entry.bound.key(passed, keywords))

    def warm(*arguments: Any, **keywords: Any) -> None:
        """Have these arguments (without the session) computed when a process starts."""
        current.warming.append((wrapper, declaration, arguments, keywords))

    wrapper.declaration = declaration
    wrapper.forget = forget
    wrapper.warm = warm
