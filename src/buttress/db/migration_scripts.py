"""The revisions of all apps as Alembic sees them: where they lie, whose they are, how they run."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError, to_tuple
from sqlalchemy import Connection, MetaData
from sqlalchemy.dialects.postgresql import JSONB

from buttress.db import tenancy_operations  # noqa: F401  # op.enable_tenancy, for revisions
from buttress.db.base import Base, UTCDateTime
from buttress.db.rollup import parts_tables
from buttress.errors import BadInput, ButtressError, Conflict, NotFound

VERSION_TABLE = "buttress_migrations"


@dataclass(frozen=True)
class MigrationSource:
    """What migrations need to know of an app: its name, the folder of its revisions, its tables."""

    name: str
    versions: Path
    metadata: MetaData


FOUNDATION = MigrationSource("buttress", Path(__file__).with_name("versions"), Base.metadata)


@dataclass(frozen=True)
class Revision:
    """One revision of one app."""

    id: str
    app: str
    message: str
    applied: bool


def with_foundation(sources: Sequence[MigrationSource]) -> list[MigrationSource]:
    """The apps' sources and that of Buttress itself, which comes first."""
    return [FOUNDATION, *(source for source in sources if source.name != FOUNDATION.name)]


def alembic_config(
    sources: Sequence[MigrationSource],
    connection: Connection | None = None,
    options: dict[str, Any] | None = None,
) -> Config:
    """What Alembic would read from a file, made here; `options` configure its environment."""

    def literal(path: Path) -> str:
        return str(path.resolve()).replace("%", "%%")

    config = Config(
        cmd_opts=Namespace(quiet=True), attributes={"connection": connection, "options": options}
    )
    config.set_main_option("script_location", literal(Path(__file__).with_name("alembic_env")))
    config.set_main_option("path_separator", "newline")
    folders = [source.versions for source in with_foundation(sources)]
    config.set_main_option("version_locations", "\n".join(literal(folder) for folder in folders))
    config.set_main_option("file_template", "%%(year)d%%(month).2d%%(day).2d_%%(rev)s_%%(slug)s")
    return config


def script_directory(sources: Sequence[MigrationSource]) -> ScriptDirectory:
    """The revisions of all sources."""
    return ScriptDirectory.from_config(alembic_config(sources))


def environment_options(
    metadata: MetaData | None = None,
    *,
    owns: Callable[[str], bool] | None = None,
    note: Callable[..., None] | None = None,
) -> dict[str, Any]:
    """What Alembic's environment is configured with."""

    def include_name(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
        return kind != "table" or owns is None or owns(name or "")

    def include_object(item: object, name: str | None, kind: str, *_: object) -> bool:
        return include_name(name, kind, {})

    return {
        "target_metadata": metadata,
        "include_name": include_name,
        "include_object": include_object,
        "version_table": VERSION_TABLE,
        "transaction_per_migration": True,
        "transactional_ddl": True,  # true of SQLite as well, once the driver's own BEGIN is off
        "render_as_batch": True,  # on PostgreSQL the same as plain ALTER TABLE
        "compare_server_default": True,
        "render_item": _render_item,
        "process_revision_directives": _write_nothing_empty,
        "on_version_apply": note or (),
    }


def _render_item(kind: str, item: object, context: AutogenContext) -> str | Literal[False]:
    """How a type is written into a revision; False leaves it to Alembic."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"  # no import of code that may mean something else later
    if kind == "type" and isinstance(item, JSONB):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return f"postgresql.JSONB(none_as_null={item.none_as_null})"
    return False


def _write_nothing_empty(
    context: MigrationContext, revision: object, directives: list[Any]
) -> None:
    compared = context.opts.get("target_metadata") is not None
    if compared and directives[0].upgrade_ops.is_empty():
        directives.clear()


def ownership(source: MigrationSource, sources: Sequence[MigrationSource]) -> Callable[[str], bool]:
    """Whether a table is the app's: named after it, or in metadata that is the app's alone."""
    made_by_rollups = parts_tables(source.metadata)

    def owns(table: str) -> bool:
        if table in made_by_rollups:
            return False
        named = [s.name for s in sources if table == s.name or table.startswith(f"{s.name}_")]
        if named:
            return max(named, key=len) == source.name
        return source.metadata is not Base.metadata and table in source.metadata.tables

    return owns


def heads_referred_to(
    script: ScriptDirectory, source: MigrationSource, sources: Sequence[MigrationSource]
) -> list[str]:
    """The newest revisions of other apps that tables of this one refer to by foreign keys."""
    owns = ownership(source, sources)
    referred = {
        key.target_fullname.split(".")[-2]
        for table in source.metadata.tables.values()
        if owns(table.name)
        for key in table.foreign_keys
    }
    others = [
        other
        for other in sources
        if other != source and any(map(ownership(other, sources), referred))
    ]
    return [
        head
        for head in script.get_heads()
        if any(is_of(script.get_revision(head), other) for other in others)
    ]


def ancestors(script: ScriptDirectory, heads: Sequence[str]) -> set[str]:
    """The given revisions and all they build on."""
    seen: set[str] = set()
    todo = list(heads)
    while todo:
        found = script.get_revision(todo.pop())
        if found.revision not in seen:
            seen.add(found.revision)
            todo += [*to_tuple(found.down_revision, ()), *to_tuple(found.dependencies, ())]
    return seen


def describe(
    script: ScriptDirectory, sources: Sequence[MigrationSource], id: str, *, applied: bool
) -> Revision:
    """A revision in the words people read."""
    found = script.get_revision(id)
    app = next(source.name for source in with_foundation(sources) if is_of(found, source))
    return Revision(id, app, found.doc, applied)


def is_of(found: Script, source: MigrationSource) -> bool:
    """Whether a revision lies in the app's folder."""
    return Path(found.path).parent == source.versions.resolve()


def listed(sources: Sequence[MigrationSource]) -> str:
    """The names of the apps, for a message."""
    return ", ".join(sorted(source.name for source in sources))


@contextmanager
def readable_errors() -> Iterator[None]:
    """Alembic's complaints as errors of the house."""
    try:
        yield
    except CommandError as error:
        raise _explained(str(error)) from error


def _explained(complaint: str) -> ButtressError:
    hint = "`buttress migrate history` lists the revisions of all apps."
    unknown = re.search(
        r"Can't locate revision identified by '([^']*)'|No such revision", complaint
    )
    if unknown:
        return NotFound(f"there is no revision {unknown[1] or 'of that name'!r}", hint=hint)
    if "multiple heads" in complaint.lower() or "multiple head" in complaint.lower():
        return Conflict(
            "two revisions of the app follow the same one",
            hint="Set down_revision of the one that is not yet shared to the id of the other.",
        )
    return BadInput(complaint[:1].lower() + complaint[1:].rstrip("."), hint=hint)
