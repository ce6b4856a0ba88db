"""Which tables are watched, by declaration on their models, and the tags that name what changed.

    class Product(Base):
        __tablename__ = "catalog_product"
        __cache_tags__ = ("tenant_id", "id")    # rows by tenant and by id, and the table
        __cache_tenant__ = "tenant_id"          # no cached value without the tenant in its key

    class Currency(Base):
        __tablename__ = "catalog_currency"
        __cache_tags__ = ()                     # the table as a whole

Every write to a watched table names the table's tag; with columns declared, also one tag for every
old and new value of each of them. A tuple among the columns, `("tenant_id", "sku")`, makes one tag
of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Integer, String, Table, Uuid
from sqlalchemy import inspect as mapper_of
from sqlalchemy.orm import DeclarativeBase, Mapper

from buttress.db.rollup import declared
from buttress.errors import ConfigurationError

EVERYTHING = "*"
"""The tag of a change that may concern any row of any table."""
NULL = r"\N"
TAGGABLE = (Integer, String, Boolean, Uuid)
"""Types whose text is the same in PostgreSQL and in Python."""

Model = type[Any]


@dataclass(frozen=True)
class Watch:
    """One watched table."""

    table: str
    """As the model names it, with its schema when the model names one."""
    rows: tuple[tuple[str, ...], ...] = ()
    """The columns that make row tags, each group one tag."""


@dataclass(frozen=True)
class Rows:
    """The rows of a model in which columns have the values of a cached function's parameters."""

    model: Model
    parameters: tuple[tuple[str, str], ...]
    """Attribute of the model and name of the parameter, in the order of the attributes."""


def rows(model: Model, *same: str, **parameters: str) -> Rows:
    """The rows of `model` a cached function reads, told by its parameters.

    @cached("products", tags=[rows(Product, "tenant_id")])       # Product.tenant_id = tenant_id
    @cached("products", tags=[rows(Product, id="product_id")])   # Product.id = product_id
    """
    pairs = {name: name for name in same} | parameters
    if not pairs:
        raise ConfigurationError(
            f"rows({model.__name__}) names no column",
            hint=f"Name the columns, or write {model.__name__} alone for the whole table.",
        )
    return Rows(model, tuple(sorted(pairs.items())))


def tag(model: Model, **values: object) -> str:
    """The tag of a model's table or, with the values of columns, of its rows that have them.

        tag(Product)                # any change of the table
        tag(Product, tenant_id=5)   # changes of rows that have, or had, tenant 5

    Raises ConfigurationError when the model does not declare these columns in `__cache_tags__`.
    """
    if not values:
        return full_name(table_of(model))
    ordered = sorted(values.items())
    table, columns = row_columns(model, [name for name, _ in ordered])
    return f"{table}/{','.join(columns)}={','.join(value_text(value) for _, value in ordered)}"


