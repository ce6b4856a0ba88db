"""The backups that lie in a store: find, read, pin and forget them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import buttress.backup.manifest as documents
from buttress.backup import leases
from buttress.backup.manifest import Drill, Manifest
from buttress.backup.store import Store, read_all
from buttress.backup.writing import present_in
from buttress.errors import BadInput, ButtressError, Conflict, NotFound, Unsupported

MANIFEST, DRILL, PINNED = "manifest.json", "drill.json", "pinned"
INDEX = "chunks.list"
LATEST = "latest"


@dataclass(frozen=True)
class Backup:
    """A backup that is whole: its manifest is there."""

    manifest: Manifest
    drill: Drill | None
    pinned: bool
    checksum: str
    """Of the manifest as it lies in the store."""

    @property
    def id(self) -> str:
        """Starts with the moment it was made."""
        return self.manifest.id

    @property
    def verified(self) -> bool:
        """Whether a restore of it into a scratch database equalled the manifest."""
        return (
            self.drill is not None
            and not self.drill.differences
            and self.drill.manifest == self.checksum
        )


class Shelf:
    """All backups of one store.

    Attributes
    ----------
    store
        Where they lie.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def all(self) -> list[Backup]:
        """All that are whole and readable, the newest first."""
        names = self.store.names()
        found = []
        for name in _ids(names):
            try:
                found.append(self._read(name, names))
            except (BadInput, NotFound, Unsupported):
                continue  # told by `damaged` or `newer`, or deleted meanwhile
        return sorted(found, key=lambda backup: backup.id, reverse=True)

    def damaged(self) -> list[str]:
        """The ids whose manifest is not what was written."""
        return self._failing(BadInput)

    def newer(self) -> list[str]:
        """The ids whose manifest only a newer Buttress can read."""
        return self._failing(Unsupported)

    def _failing(self, how: type[ButtressError]) -> list[str]:
        names, found = self.store.names(), []
        for name in _ids(names):
            try:
                self._read(name, names)
            except how:
                found.append(name)
            except (BadInput, NotFound, Unsupported):
                continue  # fails otherwise, or deleted meanwhile
        return found

    def find(self, name: str = LATEST) -> Backup:
        """One by its id, or by the start of it, or `latest`; raises NotFound."""
        names = self.store.names()
        ids = sorted(_ids(names))
        if name == LATEST:
            matching = ids[-1:]
        else:
            matching = [one for one in ids if one == name] or [
                one for one in ids if one.startswith(name)
            ]
        if len(matching) > 1:
            raise Conflict(f"{name} is the start of {len(matching)} backups", hint="Write more.")
        if not matching:
            raise NotFound(
                f"there is no backup {name} in {self.store.label}",
                hint="`buttress backup list` names them; `buttress backup` makes one.",
            )
        return self._read(matching[0], names)

    def stored_bytes(self) -> int:
        """What all backups take in the store together."""
        files = sum(backup.manifest.files_bytes for backup in self.all())
        return files + sum(present_in(self.store).values())

    def pin(self, name: str, *, pinned: bool = True) -> Backup:
        """Keep it for ever, or no longer."""
        backup = self.find(name)
        if pinned:
            self.write(backup.id, PINNED, b"")
        else:
            self.store.delete(f"{backup.id}/{PINNED}")
        return self.find(backup.id)

    def manifests(self) -> list[Manifest]:
        """Of all that can be read, the newest first."""
        names, found = self.store.names(), []
        for name in sorted(_ids(names), reverse=True):
            with suppress(BadInput, NotFound, Unsupported):  # cannot be read: shares no chunks
                found.append(self._read(name, names).manifest)
        return found

    def _read(self, name: str, names: list[str]) -> Backup:
        path = f"{name}/{MANIFEST}"
        signed = documents.decode(read_all(self.store, path), Manifest, name=path)
        manifest = signed.content
        if manifest.id != name:
            raise BadInput(f"{path} is the manifest of {manifest.id}")
        drill = None
        if f"{name}/{DRILL}" in names:
            # Without its record it is not verified, and can be again.
            with suppress(BadInput, NotFound):
                drill = documents.decode(
                    read_all(self.store, f"{name}/{DRILL}"), Drill, name=f"{name}/{DRILL}"
                ).content
        return Backup(manifest, drill, f"{name}/{PINNED}" in names, signed.checksum)

    def write(self, name: str, part: str, data: bytes) -> None:
        """Put a part of a backup."""
        with self.store.write(f"{name}/{part}") as file:
            file.write(data)

    def delete(self, name: str, names: list[str]) -> None:
        """Forget a backup, whose parts are among `names`; its chunks stay."""
        # The manifest first: what is cut short here is no backup any more.
        parts = [one for one in names if one.startswith(f"{name}/")]
        for part in sorted(parts, key=lambda part: not part.endswith(MANIFEST)):
            self.store.delete(part)


def _ids(names: list[str]) -> list[str]:
    return [name.partition("/")[0] for name in names if name.endswith(f"/{MANIFEST}")]


def abandoned(names: list[str]) -> list[str]:
    """Ids without a manifest that are too old to be under way."""
    limit = f"{datetime.now(UTC) - leases.ABANDONED_AFTER:%Y%m%dT%H%M%S}"
    whole = set(_ids(names))
    begun = {name.partition("/")[0] for name in names if "/" in name}
    return sorted(name for name in begun - whole if name[:1].isdigit() and name < limit)
