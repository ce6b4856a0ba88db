"""`buttress people`: who may sign in, from a terminal on the host, where nobody has to."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from buttress.cli.address import sign_in_link
from buttress.cli.context import load_settings, out, plain

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from buttress.settings import Settings

app = typer.Typer(help="The people of this deployment.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name they sign in with.")]
RoleName = Annotated[str, typer.Option("--role", help="viewer, analyst or admin.")]


@app.command("list")
def list_people() -> None:
    """List people, their roles and whether they are signed in.

    Example: buttress people list
    """
    from rich.table import Table

    from buttress.access import people, signing_in

    table = Table("name", "role", "state", "signed in", box=None, header_style="bold")
    with session() as (opened, _):
        devices = [one.person_id for one in signing_in.sign_ins(opened)]
        for person in people.everybody(opened):
            state = "disabled" if person.disabled_at else "active"
            count = devices.count(person.id)
            table.add_row(plain(person.name), person.role, state, str(count) if count else "")
    if table.row_count:
        out.print(table)
    else:
        out.print("nobody yet; `buttress people first` makes a link for the first admin")


@app.command()
def first() -> None:
    """Make the link by which the first admin signs up; it works once, for a day.

    Example: buttress people first
    """
    from buttress.access import links

    with session() as (opened, settings):
        out.print(sign_in_link(settings, links.for_first_admin(opened)))


@app.command()
def invite(name: Name, role: RoleName = "viewer") -> None:
    """Make a link by which somebody signs up; it works once, for seven days.

    Example: buttress people invite ann@example.com --role analyst
    """
    from buttress.access import links

    with session() as (opened, settings):
        out.print(sign_in_link(settings, links.invite(opened, name, role)))


@app.command("password")
def new_password(name: Name) -> None:
    """Make a link by which somebody chooses a new password; it works once, for two hours.

    Example: buttress people password ann@example.com
    """
    from buttress.access import links, people

    with session() as (opened, settings):
        out.print(sign_in_link(settings, links.for_new_password(opened, people.find(opened, name))))


@app.command("role")
def change_role(name: Name, role: Annotated[str, typer.Argument(help="The new role.")]) -> None:
    """Give somebody another role.

    Example: buttress people role ann@example.com admin
    """
    from buttress.access import people

    with session() as (opened, _):
        person = people.find(opened, name)
        people.change_role(opened, person, role)
        out.print(f"{plain(person.name)} is {role}")


@app.command()
def disable(name: Name) -> None:
    """Let somebody in no more; their sign-ins and tokens end at once.

    Example: buttress people disable ann@example.com
    """
    from buttress.access import people

    with session() as (opened, _):
        people.disable(opened, people.find(opened, name))
    out.print(f"{plain(name)} is disabled")


@app.command()
def enable(name: Name) -> None:
    """Let somebody in again.

    Example: buttress people enable ann@example.com
    """
    from buttress.access import people

    with session() as (opened, _):
        people.enable(opened, people.find(opened, name))
    out.print(f"{plain(name)} is enabled")


@contextmanager
def session() -> Iterator[tuple[Session, Settings]]:
    """One transaction of whoever sits at the terminal; the audit log names them."""
    from buttress.access import Identity, acting, permissions_of
    from buttress.runtime import Runtime

    settings = load_settings()
    operator = Identity(
        UUID(int=0), f"terminal:{getpass.getuser()}", "admin", permissions_of("admin")
    )
    with Runtime(settings) as runtime, acting(operator), runtime.session() as opened:
        yield opened, settings
