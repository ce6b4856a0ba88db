"""What a cached function declares, checked once: its parameters, its tags, its tenant, its type."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from buttress.cache.identity import identity_of
from buttress.cache.keys import PLAIN, digest, frozen
from buttress.cache.values import Codec
from buttress.cache.watch import (
    Model,
    Rows,
    full_name,
    is_watched,
    mapper,
    models_named,
    row_columns,
    table_of,
    tables_of,
    tag,
    tenant_column,
    value_text,
    wider,
)
from buttress.errors import ConfigurationError

Tag = Model | Rows | str
Tags = Sequence[Tag] | Callable[..., Iterable[Tag]]
SESSIONS = (Session, AsyncSession)
NAMES_KEPT = 10_000
"""Names in Valkey that are remembered: making one is dear beside using it."""


class Declaration:
    """One cached function."""

    def __init__(
        self,
        function: Callable[..., Any],
        namespace: str,
        *,
        tags: Tags,
        ttl_seconds: float | None,
        tenant: str | Callable[[], Hashable] | None,
        across_tenants: bool,
        version: int,
        serve_stale_seconds: float,
        max_staleness_seconds: float,
    ) -> None:
        """Raises ConfigurationError for what cannot be cached, or not strictly."""
        self.function = function
        self.namespace = namespace
        self.ttl_seconds = ttl_seconds
        self.serve_stale_seconds = serve_stale_seconds
        self.max_staleness_seconds = max_staleness_seconds
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.is_async = inspect.iscoroutinefunction(function)
        self._refuse_generators()
        self.signature = inspect.signature(function)
        hints = _hints(function, self.name)
        self.has_session = self._takes_session(hints)
        parameters = list(self.signature.parameters.values())[int(self.has_session) :]
        self.positional = all(one.kind == one.POSITIONAL_OR_KEYWORD for one in parameters)
        self.parameters = [one.name for one in parameters]
        self.defaults = {
            one.name: one.default for one in parameters if one.default is not one.empty
        }
        self.count = len(parameters) + int(self.has_session)
        self.codec = Codec(hints.get("return"), self.name)
        self.identity = identity_of(function, namespace, version, self.codec.schema, tags)
        """What tells this function's values from all others, also those of another version."""
        self.tags = tags
        self.tenant, self.across_tenants = tenant, across_tenants
        self.tables = frozenset(table for model in self._models() for table in tables_of(model))
        """The tables it may read; known at declaration, or from the first tags it computes."""
        self._fixed, self._rows = self._split(() if callable(tags) else tags)
        self.named = self.tables | {name.partition("/")[0] for name in self._fixed}
        """The same, and those that tags written out name."""
        self.tenant_now = tenant if callable(tenant) else None
        self._names: dict[Hashable, str] = {}
        self.tells_tenant = across_tenants or bool(
            tenant or any(tenant_column(model) for model in self._models())
        )
        """Whether values of different tenants can be told apart, or need not be."""

    def key(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Hashable:
        """The key of a call; raises BadInput for an argument that has no value."""
        values = self._values(arguments, keywords)
        kinds = tuple(map(type, values))
        if not PLAIN.issuperset(kinds):
            values = tuple(
                value if kind in PLAIN else frozen(value)
                for kind, value in zip(kinds, values, strict=True)
            )
        if self.tenant_now is not None:
            return (self.identity, kinds, values, frozen(self.tenant_now()))
        return (self.identity, kinds, values)

    def _values(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
        """The values of all parameters but the session, in order."""
        values = arguments[1:] if self.has_session else arguments
        if keywords or len(arguments) != self.count or not self.positional:
            return self._complete(values, arguments, keywords)
        return values

    def _complete(
        self, values: tuple[Any, ...], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[Any, ...]:
        """The values of all parameters, defaults and keywords included."""
        missing = self.parameters[len(values) :]
        known = {**self.defaults, **keywords}
        if (
            self.positional
            and len(values) < len(self.parameters)
            and keywords.keys() <= set(missing)
            and known.keys() >= set(missing)
        ):
            return (*values, *(known[name] for name in missing))
        bound = self.signature.bind(*arguments, **keywords)  # also says what is wrong with a call
        bound.apply_defaults()
        return tuple(bound.arguments.values())[int(self.has_session) :]

    def tags_of(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[str, ...]:
        """The tags of a call."""
        fixed, rows = self._fixed, self._rows
        if not rows and not callable(self.tags):
            return fixed
        given = self._values(arguments, keywords)
        if callable(self.tags):
            fixed, rows = self._split(tuple(self.tags(*given)))
        values = dict(zip(self.parameters, given, strict=True))
        found = [
            f"{table}/{','.join(columns)}={','.join(value_text(values[p]) for p in parameters)}"
            for table, columns, parameters in rows
        ]
        return wider([*fixed, *found])

    def session_of(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """The session a call was given, None when the function takes none."""
        if not self.has_session:
            return None
        return arguments[0] if arguments else keywords[next(iter(self.signature.parameters))]

    def _refuse_without_tenant(self, model: Model) -> None:
        """Raise ConfigurationError when the model's rows have an owner and the key has none."""
        column, tenant = tenant_column(model), self.tenant
        if self.across_tenants:
            return
        wanted = tenant if isinstance(tenant, str) else column
        if column is None or callable(tenant) or wanted in self.parameters:
            return
        raise ConfigurationError(
            f"{self.name} reads {model.__name__}, whose rows belong to a {column}, "
            f"and has no parameter {wanted!r}",
            hint="Give it that parameter, say tenant= (a parameter's name, or a function that "
            "tells the tenant), or across_tenants=True when it is the same for all.",
        )

    def _split(
        self, tags: Iterable[Tag]
    ) -> tuple[tuple[str, ...], list[tuple[str, tuple[str, ...], tuple[str, ...]]]]:
        """Tags that are the same for each call, and those that depend on parameters."""
        fixed: list[str] = [f"~{self.namespace}"]
        rows = []
        for one in tags:
            for model in _models_of(one):
                self._refuse_without_tenant(model)
            if isinstance(one, str):
                fixed.append(one)
            elif isinstance(one, Rows):
                rows.append(self._row_tag(one))
                fixed += [name for name in tables_of(one.model) if name != _own(one.model)]
            else:
                self._refuse_unwatched(one)
                fixed += tables_of(one)
        return wider(fixed), rows

    def _row_tag(self, rows: Rows) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        attributes = tuple(attribute for attribute, _ in rows.parameters)
        parameters = tuple(parameter for _, parameter in rows.parameters)
        missing = [name for name in parameters if name not in self.parameters]
        if missing:
            raise ConfigurationError(
                f"{self.name} has no parameter {missing[0]!r}, which its tags name",
                hint="Write rows(Model, column='parameter').",
            )
        table, columns = row_columns(rows.model, attributes)
        return table, columns, parameters

    def _models(self) -> list[Model]:
        if callable(self.tags):
            return []
        models = [one.model if isinstance(one, Rows) else one for one in self.tags]
        return [model for model in models if not isinstance(model, str)]

    def _refuse_unwatched(self, model: Model) -> None:
        mapper(model)
        if not is_watched(model):
            tag(model, id=None)  # raises with the cure

    def _takes_session(self, hints: dict[str, Any]) -> bool:
        parameters = list(self.signature.parameters.values())
        if not parameters:
            return False
        kind = hints.get(parameters[0].name)
        if isinstance(kind, type):
            return issubclass(kind, SESSIONS)
        return parameters[0].name == "session"

    def _refuse_generators(self) -> None:
        if inspect.isgeneratorfunction(self.function) or inspect.isasyncgenfunction(self.function):
            raise ConfigurationError(
                f"{self.name} yields, and what it yields can be read only once",
                hint="Return a list.",
            )

    def shared_name(self, key: Hashable) -> str:
        """The name of a key in Valkey."""
        name = self._names.get(key)
        if name is None:
            if len(self._names) >= NAMES_KEPT:
                self._names.clear()
            name = self._names[key] = f"{self.namespace}:{digest(key)}"
        return name


def _models_of(one: Tag) -> list[Model]:
    if isinstance(one, Rows):
        return [one.model]
    if isinstance(one, str):
        return models_named(one.partition("/")[0])
    return [one]


def _own(model: Model) -> str:
    return full_name(table_of(model))


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f"the annotations of {name} cannot be read: {error}",
            hint="Import what they name also when the program runs, not for the type checker only.",
        ) from error
    if "return" not in hints:
        raise ConfigurationError(
            f"{name} does not say what it returns",
            hint="Annotate it: cached values are read back by that type.",
        )
    return hints
