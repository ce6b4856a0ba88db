"""Backups as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buttress.cli.context import out

if TYPE_CHECKING:
    from buttress.backup import Backup

MEGABYTE = 1_000_000


def show_line(backup: Backup) -> None:
    """One backup on one line."""
    manifest = backup.manifest
    marks = [backup_state(backup), *(["pinned"] if backup.pinned else [])]
    out.print(
        f"{backup.id}  {manifest.new_bytes / MEGABYTE:9.1f} MB new  "
        f"{manifest.content.rows:>11,} rows  {manifest.seconds:6.1f} s  "
        f"{', '.join(marks)}  {manifest.reason}",
        markup=False,
    )


def backup_state(backup: Backup) -> str:
    """`verified` when a restore of it was equal, `differs` when it was not, else `not verified`."""
    if backup.verified:
        return "verified"
    return "differs" if backup.drill and backup.drill.differences else "not verified"


def totals(found: list[Backup], place: str, stored: int) -> str:
    """How many, how many of them verified, and what all of them take beside what they hold."""
    alone = sum(one.manifest.stored_bytes for one in found)
    verified = sum(one.verified for one in found)
    ratio = f", {alone / stored:.1f} times less than if nothing were shared" if stored else ""
    return f"{len(found)} in {place}, {verified} verified, {stored / MEGABYTE:,.1f} MB{ratio}"


def described(backup: Backup) -> list[str]:
    """One backup for a reader, a fact a line, then its tables with the largest first."""
    manifest, drill = backup.manifest, backup.drill
    key = "encrypted" if manifest.encryption else "not encrypted"
    lines = [
        f"backup      {backup.id}{', pinned' if backup.pinned else ''}",
        f"of          {manifest.database}, {manifest.backend} {manifest.server_version}",
        f"made        {manifest.started_at} by {manifest.by}, {manifest.reason}, "
        f"in {manifest.seconds:.1f} s",
        f"database    {manifest.database_bytes / MEGABYTE:,.1f} MB, "
        f"{len(manifest.content.tables)} tables, {manifest.content.rows:,} rows",
        f"stored      {manifest.new_bytes / MEGABYTE:,.1f} MB that were new, "
        f"{manifest.stored_bytes / MEGABYTE:,.1f} MB if it were alone, {key}",
    ]
    if manifest.chunked:
        chunked = manifest.chunked
        ratio = chunked.bytes / max(manifest.stored_bytes, 1)
        lines.append(
            f"dump        {chunked.bytes / MEGABYTE:,.1f} MB in {chunked.chunks} chunks, "
            f"{chunked.new_chunks} of them new, compressed {ratio:.1f} times"
        )
    lines.append(f"revisions   {', '.join(manifest.revisions) or 'none'}")
    proof = f", restored and compared {drill.at} in {drill.seconds:.1f} s" if drill else ""
    lines.append(f"state       {backup_state(backup)}{proof}")
    lines += [f"            {difference}" for difference in drill.differences] if drill else []
    for table in sorted(manifest.content.tables, key=lambda table: -table.rows):
        lines.append(f"{table.rows:>15,} rows  {table.label}")
    return lines


def facts(backup: Backup, *, whole: bool = False) -> dict[str, object]:
    """Manifest, drill and state; with `whole` the digests of all tables too."""
    import msgspec

    manifest: dict[str, object] = msgspec.to_builtins(backup.manifest)
    if not whole:
        manifest["content"] = {"tables": len(backup.manifest.content.tables),
                               "rows": backup.manifest.content.rows}  # fmt: skip
    drill = msgspec.to_builtins(backup.drill)
    return manifest | {"state": backup_state(backup), "pinned": backup.pinned, "drill": drill}
