"""How often somebody may try to sign in: a few times at once, then ever more slowly.

Nobody is locked out for good. An account takes four tries at once and then waits 8, 16, 32 …
seconds, ten within a quarter of an hour at most; an address takes sixty at once, as many people
may share one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import CursorResult, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from buttress.access.tables import Throttle
from buttress.errors import TooMany

FREE_BY_NAME, FREE_BY_ADDRESS = 4, 60
FIRST_DELAY_SECONDS = 8.0
FORGOTTEN_AFTER = timedelta(minutes=15)


def keys(name: str, address: str, *, known: bool) -> dict[str, int]:
    """What is counted when that name is tried from that address, and how often it is free.

    From a device the person has signed in with before (`known`), others' tries do not count.
    """
    counted = {f"address {network(address)}": FREE_BY_ADDRESS}
    if not known:
        counted[f"name {name}"] = FREE_BY_NAME
    return counted


def network(address: str) -> str:
    """Who holds an IPv6 address holds its /64: that is counted."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def count(session: Session, counted: Mapping[str, int]) -> None:
    """Count a try before it is looked at; commit, then look.

    Raises
    ------
    TooMany
        It comes too soon, and was not counted.
    """
    now = datetime.now(UTC)
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    for key, free in sorted(counted.items()):
        session.execute(
            insert(Throttle).values(key=key, failures=0, last_at=now).on_conflict_do_nothing()
        )
        # The row is held until the commit: tries at the same moment come one after the other.
        row = session.scalars(select(Throttle).where(Throttle.key == key).with_for_update()).one()
        # Read once the row is held: whoever came before at the same moment is no wait.
        now = datetime.now(UTC)
        if now - row.last_at > FORGOTTEN_AFTER:
            row.failures = 0
        wait = (row.last_at + delay(row.failures, free) - now).total_seconds()
        if row.failures and wait > 0:
            raise TooMany(
                f"too many tries to sign in; the next is possible in {wait:.0f} seconds",
                after_seconds=wait,
                hint="Wait, or have an admin send a link for a new password.",
            )
        row.failures += 1
        row.last_at = now


def forget(session: Session, name: str, address: str) -> None:
    """Count anew for a name whose person has proved to be who they are, and their try from that
    address not at all: the others' there still count."""
    session.execute(delete(Throttle).where(Throttle.key == f"name {name}"))
    session.execute(
        update(Throttle)
        .where(Throttle.key == f"address {network(address)}", Throttle.failures > 0)
        .values(failures=Throttle.failures - 1)
    )


def is_news(session: Session, counted: Mapping[str, int]) -> bool:
    """Whether nobody was told yet that these are tried too often; afterwards it is no news."""
    now = datetime.now(UTC)
    told = session.execute(
        update(Throttle)
        .where(
            Throttle.key.in_(counted),
            or_(Throttle.told_at.is_(None), Throttle.told_at < now - FORGOTTEN_AFTER),
        )
        .values(told_at=now)
    )
    return bool(cast("CursorResult[object]", told).rowcount)


def delay(failures: int, free: int) -> timedelta:
    """How long to wait after so many failures."""
    if failures < free:
        return timedelta()
    seconds = FIRST_DELAY_SECONDS * 2.0 ** min(failures - free, 10)
    return min(timedelta(seconds=seconds), FORGOTTEN_AFTER)


def sweep(session: Session) -> None:
    """Delete what no longer counts."""
    session.execute(delete(Throttle).where(Throttle.last_at < datetime.now(UTC) - FORGOTTEN_AFTER))
