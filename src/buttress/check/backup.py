"""Checks of backups: that there are some, that they were proven, that they outlive the machine."""

from __future__ import annotations

import datetime as dt

from buttress.check.database import is_remote
from buttress.check.facts import Facts
from buttress.check.registry import NotApplicable, check
from buttress.db.tenancy import ALL_OURS
from buttress.health.measures import BACKUP_HOURS, VERIFIED_DAYS

LEAST_DAYS = 7
KEY_CHARACTERS = 16


@check(
    "BT-601", "backup", "error", "No backup of late",
    cure="Run `buttress backup`; a worker makes one every night by BUTTRESS_BACKUP__SCHEDULE.",
    deploy=True,
)  # fmt: skip
def last_backup(facts: Facts) -> str | None:
    """What was written since the last backup is lost with the disk."""
    if not facts.made:
        return f"there is no backup in {facts.backups.store.label}"
    hours = age(facts.made[0].manifest.started_at) / 3600
    return f"the last backup is {hours:.0f} hours old" if hours > BACKUP_HOURS else None


@check(
    "BT-602", "backup", "error", "No backup proven of late",
    cure="Run `buttress backup verify`, or leave BUTTRESS_BACKUP__DRILL on.", deploy=True,
)  # fmt: skip
def last_drill(facts: Facts) -> str | None:
    """A backup counts when a restore of it was compared with what it was taken from."""
    proven = [
        age(backup.drill.at)
        for backup in facts.made
        if backup.verified and backup.drill is not None
    ]
    if not proven:
        return "no backup was proven by a restore"
    days = min(proven) / 86_400
    return (
        f"the last restore that proved one is {days:.0f} days ago" if days > VERIFIED_DAYS else None
    )


@check(
    "BT-603", "backup", "error", "Role that does not see every row",
    cure="Set BUTTRESS_BACKUP__DATABASE_URL to a role with BYPASSRLS that may read every table.",
)  # fmt: skip
def hidden_rows(facts: Facts) -> list[str]:
    """Row-level security or missing rights hide rows from the role that backs up: `buttress backup`
    refuses, and other tools make backups without these rows."""
    with facts.reader() as connection:
        # A backup passes policies that are all ours: it says that it wants the rows of everybody.
        ours = connection.execute(ALL_OURS).fetchone() == (True,)
        rows = connection.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')"
            " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
            " AND n.nspname NOT LIKE 'pg\\_%%'"
            " AND ((row_security_active(c.oid) AND NOT %s)"
            " OR NOT has_table_privilege(c.oid, 'SELECT')) ORDER BY 1",
            [ours],
        ).fetchall()
    return [f"rows of {name}" for (name,) in rows]


@check(
    "BT-604", "backup", "warning", "Backups beside the data",
    cure="Set BUTTRESS_BACKUP__STORE to a bucket or a disk of another machine.", deploy=True,
)  # fmt: skip
def same_disk(facts: Facts) -> str | None:
    """The disk that takes the database with it takes the backups too."""
    from buttress.backup.store import FolderStore

    store = facts.backups.store
    if not isinstance(store, FolderStore):
        return None
    if facts.url is not None and is_remote(facts.url):
        return None  # the data is elsewhere
    folder, home = store.folder, facts.settings.home.absolute()
    while not folder.exists():
        folder = folder.parent
    while not home.exists():
        home = home.parent
    if folder.stat().st_dev != home.stat().st_dev:
        return None
    return f"{store.label} lies on the disk of the data folder"


@check(
    "BT-605", "backup", "warning", "Readable backups elsewhere",
    cure="Set BUTTRESS_BACKUP__KEY, and keep a copy of it in another place.", deploy=True,
)  # fmt: skip
def encryption(facts: Facts) -> str | None:
    """Whoever may read the bucket reads every row."""
    backup = facts.settings.backup
    if "://" not in backup.store:
        raise NotApplicable
    return None if backup.key.get_secret_value() else f"backups in {backup.store} are not encrypted"


@check(
    "BT-606", "backup", "warning", "Backups kept for a few days only",
    cure="Set BUTTRESS_BACKUP__DAILY to 7 or more.",
)  # fmt: skip
def retention(facts: Facts) -> str | None:
    """A mistake is often noticed after the weekend; by then the last good backup must be there."""
    days = facts.settings.backup.daily
    return f"BUTTRESS_BACKUP__DAILY is {days}" if days < LEAST_DAYS else None


@check(
    "BT-607", "backup", "warning", "Backups are not proven",
    cure="Set BUTTRESS_BACKUP__DRILL=true, or run `buttress backup verify` weekly.", deploy=True,
)  # fmt: skip
def drill(facts: Facts) -> str | None:
    """Most backups are found to be broken on the day they are needed."""
    return None if facts.settings.backup.drill else "BUTTRESS_BACKUP__DRILL is false"


@check(
    "BT-608", "backup", "error", "Damaged backups",
    cure="Make a new one, delete these, and find out what damaged the store.",
)  # fmt: skip
def damaged(facts: Facts) -> list[str]:
    """The manifest of a backup is not what was written: nothing can be restored from it."""
    return [f"{name} is damaged" for name in facts.backups.damaged()]


@check(
    "BT-609", "backup", "warning", "No backup before changes",
    cure="Set BUTTRESS_BACKUP__BEFORE_CHANGES=true.", deploy=True,
)  # fmt: skip
def before_changes(facts: Facts) -> str | None:
    """A migration that loses rows is undone by a restore of what was there a minute before."""
    if facts.settings.backup.before_changes:
        return None
    return "BUTTRESS_BACKUP__BEFORE_CHANGES is false"


@check(
    "BT-610", "backup", "error", "Short key",
    cure='Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"',
)  # fmt: skip
def short_key(facts: Facts) -> str | None:
    """A key that can be guessed encrypts nothing: whoever has a file may try for ever."""
    key = facts.settings.backup.key.get_secret_value()
    if not key or len(key) >= KEY_CHARACTERS:
        return None
    return f"BUTTRESS_BACKUP__KEY has {len(key)} characters"


@check(
    "BT-611", "backup", "warning", "No schedule of backups",
    cure="Set BUTTRESS_BACKUP__SCHEDULE, say to 0 3 * * *, unless something else makes them.",
    deploy=True,
)  # fmt: skip
def schedule(facts: Facts) -> str | None:
    """Nobody makes a backup by hand every day."""
    if facts.settings.backup.schedule:
        return None
    return "BUTTRESS_BACKUP__SCHEDULE is empty"


def age(moment: str) -> float:
    """Seconds since a moment in ISO 8601."""
    return (dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(moment)).total_seconds()
