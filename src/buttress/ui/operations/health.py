"""The page of health: what is wrong first, then every check with its course."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from buttress.access import require
from buttress.check import Facts, all_checks, run
from buttress.check import Finding as CheckFinding
from buttress.check.report import Report
from buttress.health import Finding
from buttress.health.watched import Watched
from buttress.mover.page import plural
from buttress.settings import given
from buttress.ui.current import current_runtime
from buttress.ui.operations.charts import course_of_checks
from buttress.ui.operations.lists import states
from buttress.ui.operations.live import still
from buttress.ui.operations.looks import HEALTH, badge
from buttress.ui.text import count, moment, plain

EVERY = "10s"
SEVERITIES = {
    "error": ("Error", ":material/error:", "red"),
    "warning": ("Warning", ":material/warning:", "orange"),
}
DEPLOY = "As a deployment for others"


def page() -> Page:
    """Where it is in the navigation."""
    return st.Page(show, title="Health", icon=":material/monitor_heart:", url_path="health-checks")


def show() -> None:
    """The page."""
    identity = require("health.read")
    st.title("Health")
    checks()
    if identity.may("settings.read"):
        st.subheader("Configuration")
        configuration()


@st.fragment(run_every=EVERY)
def checks() -> None:
    """Every check, asked again every few seconds."""
    still("health.read")
    watched = list(current_runtime().health.watched())
    findings = current_runtime().health.ask(*watched)
    since = {one.check.name: began(one) for one in watched}
    wrong = [finding for finding in findings if finding.status != "pass"]
    with st.grid(3, min_column_width=100, border=True):
        for status, label in (("pass", "Well"), ("warn", "Warnings"), ("fail", "Failing")):
            st.metric(label, count(sum(finding.status == status for finding in findings)))
    for finding in sorted(wrong, key=lambda one: one.status != "fail"):
        card(finding, since[finding.name])
    if not wrong:
        st.success("Every check is well, and no threshold is passed.", icon=":material/verified:")
    st.subheader("Checks")
    chart, height = course_of_checks({one.check.name: one.history.measurements for one in watched})
    st.echarts_chart(
        chart, height=height, alt="The state of each check over time", key="course-of-checks"
    )
    table(findings, watched, since)


def began(watched: Watched) -> datetime | None:
    """Since when a check says what it says, as far as this process knows."""
    changes = watched.history.changes
    return changes[-1].at if changes else None


def card(finding: Finding, since: datetime | None) -> None:
    """One check that is not well: what it says, how far beyond its threshold, what to do."""
    colour = HEALTH[finding.status][2]
    with st.container(border=True, key=f"verdict-{colour}-{finding.name}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(finding.name.capitalize())}**")
            badge(HEALTH[finding.status])
        st.markdown(plain(finding.detail))
        if finding.hint:
            st.markdown(finding.hint)
        figures = ", ".join(f"{name}: {value}" for name, value in finding.figures.items())
        told = f"since {moment(since, st.context.timezone)}" if since else ""
        st.caption(plain(" · ".join(part for part in (told, figures) if part)))


def table(
    findings: list[Finding], watched: list[Watched], since: dict[str, datetime | None]
) -> None:
    """Every check on a line, the worst first."""
    order = ("fail", "warn", "pass")
    pairs = sorted(
        zip(findings, watched, strict=True), key=lambda pair: order.index(pair[0].status)
    )
    rows = [
        {
            "Check": finding.name.capitalize(),
            "State": [HEALTH[finding.status][0]],
            "Says": finding.detail,
            "Since": moment(at, st.context.timezone) if (at := since[finding.name]) else "",
            "Answered in ms": finding.milliseconds,
            "Lately, ms": [one.milliseconds for one in watch.history.measurements[-40:]],
        }
        for finding, watch in pairs
    ]
    st.dataframe(
        rows,
        hide_index=True,
        height="content",
        alt="Every check, its state and how long it took to answer",
        column_config={
            "Check": st.column_config.TextColumn(width=160),
            "State": states(HEALTH.values()),
            "Says": st.column_config.TextColumn(width=240),
            "Answered in ms": st.column_config.NumberColumn(format="%.1f"),
            "Lately, ms": st.column_config.LineChartColumn(width=115, y_min=0),
        },
    )
    st.caption(
        "Kept by this process since it started. Probes ask the same at `/health/detailed`; what "
        "each threshold is stands in docs/howto/health.md."
    )


def configuration() -> None:
    """What `buttress check` finds, when it is asked for: it takes seconds."""
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.button("Check the configuration", icon=":material/fact_check:")
        deploy = st.toggle(DEPLOY, help="Also what only matters once other people use it.")
    if asked:
        with st.spinner("Looking at settings, servers, rights, backups and packages"):
            st.session_state["health-report"] = look(deploy=deploy)
    report: Report | None = st.session_state.get("health-report")
    if report is None:
        st.caption("Looks at settings, servers, rights, backups, packages: `buttress check`.")
        return
    st.caption(
        f"{plural(report.checked, 'check')}: {plural(report.count('error'), 'error')}, "
        f"{plural(report.count('warning'), 'warning')}, "
        f"{count(report.count('not checked'))} could not be asked"
    )
    found = [one for one in report.findings if one.outcome != "not checked"]
    if not found:
        st.success("Nothing is wrong with what could be asked.", icon=":material/verified:")
    for finding in sorted(found, key=lambda one: one.outcome != "error"):
        check_card(finding)
    unchecked = [one for one in report.findings if one.outcome == "not checked"]
    if unchecked:
        with st.expander(f"{count(len(unchecked))} could not be asked"):
            for finding in unchecked:
                st.markdown(
                    f"- {finding.check.id} {plain(finding.check.title)}: {plain(finding.text)}"
                )


def look(*, deploy: bool) -> Report:
    """Ask the checks of this process's own runtime."""
    runtime = current_runtime()
    facts = Facts(runtime.settings, given(), Path(), runtime)
    try:
        return run(facts, all_checks(), deploy=deploy)
    finally:
        facts.close()


def check_card(finding: CheckFinding) -> None:
    """One finding with its cure."""
    words, icon, colour = SEVERITIES[finding.outcome]
    with st.container(border=True, key=f"verdict-{colour}-{finding.check.id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(finding.check.title)}**")
            st.badge(words, icon=icon, color=colour)  # type: ignore[arg-type]
        st.markdown(plain(finding.text))
        st.markdown(f"Cure: {plain(finding.check.cure)}")
        st.caption(f"{finding.check.id}, explained in docs/{finding.check.page}")
