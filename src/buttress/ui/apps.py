"""The page of apps: what is installed, what each adds, and whether its checks pass."""

from __future__ import annotations

import streamlit as st

from buttress import health
from buttress.app import App
from buttress.mover.page import plural
from buttress.ui.current import current_runtime
from buttress.ui.empty import no_apps


def page() -> st.Page:
    """Where it is in the navigation."""
    return st.Page(show, title="Apps", icon=":material/apps:", url_path="apps")


def show() -> None:
    """The page."""
    runtime = current_runtime()
    st.title("Apps")
    st.caption("Every installed package that offers an app is started with the workspace.")
    if not runtime.apps:
        no_apps()
        return
    findings = health.apps(runtime)
    for app in runtime.apps:
        own = [finding for finding in findings if finding.name.startswith(f"{app.name}: ")]
        app_card(app, own)


def app_card(app: App, findings: list[health.Finding]) -> None:
    """One app."""
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{app.title}**")
            st.badge(app.name, color="gray")
        if app.summary:
            st.markdown(app.summary)
        st.caption(f"{plural(len(app.pages), 'page')} · {plural(len(app.routes), 'route')}")
        with st.container(horizontal=True):
            for finding in findings:
                check_badge(app, finding)
        if app.routes:
            with st.expander("Routes"):
                st.table(
                    [
                        {"Method": route.method, "Path": f"/api/v1/{app.name}{route.path}"}
                        for route in app.routes
                    ],
                    border="horizontal",
                    hide_index=True,
                )


def check_badge(app: App, finding: health.Finding) -> None:
    """The answer of one check."""
    name = finding.name.removeprefix(f"{app.name}: ")
    passed = finding.status == "pass"
    st.badge(
        f"{name}: {finding.detail}" if finding.detail else name,
        icon=":material/check_circle:" if passed else ":material/warning:",
        color="green" if passed else "orange",
    )
