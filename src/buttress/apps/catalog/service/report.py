"""The executive report: the dashboard's figures as one HTML file, or as PDF.

Both hold the same figures and the same drawings. The HTML names nothing outside of itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

import jinja2
from markupsafe import Markup
from sqlalchemy.orm import Session

from buttress.apps.catalog.agreement import Agreement, Unsaid
from buttress.apps.catalog.dashboard import Window, agreeing
from buttress.apps.catalog.dashboard.executive import Executive, executive
from buttress.apps.catalog.dashboard.performance import Performance, performance
from buttress.apps.catalog.dashboard.quality import Quality, quality
from buttress.apps.catalog.products import KINDS
from buttress.apps.catalog.service import drawing
from buttress.apps.catalog.service.engines import OFFLINE

AGREEMENT = (
    ("Quadratic kappa", "kappa_quadratic"),
    ("ICC(2,1)", "icc"),
    ("Spearman", "spearman"),
    ("Mean error, points", "mae"),
    ("Share within one grade", "within_one"),
    ("Share of evaluations rated", "coverage"),
)
TITLES = {str(one): kind.title for one, kind in KINDS.items()}
SHOWN = ("overall", "structure", "content", "translation")
Table = list[list[str]]


@dataclass(frozen=True)
class Report:
    """What the report says of a window."""

    window: Window
    made_at: datetime
    executive: Executive
    agreement: Agreement
    performance: Performance
    quality: Quality


@dataclass(frozen=True)
class Section:
    """A part of the report: a table under a heading, and a drawing where there is one."""

    title: str
    table: Table
    drawing: Any = None
    remark: str = ""


def gather(session: Session, window: Window) -> Report:
    """The figures of the window."""
    return Report(
        window,
        datetime.now(UTC),
        executive(session, window),
        agreeing.overall_agreement(session, window),
        performance(session, window),
        quality(session, window),
    )


def as_html(report: Report) -> str:
    """One file, with its drawings inside."""
    return _template().render(
        title=heading(report),
        about=about(report),
        alerts=report.executive.alerts,
        sections=[
            (one, Markup(drawing.svg(one.drawing)) if one.drawing else "")  # drawn here
            for one in sections(report)
        ],
    )


def as_pdf(report: Report) -> bytes:
    """The same as A4 pages."""
    # Takes a while to import, and few processes make a PDF.
    from buttress.apps.catalog.service.printed import pages

    out = BytesIO()
    pages(out, heading(report), about(report), report.executive.alerts, sections(report))
    return out.getvalue()


def heading(report: Report) -> str:
    """`Catalog, 24 Oct to 22 Nov 2026`."""
    window = report.window
    return f"Catalog, {window.since:%d %b} to {window.until:%d %b %Y}"


def about(report: Report) -> str:
    """What it is about, and when it was made."""
    window = report.window
    only = [f"type {titled(window.product_type)}"] if window.product_type else []
    only += [f"model {model(window.model)}"] if window.model else []
    return (
        f"{report.executive.now.evaluations:,} evaluations in {window.days} days"
        + (f", of {' and '.join(only)} only" if only else "")
        + f". Changes are against the {window.days} days before. "
        f"Made {report.made_at:%d %b %Y, %H:%M} UTC."
    )


def sections(report: Report) -> list[Section]:
    """All parts that have something to say."""
    found = [figures(report), trend(report), types(report), agreement(report), models(report)]
    found.append(criticisms(report))
    return [one for one in found if len(one.table) > 1 or one.drawing]


def figures(report: Report) -> Section:
    """The first figures, with what changed."""
    now, before = report.executive.now, report.executive.before
    table = [["Figure", "Now", "Before", "Change"]]
    for label, name, shape in (
        ("Evaluations", "evaluations", ",.0f"),
        ("Overall score, 1 to 5", "overall", ".2f"),
        ("Structure", "structure", ".2f"),
        ("Content", "content", ".2f"),
        ("Translation", "translation", ".2f"),
        ("Share with 4 and more", "good", ".1%"),
        ("Share below 3", "poor", ".1%"),
        ("Criticisms of each", "issues", ".2f"),
    ):
        value, was = getattr(now, name), getattr(before, name)
        change = "" if value is None or was is None else f"{value - was:+z{shape}}"
        table.append([label, told(value, shape), told(was, shape), change])
    return Section("Figures", table)


def trend(report: Report) -> Section:
    """The mean score by day."""
    days = report.executive.trend
    drawn = (
        drawing.line([f"{one.day:%d %b}" for one in days], [one.overall for one in days])
        if len(days) > 1
        else None
    )
    return Section("Mean score by day", [[]], drawn)


def types(report: Report) -> Section:
    """Each type of product."""
    found = report.executive.types
    table = [["Type", "Evaluations", "Overall", "Structure", "Content", "Translation"]]
    table += [
        [titled(one.product_type), f"{one.means.evaluations:,}"]
        + [told(getattr(one.means, name), ".2f") for name in SHOWN]
        for one in found
    ]
    return Section("Types of product", table)


def agreement(report: Report) -> Section:
    """How far people agree with the scores."""
    table = [["Figure", "Value", "95 % interval"]]
    for label, name in AGREEMENT:
        said = getattr(report.agreement, name)
        if isinstance(said, Unsaid):
            table.append([label, "", str(said)])
        elif isinstance(said.interval, Unsaid):
            table.append([label, f"{said.value:.2f}", f"none: {said.interval.because}"])
        else:
            interval = f"{said.interval.low:.2f} to {said.interval.high:.2f}"
            table.append([label, f"{said.value:.2f}", interval])
    return Section(
        "Agreement with people", table, remark=f"{report.agreement.n:,} pairs of scores."
    )


def models(report: Report) -> Section:
    """Each model, the best first."""
    found = report.performance.models
    table = [["Model", "Evaluations", "Overall", "Content", "Seconds", "Cost, USD"]]
    table += [
        [
            model(one.model),
            f"{one.means.evaluations:,}",
            told(one.means.overall, ".2f"),
            told(one.means.content, ".2f"),
            told(one.seconds, ".1f"),
            told(one.cost_usd, ".4f"),
        ]
        for one in found
    ]
    scored = [(model(one.model), one.means.overall) for one in found if one.means.overall]
    return Section("Models", table, drawing.bars(scored) if scored else None)


def criticisms(report: Report) -> Section:
    """What took points most often."""
    table = [["Rule", "Metric", "Times", "Points"]]
    table += [
        [one.rule, one.metric, f"{one.times:,}", f"{one.points:,.1f}"]
        for one in report.quality.criticisms
    ]
    return Section("Criticisms", table)


def titled(product_type: str) -> str:
    """As people call the type."""
    return TITLES.get(product_type, product_type)


def model(name: str) -> str:
    """Who extracts, honestly named: rules are no intelligence."""
    return "offline engine: rules" if name == OFFLINE else name


def told(value: float | None, shape: str) -> str:
    """A number, or that there is none."""
    return "none" if value is None else format(value, shape)


@cache
def _template() -> jinja2.Template:
    source = files("buttress.apps.catalog.service").joinpath("report.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(source)