def row_columns(model: Model, attributes: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The table and the columns of a row tag, checked against the declaration."""
    attributes = tuple(sorted(attributes))
    for group in _groups(model):
        if tuple(sorted(group)) == attributes:
            return full_name(table_of(model)), tuple(_column(model, name) for name in attributes)
    raise ConfigurationError(
        f"{model.__name__} has no row tags by {', '.join(attributes)}",
        hint=f"Add it to {model.__name__}.__cache_tags__ and run `buttress migrate upgrade`.",
    )


def value_text(value: object) -> str:
    """A value as PostgreSQL writes it as text."""
    match value:
        case None:
            return NULL
        case bool():
            return "true" if value else "false"
        case Enum():
            return value.name
        case int() | str() | UUID():
            return str(value)
    raise ConfigurationError(
        f"a {type(value).__name__} cannot be part of a row tag",
        hint="Tag rows by whole numbers, text, booleans or UUIDs.",
    )


def wider(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags, and for each row tag the one that stands for any row of its table."""
    found = dict.fromkeys(tags)
    for name in list(found):
        table, separator, _ = name.partition("/")
        if separator and not table.startswith("~"):
            found[f"{table}/*"] = None
    return tuple(found)


def table_of(model: Model) -> Table:
    """The table of a mapped class."""
    table = mapper(model).local_table
    assert isinstance(table, Table)
    return table


def full_name(table: Table) -> str:
    """A table's name as the model gives it, as plain text."""
    return f"{table.fullname}"


def tables_of(model: Model) -> list[str]:
    """Every table a query for the model reads: its own and those it inherits from."""
    return [full_name(table) for table in mapper(model).tables if isinstance(table, Table)]


def mapper(model: Model) -> Mapper[Any]:
    """What SQLAlchemy knows of a mapped class; raises ConfigurationError for anything else."""
    found = mapper_of(model, raiseerr=False)
    if not isinstance(found, Mapper):
        raise ConfigurationError(
            f"{model!r} is no mapped class", hint="Name models of SQLAlchemy as tags."
        )
    return found


def is_watched(model: Model) -> bool:
    """Whether the model or one it inherits from declares `__cache_tags__`."""
    return getattr(model, "__cache_tags__", None) is not None


def tenant_column(model: Model) -> str | None:
    """The column that says whose a row is, when the model declares one."""
    name: str | None = getattr(model, "__cache_tenant__", None)
    return name


def models_named(table: str) -> list[Model]:
    """The watched models of a table, by the name its tags have."""
    return [
        model
        for model in _models(DeclarativeBase)
        if is_watched(model) and table in tables_of(model)
    ]


def rollup_sources() -> dict[str, str]:
    """The watched table behind each view and table of a roll-up.

    Its triggers write within the transaction that writes to the source, so a change of the source
    is told for it too.
    """
    found = {}
    for model in _models(DeclarativeBase):
        if is_watched(model):
            table = table_of(model)
            for rollup in declared(table.metadata):
                if rollup.table is table:
                    for suffix in ("", "_parts", "_histogram", "_histogram_parts"):
                        found[f"{rollup.name}{suffix}"] = full_name(table)
    return found


def watches() -> list[Watch]:
    """The watched tables of all models imported so far, by name."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for model in _models(DeclarativeBase):
        if not is_watched(model):
            continue
        for table in mapper(model).tables:
            assert isinstance(table, Table)
            found.setdefault(full_name(table), set()).update(_rows_of(model, table))
    return [Watch(name, tuple(sorted(found[name]))) for name in sorted(found)]


def _models(base: Model) -> Iterator[Model]:
    for model in base.__subclasses__():
        if mapper_of(model, raiseerr=False) is not None:
            yield model
        yield from _models(model)


def _rows_of(model: Model, table: Table) -> Iterator[tuple[str, ...]]:
    for group in _groups(model):
        columns = tuple(_column(model, name) for name in sorted(group))
        if all(name in table.columns for name in columns):
            yield columns


def _groups(model: Model) -> list[tuple[str, ...]]:
    declared = getattr(model, "__cache_tags__", None)
    if declared is None:
        raise ConfigurationError(
            f"{model.__name__} is not watched",
            hint=f"Declare {model.__name__}.__cache_tags__ = () and run `buttress migrate "
            "upgrade`.",
        )
    if isinstance(declared, str):
        raise ConfigurationError(
            f"{model.__name__}.__cache_tags__ is a text",
            hint=f'Write a tuple: ("{declared}",).',
        )
    return [(group,) if isinstance(group, str) else tuple(group) for group in declared]


def _column(model: Model, attribute: str) -> str:
    columns = mapper(model).columns
    if attribute not in columns:
        raise ConfigurationError(
            f"{model.__name__}.__cache_tags__ names {attribute}, which is no column",
            hint="Name attributes of the model.",
        )
    column = columns[attribute]
    if not isinstance(column.type, TAGGABLE):
        raise ConfigurationError(
            f"{model.__name__}.{attribute} cannot make row tags: it is {column.type}",
            hint="Tag rows by whole numbers, text, booleans or UUIDs.",
        )
    return str(column.name)
