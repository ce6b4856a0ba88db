"""Lines of the log: their form, and where they go."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from buttress.settings import Settings
from buttress.telemetry.redaction import redacted, remember, secrets_of, without_secrets
from buttress.telemetry.shared_file import FILE_BYTES, FILES_KEPT, NAME, SharedFile
from buttress.telemetry.whom import context

TALKATIVE = (
    "alembic",
    "anthropic",
    "buttress.db.pool",
    "google_genai",
    "groq",
    "httpcore",
    "httpx",
    "httpx2",
    "openai",  # at DEBUG it tells prompts
    "urllib3",
    "watchdog",
)
"""Libraries, and what logs in their name, that report their own workings as news."""
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


def fields(record: logging.LogRecord) -> dict[str, object]:
    """What the caller passed as `extra`, without what is secret in it."""
    return {
        name: without_secrets(value, name)
        for name, value in vars(record).items()
        if name not in STANDARD
    }


class HumanLines(logging.Formatter):
    """`12:00:01 info  buttress.mover  table copied  table=users rows=20`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it when there is one."""
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        extra = "".join(f" {name}={value}" for name, value in fields(record).items())
        event = redacted(record.getMessage())
        line = f"{at} {record.levelname.lower():<7} {record.name}  {event}{extra}"
        return f"{line}\n{traceback(self, record)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `event`, for whom, fields, `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the fields hold."""
        entry = {
            **{name: value for name, value in asdict(context()).items() if value is not None},
            **fields(record),
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": redacted(record.getMessage()),
        }
        if record.exc_info:
            entry["traceback"] = traceback(self, record)
        return json.dumps(entry, default=str, ensure_ascii=False)


def traceback(lines: logging.Formatter, record: logging.LogRecord) -> str:
    """Where it happened, without what is secret in the messages of the errors."""
    return redacted(lines.formatException(record.exc_info)) if record.exc_info else ""


def configure_logging(settings: Settings) -> None:
    """Send the logs of this process to standard error and to `<home>/logs/buttress.log`.

    Calling it again replaces what an earlier call set up. The file is left out when the folder
    cannot be written: a full or read-only disk is no reason not to start.
    """
    remember(secrets_of(settings))
    production = settings.environment == "production"
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(JsonLines() if production else HumanLines())
    handlers: list[logging.Handler] = [stream]
    unwritable: OSError | None = None
    try:
        handlers.append(log_file(settings.home / "logs"))
    except OSError as error:
        unwritable = error
    logging.basicConfig(level=settings.log_level, handlers=handlers, force=True)
    logging.captureWarnings(capture=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
    if unwritable:
        logging.getLogger(__name__).warning("no log file", extra={"reason": str(unwritable)})


def log_file(folder: Path) -> logging.Handler:
    """A file of JSON lines that starts anew at 5 MB and keeps the last five; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    file = SharedFile(
        folder / NAME,
        maxBytes=FILE_BYTES,
        backupCount=FILES_KEPT,
        encoding="utf-8",
        errors="backslashreplace",
    )
    file.setFormatter(JsonLines())
    return file
