"""What a person may do: three roles, each with all the permissions of the one before."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["viewer", "analyst", "admin"]
Permission = Literal[
    "apps.read",
    "data.export",
    "files.read",
    "health.read",
    "tokens.own",
    "apps.write",
    "data.import",
    "files.write",
    "data.review",
    "jobs.read",
    "jobs.run",
    "models.use",
    "moves.read",
    "queries.read",
    "cache.read",
    "jobs.control",
    "models.usage",
    "logs.read",
    "backups.read",
    "backups.make",
    "settings.read",
    "people.manage",
    "data.all",
    "audit.read",
]

ROLES: tuple[Role, ...] = get_args(Role)
PERMISSIONS: dict[Permission, tuple[Role, str]] = {
    "apps.read": ("viewer", "see the pages and data of the apps"),
    "data.export": ("viewer", "download data"),
    "files.read": ("viewer", "download one's own files"),
    "health.read": ("viewer", "see whether everything is well"),
    "tokens.own": ("viewer", "make tokens for one's own programs"),
    "apps.write": ("analyst", "change data in the apps"),
    "data.import": ("analyst", "bring in data"),
    "files.write": ("analyst", "upload files"),
    "data.review": ("analyst", "approve and reject"),
    "jobs.read": ("analyst", "see background work"),
    "jobs.run": ("analyst", "begin background work"),
    "models.use": ("analyst", "have language models called"),
    "moves.read": ("analyst", "see the reports of moves"),
    "queries.read": ("analyst", "see what is slow"),
    "cache.read": ("analyst", "see what the cache does"),
    "jobs.control": ("admin", "cancel, pause and retry the background work of others"),
    "models.usage": ("admin", "see what language models cost"),
    "logs.read": ("admin", "read the logs"),
    "backups.read": ("admin", "see the backups"),
    "backups.make": ("admin", "make and prove backups"),
    "settings.read": ("admin", "see the settings in force, without secrets"),
    "people.manage": ("admin", "invite, disable and sign out people"),
    "data.all": ("admin", "see and change what belongs to others"),
    "audit.read": ("admin", "read the audit log"),
}
"""The least role that has each permission, and what it allows."""


def permissions_of(role: str) -> frozenset[Permission]:
    """All permissions of a role; none for a role that does not exist."""
    if role not in ROLES:
        return frozenset()
    rank = ROLES.index(role)
    return frozenset(name for name, (least, _) in PERMISSIONS.items() if ROLES.index(least) <= rank)
