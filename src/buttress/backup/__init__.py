"""Backups that count once a restore of them was compared with what they were taken from."""

from buttress.backup.backups import Backup, Backups, backups_of, open_backups
from buttress.backup.before import before_migration, before_move
from buttress.backup.database import Restored
from buttress.backup.manifest import Drill, Manifest

__all__ = [
    "Backup",
    "Backups",
    "Drill",
    "Manifest",
    "Restored",
    "backups_of",
    "before_migration",
    "before_move",
    "open_backups",
]
