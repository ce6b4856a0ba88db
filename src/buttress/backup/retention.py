"""Which backups stay: one a day, one a month, pinned ones, and the newest that was proven."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Kept(Protocol):
    """What the rule looks at."""

    @property
    def id(self) -> str:
        """Starts with the moment it was made, as YYYYMMDD."""
        ...

    @property
    def pinned(self) -> bool:
        """Whether it stays for ever."""
        ...

    @property
    def verified(self) -> bool:
        """Whether a restore of it was compared with its manifest."""
        ...


def to_keep(backups: Sequence[Kept], *, daily: int, monthly: int) -> set[str]:
    """The ids that stay.

    Of each of the newest `daily` days and `monthly` months that have any the last verified one, or
    the last one when none is verified; all that are pinned; the newest verified one, and the
    newest of all.
    """
    newest_first = sorted(backups, key=lambda backup: backup.id, reverse=True)
    kept = {backup.id for backup in newest_first if backup.pinned}
    kept |= _last_of_each(newest_first, length=len("YYYYMMDD"), periods=daily)
    kept |= _last_of_each(newest_first, length=len("YYYYMM"), periods=monthly)
    kept |= {backup.id for backup in newest_first[:1]}
    kept |= {backup.id for backup in [b for b in newest_first if b.verified][:1]}
    return kept


def _last_of_each(newest_first: Sequence[Kept], *, length: int, periods: int) -> set[str]:
    last: dict[str, str] = {}
    # The order of the periods first, then the verified ones in the place of others.
    newest = list(dict.fromkeys(backup.id[:length] for backup in newest_first))[:periods]
    for backup in sorted(newest_first, key=lambda backup: not backup.verified):
        last.setdefault(backup.id[:length], backup.id)
    return {last[period] for period in newest}
