"""`buttress audit`: what was done, and whether the log of it is whole."""

from __future__ import annotations

from typing import Annotated

import typer

from buttress.cli.context import out, plain
from buttress.cli.people import session
from buttress.errors import Conflict

app = typer.Typer(help="The log of who did what.", no_args_is_help=True)


@app.command("list")
def list_entries(
    actor: Annotated[str | None, typer.Option(help="Only what they did.")] = None,
    action: Annotated[
        str | None, typer.Option(help="Only this; person.* for all of a kind.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
) -> None:
    """List entries, newest first.

    Example: buttress audit list --action "sign-in*"
    """
    from rich.table import Table

    from buttress.access import audit

    table = Table("", "at (UTC)", "who", "what", "on", "outcome", box=None, header_style="bold")
    with session() as (opened, _):
        for entry in audit.entries(opened, actor=actor, action=action, limit=limit):
            table.add_row(
                str(entry.number), f"{entry.at:%Y-%m-%d %H:%M:%S}", plain(entry.actor),
                entry.action, plain(entry.object), entry.outcome,
            )  # fmt: skip
    out.print(table if table.row_count else "no entry is like that")


@app.command()
def verify(
    head: Annotated[
        str | None, typer.Option(help="A digest kept from an earlier run; must be in the chain.")
    ] = None,
) -> None:
    """Recompute the chain of digests; prints the last one, to be kept elsewhere.

    Example: buttress audit verify --head 5f2c…
    """
    from buttress.access import audit

    with session() as (opened, _):
        result = audit.verify(opened, head=head)
    if result.broken_at is not None:
        raise Conflict(
            f"the audit log is not what was written, from entry {result.broken_at} on",
            hint="Compare it with a backup: `buttress backup restore --to` brings one beside it.",
        )
    out.print(f"{result.entries} entries, all as they were written; the last digest is")
    out.print(result.head or "none")
