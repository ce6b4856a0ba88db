"""`op.enable_tenancy` and its reverse, for revisions.

On SQLite, which has no row-level security, they do nothing.
"""

from __future__ import annotations

from alembic.operations import MigrateOperation, Operations

from buttress.db import tenancy


@Operations.register_operation("enable_tenancy")
class EnableTenancy(MigrateOperation):
    """Show each row to its owner only."""

    def __init__(self, table: str, owner: str, schema: str | None, unowned: bool) -> None:
        self.table = table
        self.owner = owner
        self.schema = schema
        self.unowned = unowned

    @classmethod
    def enable_tenancy(
        cls,
        operations: Operations,
        table: str,
        *,
        owner: str = "owner_id",
        schema: str | None = None,
        unowned: bool = False,
    ) -> None:
        """Show the rows of a table to their owner, and to whoever may see the data of everybody.

        Parameters
        ----------
        owner
            The column of type uuid with the id of the person a row belongs to. Give it an index.
        unowned
            The column may be NULL: such rows are there for whoever sees the data of everybody.
        """
        operations.invoke(cls(table, owner, schema, unowned))

    def reverse(self) -> DisableTenancy:
        """What undoes it."""
        return DisableTenancy(self.table, self.owner, self.schema, self.unowned)


@Operations.register_operation("disable_tenancy")
class DisableTenancy(EnableTenancy):
    """Show all rows to everybody again."""

    @classmethod
    def disable_tenancy(
        cls,
        operations: Operations,
        table: str,
        *,
        owner: str = "owner_id",
        schema: str | None = None,
        unowned: bool = False,
    ) -> None:
        """Undo `enable_tenancy`, which takes the same arguments."""
        operations.invoke(cls(table, owner, schema, unowned))

    def reverse(self) -> EnableTenancy:  # type: ignore[override]  # each undoes the other
        """What undoes it."""
        return EnableTenancy(self.table, self.owner, self.schema, self.unowned)


@Operations.register_operation("see_every_row")
class SeeEveryRow(MigrateOperation):
    """Let a revision read and change the rows of everybody."""

    @classmethod
    def see_every_row(cls, operations: Operations) -> None:
        """For the rest of this revision, see the rows of tables with tenancy.

        Without it reading them is an error: a revision that saw none would do nothing and succeed.
        """
        operations.invoke(cls())


@Operations.implementation_for(EnableTenancy)
def _enable(operations: Operations, operation: EnableTenancy) -> None:
    if _is_postgresql(operations):
        table, owner = _names(operations, operation)
        wanted = tenancy.condition(owner, unowned=operation.unowned)
        operations.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        operations.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        operations.execute(f"CREATE POLICY {tenancy.POLICY} ON {table} USING ({wanted})")


@Operations.implementation_for(DisableTenancy)
def _disable(operations: Operations, operation: DisableTenancy) -> None:
    if _is_postgresql(operations):
        table, _ = _names(operations, operation)
        operations.execute(f"DROP POLICY {tenancy.POLICY} ON {table}")
        operations.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        operations.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


@Operations.implementation_for(SeeEveryRow)
def _see(operations: Operations, operation: SeeEveryRow) -> None:
    if _is_postgresql(operations):
        everybody = tenancy.Scope(None, everything=True, system="migration")
        operations.execute("SET LOCAL row_security = on")
        for name, value in everybody.settings:
            operations.execute(f"SET LOCAL {name} = '{value}'")


def _is_postgresql(operations: Operations) -> bool:
    return operations.get_context().dialect.name == "postgresql"


def _names(operations: Operations, operation: EnableTenancy) -> tuple[str, str]:
    quote = operations.get_context().dialect.identifier_preparer.quote
    table = quote(operation.table)
    if operation.schema is not None:
        table = f"{quote(operation.schema)}.{table}"
    return table, quote(operation.owner)
