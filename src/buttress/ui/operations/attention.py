"""What needs attention, for whoever may see it, each with the way to its page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st
from streamlit.navigation.page import Page

from buttress.access import Identity, Permission
from buttress.health import Finding
from buttress.jobs import JobStatus
from buttress.ui.current import current_runtime
from buttress.ui.empty import all_is_well
from buttress.ui.operations import backups, health, jobs
from buttress.ui.operations.live import still
from buttress.ui.operations.looks import HEALTH, badge
from buttress.ui.text import count, plain

EVERY = "15s"
LATELY = timedelta(days=1)
FAILED_LOOKED_AT = 100
OWN: dict[str, Permission] = {"backups": "backups.read", "jobs": "jobs.read"}
"""Checks that have a page of their own, with what that needs."""


@st.fragment(run_every=EVERY)
def attention() -> None:
    """Checks that are not well, which backups and migrations are among, and jobs that failed."""
    identity = still("health.read")
    watch = current_runtime().health
    findings = [
        finding
        for finding in watch.ask(*watch.watched())
        if finding.status != "pass" and identity.may(OWN.get(finding.name, "health.read"))
    ]
    failed = failed_lately() if identity.may("jobs.read") else []
    if not findings and not failed:
        all_is_well()
        return
    with st.container(border=True, gap="small"):
        for finding in sorted(findings, key=lambda one: one.status != "fail"):
            one_finding(finding, identity)
        if failed:
            failures(failed)


def failed_lately() -> list[JobStatus]:
    """Jobs that failed within the last day, of the last hundred that failed."""
    since = datetime.now(UTC) - LATELY
    found = current_runtime().jobs.find(state="failed", limit=FAILED_LOOKED_AT)
    return [job for job in found if job.ended_at is not None and job.ended_at >= since]


def one_finding(finding: Finding, identity: Identity) -> None:
    """A check that is not well, and where to read on."""
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(HEALTH[finding.status])
        st.page_link(page_of(finding.name), label=plain(finding.name.capitalize()))
        st.markdown(plain(finding.detail), width="content")
    if finding.hint:
        st.caption(finding.hint)


def page_of(name: str) -> Page:
    """Where the cause of a warning is shown."""
    pages = {"backups": backups.page, "jobs": jobs.page}
    return pages.get(name, health.page)()


def failures(failed: list[JobStatus]) -> None:
    """How many jobs failed, and which was the last."""
    latest = max(failed, key=lambda job: job.ended_at or job.created_at)
    words = "job" if len(failed) == 1 else "jobs"
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(("Failed", ":material/error:", "red"))
        st.page_link(jobs.page(), label=plain(latest.name), query_params={"id": latest.id})
        st.markdown(
            f"{count(len(failed))} {words} failed within a day; the last: "
            f"{plain(latest.error or latest.state)}"
        )
