"""What a process tells of itself: logs, where it is, how long work takes, what Prometheus collects.

Code logs with the standard library, an event and its fields:

    log = logging.getLogger(__name__)
    log.info("table copied", extra={"table": table.name, "rows": rows, "seconds": 0.21})

Lines for people in development, JSON lines in production, and a rotating file in both. Work is
timed by its name, sync or async:

    @timed("PDF processing")
    def read_pages(file): ...
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import logging.handlers
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter_ns
from typing import IO, Any, Literal, Protocol, TypeVar, cast

from buttress.settings import Settings

FILE_BYTES = 5_000_000
FILES_KEPT = 5
BLOCK_BYTES = 65_536
LINE_BYTES = 1_000_000
"""A longer line is passed over when the file is read back."""
LOOK_BYTES = FILE_BYTES
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
    """What the caller passed as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


class HumanLines(logging.Formatter):
    """`12:00:01 info  buttress.mover  table copied  table=users rows=20`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it when there is one."""
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        extra = "".join(f" {name}={value}" for name, value in fields(record).items())
        line = f"{at} {record.levelname.lower():<7} {record.name}  {record.getMessage()}{extra}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


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
            "event": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def configure_logging(settings: Settings) -> None:
    """Send the logs of this process to standard error and to `<home>/logs/buttress.log`.

    Calling it again replaces what an earlier call set up. The file is left out when the folder
    cannot be written: a full or read-only disk is no reason not to start.
    """
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
    file = logging.handlers.RotatingFileHandler(
        folder / "buttress.log", maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8"
    )
    file.setFormatter(JsonLines())
    return file


@dataclass(frozen=True)
class LogLine:
    """One line of the log file, read back."""

    at: datetime
    level: str
    logger: str
    event: str
    fields: dict[str, Any]
    traceback: str = ""


@dataclass(frozen=True)
class RecentLines:
    """Lines of the log file, the newest first; not `whole` when older ones were not looked at."""

    lines: list[LogLine]
    whole: bool


def recent_lines(
    folder: Path,
    wanted: Callable[[LogLine], bool] = lambda line: True,
    *,
    most: int = 200,
    look_bytes: int = LOOK_BYTES,
) -> RecentLines:
    """The last lines that are wanted, from the end of the log file and of those before it.

    At most `look_bytes` are read, a block at a time. What is no line of ours is passed over, and
    a file that is not there has no lines.
    """
    found: list[LogLine] = []
    left = look_bytes
    seen: set[int] = set()
    for name in (
        "buttress.log",
        *(f"buttress.log.{number}" for number in range(1, 1 + FILES_KEPT)),
    ):
        try:
            file = (folder / name).open("rb")
        except FileNotFoundError:
            continue
        with file:
            status = os.fstat(file.fileno())
            if status.st_ino in seen:  # it was given its next name while we read
                continue
            seen.add(status.st_ino)
            for raw in _backwards(file, max(status.st_size - left, 0)):
                line = _read_line(raw)
                if line is not None and wanted(line):
                    if len(found) == most:
                        return RecentLines(found, whole=False)
                    found.append(line)
            left -= status.st_size
        if left < 0:
            return RecentLines(found, whole=False)
    return RecentLines(found, whole=True)


def _backwards(file: IO[bytes], until: int) -> Iterator[bytes]:
    """The lines after a position, the last one first, and the one it falls into left out."""
    position, rest, too_long = file.seek(0, os.SEEK_END), b"", False
    while position > until:
        begin = max(position - BLOCK_BYTES, until)
        file.seek(begin)
        first, *lines = (file.read(position - begin) + rest).split(b"\n")
        position = begin
        if lines and too_long:
            lines.pop()
            too_long = False
        yield from reversed(lines)
        too_long = too_long or len(first) > LINE_BYTES
        rest = b"" if too_long else first
    if position == 0 and not too_long:
        yield rest


def _read_line(raw: bytes) -> LogLine | None:
    """What `JsonLines` wrote; None for anything else."""
    try:
        entry = json.loads(raw)
        at = datetime.fromisoformat(entry.pop("at"))
        names = ("level", "logger", "event")
        level, logger, event = (str(entry.pop(name)) for name in names)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return LogLine(at, level, logger, event, entry, str(entry.pop("traceback", "")))


class Place:
    """What this thread or task does for somebody: it answers a route, shows a page, runs a job."""

    __slots__ = ("name", "seen")

    def __init__(self, kind: Literal["route", "page", "job"], name: str) -> None:
        self.name = f"{kind} {name}"
        self.seen: dict[Any, int] = {}
        """What the query monitor has counted since it began."""


place: ContextVar[Place | None] = ContextVar("place", default=None)


@contextmanager
def entering(kind: Literal["route", "page", "job"], name: str) -> Iterator[None]:
    """Everything inside is told as done there, by the query monitor for one."""
    token = place.set(Place(kind, name))
    try:
        yield
    finally:
        place.reset(token)


@dataclass(frozen=True)
class Context:
    """For whom and for what this thread or task works, as far as somebody said."""

    app: str | None = None
    person: str | None = None
    request_id: str | None = None
    job_id: str | None = None


_context: ContextVar[Context | None] = ContextVar("context", default=None)


def context() -> Context:
    """For whom and for what this thread or task works."""
    return _context.get() or Context()


@contextmanager
def working_for(
    *,
    app: str | None = None,
    person: str | None = None,
    request_id: str | None = None,
    job_id: str | None = None,
) -> Iterator[None]:
    """Everything inside is done for them; what is not named stays as it was around."""
    said = {"app": app, "person": person, "request_id": request_id, "job_id": job_id}
    known = {name: value for name, value in said.items() if value is not None}
    token = _context.set(replace(context(), **known))
    try:
        yield
    finally:
        _context.reset(token)


Listener = Callable[[str, int, int, BaseException | None], None]
"""Called with the name of work, when it began and ended (`perf_counter_ns`), and its error."""

listeners: list[Listener] = []
"""Told of all work that is timed; an open runtime's monitor is one of them."""


class track:  # noqa: N801 — used like a function
    """`with track("fetch users"):` counts and times what is inside, and whether it fails."""

    def __init__(self, name: str, tell: Iterable[Listener] = listeners) -> None:
        self.name = name
        self.tell = tell

    def __enter__(self) -> None:
        self.began = perf_counter_ns()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        ended = perf_counter_ns()
        for listener in self.tell:
            listener(self.name, self.began, ended, error)


F = TypeVar("F", bound=Callable[..., Any])


def timed(name: str) -> Callable[[F], F]:
    """Count and time every call of a function or coroutine function under this name.

    Applied when a module is imported; calls are recorded while a runtime is open.
    """

    def decorate(function: F) -> F:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **options: Any) -> Any:
                with track(name):
                    return await function(*args, **options)

            return cast("F", awaited)

        @functools.wraps(function)
        def called(*args: Any, **options: Any) -> Any:
            with track(name):
                return function(*args, **options)

        return cast("F", called)

    return decorate


class Collector(Protocol):
    """What prometheus-client calls a custom collector."""

    def collect(self) -> Iterable[Any]:
        """Metric families of prometheus-client, made when they are asked for."""


collectors: list[Collector] = []
"""Rooms with something to measure add theirs when they open, and take it away when they close."""
