"""Checks of who is let in: that somebody is, for how long, and by which provider."""

from __future__ import annotations

from urllib.parse import urlsplit

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from buttress.check.facts import LOOPBACK, Facts
from buttress.check.registry import NotApplicable, NotChecked, check

LONGEST_DAYS = 30.0


@check(
    "BT-421", "people", "error", "No admin",
    cure="`buttress people first` makes the link by which one signs up.", deploy=True,
)  # fmt: skip
def admin(facts: Facts) -> str | None:
    """Nobody can invite or disable people, or give them a role."""
    from buttress.access.people import any_admin
    from buttress.access.tables import Person

    with facts.database.connection(read_only=True) as connection:
        if not inspect(connection).has_table(Person.__tablename__):
            raise NotChecked("the tables of people are missing")
        with Session(connection) as session:
            return None if any_admin(session) else "nobody who may sign in has the role admin"


@check(
    "BT-422", "people", "warning", "Sign-ins that last long",
    cure="Lower BUTTRESS_ACCESS__ABSOLUTE_DAYS and BUTTRESS_ACCESS__IDLE_HOURS.",
)  # fmt: skip
def lifetimes(facts: Facts) -> list[str]:
    """A cookie that was copied, or a machine left signed in, opens the deployment for weeks."""
    access = facts.settings.access
    lives = {
        "BUTTRESS_ACCESS__ABSOLUTE_DAYS": access.absolute_days,
        "BUTTRESS_ACCESS__IDLE_HOURS": access.idle_hours / 24,
    }
    return [
        f"{name} is {days:g} days, more than {LONGEST_DAYS:g}"
        for name, days in lives.items()
        if days > LONGEST_DAYS
    ]


@check(
    "BT-423", "people", "error", "OIDC provider without TLS",
    cure="Write BUTTRESS_OIDC__ISSUER with https://, as the provider calls itself.",
)  # fmt: skip
def issuer(facts: Facts) -> str | None:
    """Whoever is on the way to the provider can answer in its place, and sign in as anybody."""
    given = facts.settings.oidc.issuer
    address = urlsplit(given)
    if not given:
        raise NotApplicable
    if address.scheme == "https" or (address.hostname or "").startswith(LOOPBACK):
        return None
    return f"BUTTRESS_OIDC__ISSUER is {address.hostname or 'no address'} without https"


@check(
    "BT-424", "people", "warning", "OIDC half set up",
    cure="Set BUTTRESS_OIDC__CLIENT_ID and BUTTRESS_OIDC__CLIENT_SECRET to what the provider gave.",
)  # fmt: skip
def client(facts: Facts) -> list[str]:
    """Without an id nobody is offered the provider; without a secret most providers refuse to say
    who came back, and those that do not cannot tell this deployment from another program."""
    oidc = facts.settings.oidc
    if not oidc.issuer:
        raise NotApplicable
    given = {
        "BUTTRESS_OIDC__CLIENT_ID": oidc.client_id,
        "BUTTRESS_OIDC__CLIENT_SECRET": oidc.client_secret.get_secret_value(),
    }
    return [f"no {name}" for name, value in given.items() if not value]
