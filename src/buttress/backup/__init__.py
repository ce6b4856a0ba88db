"""Backups that count once a restore of them was compared with what they were taken from."""

from buttress.backup.backups import Backups, backups_of, open_backups
from buttress.backup.before import before_import, before_migration, before_move
from buttress.backup.database import Restored
from buttress.backup.manifest import Drill, Manifest
from buttress.backup.shelf import Backup
from buttress.backup.tables import RestoredTable

__all__ = [
    "Backup",
    "Backups",
    "Drill",
    "Manifest",
    "Restored",
    "RestoredTable",
    "backups_of",
    "before_import",
    "before_migration",
    "before_move",
    "open_backups",
]
