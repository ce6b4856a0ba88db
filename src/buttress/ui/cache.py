"""The page of the cache: what it guarantees, what it answers, and what goes past it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from buttress.cache import CacheStats, Explanation
from buttress.ui.current import current_runtime
from buttress.ui.empty import nothing_cached
from buttress.ui.operations.live import still
from buttress.ui.text import count, plain, size

EVERY = "10s"
WINDOWS = {"5 minutes": 300.0, "1 hour": 3600.0, "Since the start": None}
MODES = {
    "wal": "Strict, without a round trip",
    "barrier": "Strict, one round trip",
    "sqlite": "Strict, on SQLite",
    "off": "Off: every read computes",
}


def page() -> st.Page:
    """Where it is in the navigation."""
    return st.Page(show, title="Cache", icon=":material/bolt:", url_path="cache")


def show() -> None:
    """The page."""
    st.title("Cache")
    guarantee(current_runtime().cache.explain())
    window = st.segmented_control("Window", list(WINDOWS), default="1 hour")
    numbers(WINDOWS[window or "1 hour"])


def guarantee(told: Explanation) -> None:
    """Which mode is in force, what that means, and what stands in the way of a better one."""
    off = told.mode == "off"
    with st.container(border=True, gap="xsmall"):
        st.badge(
            MODES[told.mode],
            icon=":material/block:" if off else ":material/verified:",
            color="orange" if off else "green",
        )
        st.markdown(plain(told.guarantee))
        st.caption(plain(told.cost))
        if told.why:
            st.caption(f"Why not better: {plain(told.why)}.")
    if told.shared not in ("ok", "off"):
        st.warning(
            f"Valkey does not answer ({plain(told.shared)}): each process keeps values alone.",
            icon=":material/sync_problem:",
        )
    for table, why in sorted(told.unwatched.items()):
        st.warning(f"{plain(table)} is read uncached: {plain(why)}.", icon=":material/warning:")


@st.fragment(run_every=EVERY)
def numbers(seconds: float | None) -> None:
    """What was answered how, asked again every few seconds."""
    still("cache.read")
    stats = current_runtime().cache.stats(window_seconds=seconds)
    reads = stats.hits + stats.misses + sum(row["Past the cache"] for row in rows(stats))
    if not reads:
        nothing_cached()
        return
    with st.grid(4, min_column_width=170, border=True):
        st.metric("Hit rate", f"{stats.hit_rate:.1%}")
        st.metric("Hits", count(stats.hits))
        st.metric("Computed", count(stats.misses))
        st.metric("Room in this process", f"{size(stats.bytes)} of {size(stats.limit_bytes)}")
    st.dataframe(
        rows(stats),
        hide_index=True,
        alt="What each namespace of the cache answered",
        column_config=COLUMNS,
    )


COLUMNS = {
    "Hit rate": st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0)
}


def rows(stats: CacheStats) -> list[dict[str, Any]]:
    """A row for each namespace, the most used first."""
    found = sorted(stats.namespaces.values(), key=lambda one: -(one.hits + one.misses))
    return [
        {
            "Namespace": one.namespace,
            "Hit rate": one.hit_rate,
            "From memory": one.hits - one.shared_hits,
            "From Valkey": one.shared_hits,
            "Computed": one.misses,
            "Past the cache": sum(one.bypasses.values()),
            "Not kept": sum(one.rejected.values()),
            "Entries": one.entries,
            "Size": size(one.bytes),
            "Reasons": "; ".join(sorted({*one.bypasses, *one.rejected})),
        }
        for one in found
    ]
