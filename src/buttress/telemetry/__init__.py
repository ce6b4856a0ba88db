"""What a process tells of itself: logs, where it is, how long work takes, what Prometheus collects.

Code logs with the standard library, an event and its fields:

    log = logging.getLogger(__name__)
    log.info("table copied", extra={"table": table.name, "rows": rows, "seconds": 0.21})

Lines for people in development, JSON lines in production, and a rotating file in both. Work is
timed by its name, sync or async:

    @timed("PDF processing")
    def read_pages(file): ...
"""

from buttress.telemetry.exporting import exporting
from buttress.telemetry.lines import LogLine, RecentLines, recent_lines
from buttress.telemetry.logs import TALKATIVE, HumanLines, JsonLines, configure_logging, log_file
from buttress.telemetry.metrics.page import Collector, collectors
from buttress.telemetry.redaction import redacted, without_secrets
from buttress.telemetry.spans import add_span, annotate, span, traceparent, tracers
from buttress.telemetry.whom import (
    Context,
    Place,
    context,
    doing_job,
    entering,
    handed_on,
    place,
    working_for,
)
from buttress.telemetry.work import Listener, listeners, timed, track

__all__ = [
    "TALKATIVE",
    "Collector",
    "Context",
    "HumanLines",
    "JsonLines",
    "Listener",
    "LogLine",
    "Place",
    "RecentLines",
    "add_span",
    "annotate",
    "collectors",
    "configure_logging",
    "context",
    "doing_job",
    "entering",
    "exporting",
    "handed_on",
    "listeners",
    "log_file",
    "place",
    "recent_lines",
    "redacted",
    "span",
    "timed",
    "traceparent",
    "tracers",
    "track",
    "without_secrets",
    "working_for",
]
