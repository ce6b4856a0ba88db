"""Roles, rights and extensions of the embedded PostgreSQL.

postgres          superuser; used to set the server up and for nothing else
buttress_owner    owns the database and what migrations create in it; may create databases
buttress_app      what the apps connect as: owns nothing, sees row-level security
buttress_backup   reads everything, past row-level security; may stream

Extensions and rights are set in `template1`, so that a database made later, for a test or a
restore, has them from the start.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg

DATABASE = "buttress"

# Set on the superuser when all is done: a set-up that was cut short is repeated from the start.
MARK = "buttress.prepared"
VERSION = "1"

ROLES = {
    "buttress_owner": "login createdb",
    "buttress_app": "login",
    "buttress_backup": "login bypassrls replication in role pg_read_all_data",
}

TEMPLATE = """
create extension if not exists vector;
create extension if not exists pg_stat_statements;
grant usage on schema public to buttress_app;
alter default privileges for role buttress_owner grant usage on schemas to buttress_app;
alter default privileges for role buttress_owner
    grant select, insert, update, delete on tables to buttress_app;
alter default privileges for role buttress_owner
    grant usage, select on sequences to buttress_app;
"""


def is_prepared(connection: psycopg.Connection) -> bool:
    """Whether `prepare` has run to its end on this server; connected as the superuser."""
    row = connection.execute("select current_setting(%s, true)", [MARK]).fetchone()
    return row == (VERSION,)


def prepare(connect: Callable[[str], psycopg.Connection]) -> None:
    """Create what is missing; `connect` opens a database as superuser, in autocommit."""
    with connect("postgres") as connection:
        existing = {name for (name,) in connection.execute("select rolname from pg_roles")}
        for role, attributes in ROLES.items():
            if role not in existing:
                connection.execute(f"create role {role} {attributes}")
    with connect("template1") as connection:
        connection.execute(TEMPLATE)
    with connect("postgres") as connection:
        databases = {name for (name,) in connection.execute("select datname from pg_database")}
        if DATABASE not in databases:
            connection.execute(f"create database {DATABASE} owner buttress_owner")
        connection.execute(
            f"revoke connect on database {DATABASE} from public;"
            f"grant connect on database {DATABASE} to buttress_app, buttress_backup"
        )
        connection.execute(f"alter role postgres set {MARK} = '{VERSION}'")
