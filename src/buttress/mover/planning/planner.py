"""Makes the plan of a move from a snapshot: facts, decisions, names, keys, then all around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import apsw

from buttress.errors import NotFound
from buttress.mover.plan import Column, NotCarried, Plan, Table
from buttress.mover.planning import names
from buttress.mover.planning.carried import carry_foreign_keys, carry_programs, carry_table
from buttress.mover.planning.draft import Draft
from buttress.mover.planning.exact import share_that_is_no_text
from buttress.mover.planning.types import Choice, Decision, decide, reconcile
from buttress.mover.source.profile import ColumnFacts, TableFacts, in_parallel, scan
from buttress.mover.source.schema import Schema, SourceColumn, SourceTable, fold
from buttress.mover.source.schema_reader import read_schema
from buttress.mover.source.snapshot import open_snapshot

Progress = Callable[[str, int, int], None]

MOST_COLUMNS = 1600
"""More than that no PostgreSQL table can have."""
_LARGEST_ROWID = 2**63 - 1
_NOTED_SHARE, _NOTED_VALUES = 0.01, 100


def make_plan(
    snapshot: Path,
    *,
    source: str,
    schema: str,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    workers: int = 1,
    progress: Progress | None = None,
) -> Plan:
    """Decide what becomes of every object of the snapshot.

    `only` and `skip` name tables of the source; `progress` is told a phase, how much of it is
    done, and how much there is. Raises `NotFound` for a table name the source does not have. An
    object that cannot be understood never raises: it is listed in `Plan.not_carried`.
    """
    connection = open_snapshot(snapshot)
    try:
        found = read_schema(connection)
        plan = Plan(source=source, encoding=found.encoding, schema=schema)
        plan.not_carried += found.not_carried
        skipped = _skipped(found, only, skip)
        moving = [table for table in found.tables if not skipped[table.name]]
        facts = scan(
            snapshot, moving, workers=workers, progress=_phase(progress, "counting values")
        )
        for table, fact in zip(moving, facts, strict=True):
            skipped[table.name] = fact.failed
        read = [(table, fact) for table, fact in zip(moving, facts, strict=True) if not fact.failed]
        decisions = _decisions(
            snapshot, read, found.encoding, workers, _phase(progress, "choosing types")
        )
        plan.notes += _damage_notes(read)
        plan.notes += _text_notes(snapshot, read, decisions, found.encoding, workers)
        drafts = _drafts(plan, found, read, decisions, skipped)
        for draft in drafts:
            _choose_key(connection, plan, draft)
            _continue_identity(plan, draft, found.sequences)
        for draft in drafts:
            carry_table(connection, plan, draft)
        carry_foreign_keys(plan, drafts, found)
        carry_programs(connection, plan, found, drafts)
    finally:
        connection.close()
    if not found.tables:
        plan.notes.append("the source has no tables")
    return plan


def _phase(progress: Progress | None, phase: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(phase, done, total)


def _skipped(found: Schema, only: Sequence[str], skip: Sequence[str]) -> dict[str, str]:
    """Why each table is left out, by name; empty for those that move."""
    known = {fold(table.name) for table in found.tables}
    for name in (*only, *skip):
        if fold(name) not in known:
            raise NotFound(
                f"the source has no table {name!r}",
                hint="Check the name; `buttress move --dry-run` lists the tables.",
            )
    wanted, unwanted = {fold(name) for name in only}, {fold(name) for name in skip}
    skipped: dict[str, str] = {}
    for table in found.tables:
        reason = table.skip
        if not reason and wanted and fold(table.name) not in wanted:
            reason = "not among the tables asked for"
        if not reason and fold(table.name) in unwanted:
            reason = "left out on request"
        skipped[table.name] = reason
    return skipped


def _decisions(
    snapshot: Path,
    read: list[tuple[SourceTable, TableFacts]],
    encoding: str,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> dict[tuple[str, str], Decision]:
    """The decision for every column, by folded table and column name."""
    jobs = [
        (table, column, fact, _is_compared(table, column))
        for table, facts in read
        for column, fact in zip(table.columns, facts.columns, strict=True)
    ]

    def work(
        connection: apsw.Connection, job: tuple[SourceTable, SourceColumn, ColumnFacts, bool]
    ) -> Decision:
        table, column, fact, compared = job
        return decide(connection, table, column, fact, encoding=encoding, compared=compared)

    decisions: dict[tuple[str, str], Decision] = {}
    results = in_parallel(snapshot, jobs, work, workers)
    for number, (job, decision) in enumerate(zip(jobs, results, strict=True), start=1):
        decisions[fold(job[0].name), fold(job[1].name)] = decision
        if progress is not None:
            progress(number, len(jobs))
    tables = {fold(table.name): table for table, _ in read}
    reconcile(decisions, list(_links(tables, decisions)))
    return decisions


def _is_compared(table: SourceTable, column: SourceColumn) -> bool:
    """Whether a key, an index or a foreign key uses the column."""
    used = {fold(name) for name in table.primary}
    used |= {fold(part.name) for index in table.indexes for part in index.columns if part.name}
    used |= {fold(name) for key in table.foreign_keys for name in key.columns}
    return fold(column.name) in used


def _links(
    tables: dict[str, SourceTable], decisions: dict[tuple[str, str], Decision]
) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    for table in tables.values():
        for key in table.foreign_keys:
            parent = tables.get(fold(key.parent))
            if parent is None:
                continue
            referenced = parent.primary if key.parent_columns is None else key.parent_columns
            for ours, theirs in zip(key.columns, referenced, strict=False):
                link = (fold(table.name), fold(ours)), (fold(parent.name), fold(theirs))
                if link[0] in decisions and link[1] in decisions:
                    yield link


def _damage_notes(read: list[tuple[SourceTable, TableFacts]]) -> list[str]:
    return [
        f"table {table.name} is damaged ({facts.damage}): {facts.rows:,} rows can be read"
        for table, facts in read
        if facts.damage
    ]


def _text_notes(
    snapshot: Path,
    read: list[tuple[SourceTable, TableFacts]],
    decisions: dict[tuple[str, str], Decision],
    encoding: str,
    workers: int,
) -> list[str]:
    """Columns so full of bytes that are no text that their rows would fill the quarantine."""
    jobs = [
        (table, column, fact.seen["text"])
        for table, facts in read
        for column, fact in zip(table.columns, facts.columns, strict=True)
        if fact.seen.get("text", 0) > _NOTED_VALUES
        and decisions[fold(table.name), fold(column.name)].chosen.rule in ("text", "mixed")
    ]

    def work(connection: apsw.Connection, job: tuple[SourceTable, SourceColumn, int]) -> float:
        return share_that_is_no_text(connection, job[0], job[1], encoding)

    return [
        f"about {share:.0%} of the texts in {table.name}.{column.name} are bytes PostgreSQL's text "
        "cannot hold; their rows go to quarantine"
        for (table, column, count), share in zip(
            jobs, in_parallel(snapshot, jobs, work, workers), strict=True
        )
        if share > _NOTED_SHARE and share * count > _NOTED_VALUES
    ]


def _drafts(
    plan: Plan,
    found: Schema,
    read: list[tuple[SourceTable, TableFacts]],
    decisions: dict[tuple[str, str], Decision],
    skipped: dict[str, str],
) -> list[Draft]:
    """Put all tables into the plan, with their columns, and name them."""
    relations = names.relations()
    facts_of = {table.name: facts for table, facts in read}
    drafts: list[Draft] = []
    # Tables first: their names matter more to people than those of indexes.
    for source in found.tables:
        if skipped[source.name]:
            plan.tables.append(
                Table(name=source.name, target=source.name, skip=skipped[source.name])
            )
            continue
        facts = facts_of[source.name]
        table = Table(
            name=source.name,
            target=relations.take(source.name),
            kind=source.kind,
            rows=facts.rows,
            rowid=source.rowid,
            rowid_alias=source.rowid_alias,
            first_rowid=facts.first_rowid,
            last_rowid=facts.last_rowid,
        )
        column_names = names.columns()
        for column, fact in zip(source.columns, facts.columns, strict=True):
            chosen = decisions[fold(source.name), fold(column.name)].chosen
            table.columns.append(_column(column, fact, chosen, column_names.take(column.name)))
        if len(table.columns) > MOST_COLUMNS:
            table.impossible = (
                f"it has {len(table.columns):,} columns, PostgreSQL at most {MOST_COLUMNS:,}"
            )
        plan.notes += _renames(table)
        plan.tables.append(table)
        drafts.append(Draft(source, facts, table, relations))
    return drafts


def _column(column: SourceColumn, fact: ColumnFacts, chosen: Choice, target: str) -> Column:
    return Column(
        name=column.name,
        target=target,
        declared=column.declared,
        type=chosen.type,
        rule=chosen.rule,
        usual=chosen.usual,
        not_null=column.not_null and not fact.seen.get("null"),
        collation=column.collation,
        seen=dict(fact.seen),
        why=chosen.why,
    )


def _renames(table: Table) -> Iterator[str]:
    if table.target != table.name:
        yield f"table {table.name!r} is called {table.target!r} in PostgreSQL"
    for column in table.columns:
        if column.target != column.name:
            yield f"column {table.name}.{column.name!r} is called {column.target!r} in PostgreSQL"


def _choose_key(connection: apsw.Connection, plan: Plan, draft: Draft) -> None:
    """The INTEGER PRIMARY KEY, else the primary key, else a unique set of NOT NULL columns."""
    source, table = draft.source, draft.table
    if source.rowid_alias:
        table.key = [source.rowid_alias]
    elif source.primary and _serves(connection, plan, draft, source.primary, primary=True):
        table.key = [table.column(name).name for name in source.primary]
    if table.key:
        table.key_target = draft.relations.take(f"{table.target}_pkey")
        return
    for index in source.indexes:
        plain = [
            part.name for part in index.columns if part.name and part.collation.upper() == "BINARY"
        ]
        if not index.unique or index.where or len(plain) != len(index.columns):
            continue
        if all(_is_not_null(source, name) for name in plain) and _serves(
            connection, plan, draft, plain, primary=False
        ):
            table.key = [table.column(name).name for name in plain]
            table.key_is_primary = False
            draft.key_index = index.name
            return


def _is_not_null(source: SourceTable, name: str) -> bool:
    column = source.column(name)
    return column is not None and column.not_null


def _serves(
    connection: apsw.Connection, plan: Plan, draft: Draft, columns: list[str], *, primary: bool
) -> bool:
    """Whether the columns' values in the target name every row."""
    nullable = [name for name in columns if draft.facts_of(name).seen.get("null")]
    if primary and nullable:
        plan.notes.append(
            f"{draft.table.name}.{nullable[0]} is part of the primary key and NULL in some rows: "
            "PostgreSQL gets a unique index instead"
        )
    if nullable or any(draft.source_generated(name) for name in columns):
        return False
    if draft.collides(connection, columns):
        if primary:
            draft.refuse_key(plan, columns)
        return False
    return True


def _continue_identity(plan: Plan, draft: Draft, sequences: dict[str, int]) -> None:
    table = draft.table
    if not table.rowid_alias:
        return
    last = table.last_rowid
    if draft.source.autoincrement:
        issued = sequences.get(fold(table.name), 0)
        last = issued if last is None else max(last, issued)
    if last == _LARGEST_ROWID:
        plan.not_carried.append(
            NotCarried(
                kind="identity",
                name=table.rowid_alias,
                table=table.name,
                reason="the largest rowid is the largest integer; there is no next one",
            )
        )
    else:
        table.identity_next = 1 if last is None else last + 1
