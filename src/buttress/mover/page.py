"""The report as one HTML file: no other files, no scripts, fit for a screen, a phone and paper."""

from __future__ import annotations

import datetime as dt
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import jinja2

from buttress.mover.plan import Plan, Table
from buttress.mover.report import Difference, MoveReport, TableProof

_PHASES = {
    "snapshot": "Snapshot",
    "plan": "Plan",
    "copy": "Copy",
    "index": "Keys, indexes, constraints",
    "objects": "Views and triggers",
    "proof": "Proof",
    "switch": "Switch",
}

# Control characters, and those that reorder the text around them: shown as what they are.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Line:
    """One table of the report: what was planned, and what the proof found of it."""

    plan: Table
    proof: TableProof | None

    @property
    def rows(self) -> int:
        """Rows in the source."""
        return self.proof.rows if self.proof else self.plan.rows

    @property
    def state(self) -> str:
        """`planned`, `different`, `quarantine` or `proven`: the row's mark."""
        if self.proof is None:
            return "planned"
        if not self.proof.ok:
            return "different"
        return "quarantine" if self.proof.quarantined else "proven"


@dataclass(frozen=True)
class Phase:
    """One bar of the timings."""

    name: str
    seconds: float
    percent: float


def render(report: MoveReport) -> str:
    """The whole page; everything that comes from the data is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "seconds": duration,
        "bytes": size,
        "moment": moment,
    }
    return environment.get_template("report.html").render(
        report=report,
        tone=_TONES[report.verdict],
        headline=headline(report),
        summary=summary(report),
        lines=_lines(report),
        left_out=left_out(report.plan),
        differences=_differences(report),
        different=sum(table.different for table in report.proof.tables),
        phases=_phases(report),
        total=sum(report.seconds.values()),
        again=repeat_command(report),
    )


_TONES = {
    "proven": "good",
    "proven with rows in quarantine": "warn",
    "mismatch": "bad",
    "planned": "calm",
}


def headline(report: MoveReport) -> str:
    """The verdict in a few words."""
    if report.verdict == "planned":
        return "Planned; nothing has been moved yet"
    if report.verdict == "mismatch":
        return "Not proven: source and target differ"
    if report.verdict == "proven":
        return "Proven: every row is in place"
    if not report.rows_quarantined:
        return "Proven, but for what the damaged source cannot give"
    return f"Proven, with {plural(report.rows_quarantined, 'row')} in quarantine"


def summary(report: MoveReport) -> str:
    """What the verdict means, in one or two sentences."""
    moving = len(report.plan.moving)
    if report.verdict == "planned":
        rows = sum(table.rows for table in report.plan.moving)
        return (
            f"{plural(moving, 'table')} with {plural(rows, 'row')} would move. "
            "Read the types below, edit plan.toml where you know better, and move with --plan."
        )
    if report.verdict == "mismatch":
        different = sum(table.different for table in report.proof.tables)
        found = plural(different, "difference") if different else "a sequence that is behind"
        return (
            f"Both sides were read again and compared: {found} "
            f"{'was' if different == 1 else 'were' if different else 'was'} found, listed below. "
            "Do not rely on this copy."
        )
    proof = (
        f"All {plural(report.rows_proven, 'row')} of {plural(moving, 'table')} were read again on "
        "both sides, by other code than the one that copied them, and are equal in every cell."
    )
    if report.rows_quarantined:
        proof += (
            " The rows PostgreSQL cannot hold exactly lie unchanged in buttress_quarantine,"
            " each with its reason."
        )
    if report.unreadable:
        proof += " Parts of the source are damaged and could not be read."
    return proof


def left_out(plan: Plan) -> list[tuple[str, list[str]]]:
    """The tables that do not move, by reason."""
    reasons: dict[str, list[str]] = {}
    for table in plan.tables:
        if table.skip:
            reasons.setdefault(table.skip, []).append(table.name)
    return list(reasons.items())


def repeat_command(report: MoveReport) -> str:
    """The command that repeats the proof on the deployment's own database."""
    parts = ["buttress", "verify", report.source]
    if report.schema != "public":
        parts += ["--schema", report.schema]
    return shlex.join(parts)


def plural(count: int, word: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def number(value: int) -> str:
    """With thousands separated."""
    return f"{value:,}"


def duration(value: float) -> str:
    """Seconds for people."""
    if value < 0.0995:
        return f"{value * 1000:.0f} ms"
    if value < 99.5:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    return (
        f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {seconds} s"
    )


def size(value: int) -> str:
    """Bytes for people."""
    amount = float(value)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:,.0f} {unit}" if unit in ("bytes", "kB") else f"{amount:,.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def moment(value: str) -> str:
    """An ISO moment for people."""
    try:
        return f"{dt.datetime.fromisoformat(value).astimezone(dt.UTC):%d %B %Y, %H:%M} UTC"
    except ValueError:
        return value


def visible(text: str) -> str:
    """Characters nobody can see, and halves of characters, as their code."""
    text = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _finalize(value: object) -> object:
    # Markup is the template's own and already safe.
    return visible(value) if type(value) is str else value


def _lines(report: MoveReport) -> list[Line]:
    found = {proof.table: proof for proof in report.proof.tables}
    return [Line(table, found.get(table.name)) for table in report.plan.moving]


def _differences(report: MoveReport) -> list[Difference]:
    return [found for table in report.proof.tables for found in table.differences]


def _phases(report: MoveReport) -> list[Phase]:
    longest = max(report.seconds.values(), default=0.0) or 1.0
    return [
        Phase(name, report.seconds[key], max(0.5, 100 * report.seconds[key] / longest))
        for key, name in _PHASES.items()
        if key in report.seconds
    ]
