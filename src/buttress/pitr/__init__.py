"""Point-in-time recovery of the embedded server: base backups, its write-ahead log, and back."""

from buttress.pitr.archive import Archive, Base
from buttress.pitr.pitr import PointInTime, Pruned, Recovered, Status, open_pitr

__all__ = ["Archive", "Base", "PointInTime", "Pruned", "Recovered", "Status", "open_pitr"]
