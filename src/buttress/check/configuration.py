"""Checks of settings and of the files they come from."""

from __future__ import annotations

import difflib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from buttress.check.facts import Facts
from buttress.check.registry import NotApplicable, NotChecked, check
from buttress.settings import known_names

OURS = ("DATABASE_URL", "REDIS_URL")
PREFIX = "BUTTRESS_"
PLACEHOLDER = re.compile(
    r"\[?your[-_ ]?(password|key|token|secret|host|project)[^\s]*\]?|change[-_ ]?me|"
    r"<(password|user|host|secret|token|key)>|xxx+|\breplace[-_ ]?me\b|\bplaceholder\b",
    re.IGNORECASE,
)
SECRET = re.compile(r"(PASSWORD|SECRET|TOKEN|KEY|_URL)$")
GIT_SECONDS = 2
MOUNTS = Path("/proc/self/mounts")
VOLATILE = {"tmpfs", "ramfs", "overlay"}


@check(
    "BT-101", "configuration", "warning", "Unknown setting",
    cure="Correct the name, or remove the variable; docs/reference/settings.md lists all.",
)  # fmt: skip
def unknown_names(facts: Facts) -> Iterator[str]:
    """A variable that starts with `BUTTRESS_` and is no setting has no effect, mostly because it is
    misspelt: the default is in force where somebody thinks to have changed it."""
    known = known_names()
    for name in sorted(facts.given.together):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.75)
            yield f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else "")


@check(
    "BT-102", "configuration", "error", "Secrets others can read",
    cure="chmod 600 .env",
)  # fmt: skip
def readable_file(facts: Facts) -> str | None:
    """`.env` holds passwords, and any user of the machine may read a file with these rights."""
    path = facts.given.path
    if not path.exists() or not any(SECRET.search(name) for name in facts.given.file):
        raise NotApplicable
    mode = path.stat().st_mode & 0o777
    return f"{path} has the rights {mode:o}" if mode & 0o077 else None


@check(
    "BT-103", "configuration", "error", "Secrets in the repository",
    cure="git rm --cached .env, add it to .gitignore, and replace every secret that was in it.",
)  # fmt: skip
def tracked_file(facts: Facts) -> str | None:
    """Whoever has a copy of the repository has the secrets in `.env`, also in its history."""
    path = facts.given.path
    if not path.exists():
        raise NotApplicable
    try:
        found = subprocess.run(
            ["git", "-C", str(path.absolute().parent), "ls-files", "--error-unmatch", path.name],
            capture_output=True,
            check=False,
            timeout=GIT_SECONDS,
        )
    except FileNotFoundError:
        raise NotApplicable from None
    except subprocess.TimeoutExpired:
        raise NotChecked("git does not answer") from None
    return f"git tracks {path}" if found.returncode == 0 else None


@check(
    "BT-104", "configuration", "error", "Placeholder instead of a value",
    cure="Write the real value, or remove the variable.",
)  # fmt: skip
def placeholders(facts: Facts) -> Iterator[str]:
    """What a template left to be filled in is still there: `[YOUR-PASSWORD]`, `changeme`."""
    for name, value in sorted(facts.given.together.items()):
        if (name in OURS or name.startswith(PREFIX)) and PLACEHOLDER.search(value):
            yield f"{name} holds a placeholder"


@check(
    "BT-105", "configuration", "error", "Not in production mode",
    cure="Set BUTTRESS_ENVIRONMENT=production.", deploy=True,
)  # fmt: skip
def environment(facts: Facts) -> str | None:
    """Development mode starts servers by itself, writes logs for people, and tells details of
    health to whoever sits at the machine."""
    if facts.settings.environment == "production":
        return None
    return f"BUTTRESS_ENVIRONMENT is {facts.settings.environment}"


@check(
    "BT-106", "configuration", "error", "Development servers in production",
    cure="Point DATABASE_URL at PostgreSQL and REDIS_URL at Valkey or Redis.", deploy=True,
)  # fmt: skip
def development_servers(facts: Facts) -> Iterator[str]:
    """The embedded servers live and die with one machine; SQLite takes one writer at a time."""
    database = facts.settings.database_url.get_secret_value()
    if database == "embedded":
        yield "DATABASE_URL is the embedded server"
    if database.startswith("sqlite"):
        yield "DATABASE_URL is a SQLite file"
    if facts.settings.redis_url.get_secret_value() == "embedded":
        yield "REDIS_URL is the embedded server"


@check(
    "BT-107", "configuration", "warning", "Data folder that does not last",
    cure="Point BUTTRESS_HOME at a disk or a volume that outlives a restart.", deploy=True,
)  # fmt: skip
def volatile_home(facts: Facts) -> str | None:
    """Backups and logs lie in the data folder unless told otherwise. What is in memory, in a
    container's own layer or below `/tmp` is gone after a restart."""
    home = facts.settings.home.absolute()
    kind = file_system_of(home, MOUNTS)
    if kind in VOLATILE:
        return f"{home} lies on {kind}"
    return f"{home} lies below /tmp" if home.is_relative_to("/tmp") else None


def file_system_of(folder: Path, mounts: Path) -> str:
    """The kind of file system a folder lies on, empty where it is not known."""
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return ""
    around = [(point, kind) for _, point, kind, *_ in lines if folder.is_relative_to(point)]
    return max(around, key=lambda found: len(found[0]))[1] if around else ""


@check(
    "BT-108", "configuration", "warning", "Debugging logs",
    cure="Set BUTTRESS_LOG_LEVEL=INFO.", deploy=True,
)  # fmt: skip
def log_level(facts: Facts) -> str | None:
    """Libraries write more at DEBUG than anybody reads, and some of it was not meant to be kept."""
    return "BUTTRESS_LOG_LEVEL is DEBUG" if facts.settings.log_level == "DEBUG" else None


@check(
    "BT-109", "configuration", "warning", "Environment against .env",
    cure="Keep one of the two: the environment wins.",
)  # fmt: skip
def contradictions(facts: Facts) -> Iterator[str]:
    """A variable set in the environment and to something else in `.env`: whoever edits the file
    sees no effect."""
    ours = known_names()
    environment = facts.given.environment
    for name, value in sorted(facts.given.file.items()):
        if name in ours and name in environment and environment[name] != value:
            yield f"{name} is one thing in the environment and another in {facts.given.path}"


@check(
    "BT-110", "configuration", "error", "Data folder that cannot be written",
    cure="Give the folder to the user the process runs as, or set BUTTRESS_HOME.",
)  # fmt: skip
def writable_home(facts: Facts) -> str | None:
    """Logs, scratch files of backups and reports of moves are written there."""
    folder = facts.settings.home.absolute()
    while not folder.exists():
        folder = folder.parent
    if os.access(folder, os.W_OK | os.X_OK):
        return None
    return f"{folder} cannot be written by user {os.geteuid()}"


@check(
    "BT-111", "configuration", "warning", "Disk nearly full",
    cure="Free some space, or give the data folder a larger disk.",
)  # fmt: skip
def disk(facts: Facts) -> str | None:
    """PostgreSQL stops when its disk is full, and so do backups and logs."""
    from buttress.health.machine import disk as usage
    from buttress.health.measures import DISK_USAGE

    found = usage(facts.settings.home)
    if found.share <= DISK_USAGE:
        return None
    return f"{found.share:.0%} of the disk of {facts.settings.home} are in use"
