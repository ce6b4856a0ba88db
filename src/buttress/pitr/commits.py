"""When the last transaction of the archived log was committed."""

from __future__ import annotations

import gzip
import re
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from buttress.pitr.archive import WAL, Archive
from buttress.pitr.programs import Programs

COMMIT = re.compile(r"desc: (?:COMMIT|ABORT)\S* .*?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC")


def last_commit(programs: Programs, archive: Archive, segments: Sequence[str]) -> datetime | None:
    """The moment of the last commit in these segments, which are in order; None without any."""
    with tempfile.TemporaryDirectory(prefix=WAL, dir=archive.folder) as folder:
        programs.give(Path(folder))
        for name in reversed(segments):
            segment = Path(folder) / name
            with gzip.open(archive.wal / f"{name}.gz") as packed, segment.open("wb") as file:
                shutil.copyfileobj(packed, file)
            segment.chmod(0o644)
            # It ends with an error where the log goes on in the next segment, or ends.
            said = programs.output("pg_waldump", "--rmgr=Transaction", str(segment))
            if found := COMMIT.findall(said):
                return datetime.fromisoformat(found[-1]).replace(tzinfo=UTC)
            segment.unlink()
    return None
