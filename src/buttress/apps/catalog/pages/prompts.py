"""The page of prompts: their versions, compared, written and put into use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from html import escape

import streamlit as st

from buttress.access import audit, require
from buttress.apps.catalog import app
from buttress.apps.catalog.extraction.prompts import shipped, shipped_prompt
from buttress.apps.catalog.service import prompts as service
from buttress.ui.current import page_session
from buttress.ui.problems import explained
from buttress.ui.text import moment, plain

STYLE = """
<style>
  .two-versions { width: 100%; table-layout: fixed; border-collapse: collapse;
    font-family: "Source Code Pro", monospace; font-size: 0.8rem; }
  .two-versions td { width: 50%; vertical-align: top; padding: 0.15rem 0.5rem;
    white-space: pre-wrap; overflow-wrap: anywhere; border: none; }
  .two-versions .gone { background: rgba(213, 64, 47, 0.16); }
  .two-versions .come { background: rgba(43, 154, 103, 0.18); }
  .two-versions .left-out { opacity: 0.6; text-align: center; }
</style>
"""
AROUND = 3
"""Lines shown on both sides of a difference."""


@dataclass(frozen=True)
class Version:
    """One version of a prompt; `id` is None for the one that came with the app."""

    id: int | None
    number: int
    text: str
    note: str
    active: bool
    created_at: datetime | None

    @property
    def title(self) -> str:
        """`version 3, in use`."""
        came = "as it came" if self.id is None else ""
        used = "in use" if self.active else ""
        return ", ".join(part for part in (f"version {self.number}", came, used) if part)


@app.page("Prompts", icon="edit_document", needs="settings.read")
def prompts() -> None:
    """What models are told, in versions."""
    require("settings.read")
    st.title("Prompts")
    st.caption(
        "What language models are told. The offline engine reads none of it. A version is never "
        "changed: what was extracted with it says so for ever."
    )
    name = st.selectbox(
        "Prompt", list(shipped()), format_func=lambda one: shipped()[one].title, width=360
    )
    versions = versions_of(name)
    edit, compare, all_of_them = st.tabs(["Write", "Compare", "Versions"])
    with edit:
        write(name, versions)
    with compare:
        side_by_side(versions)
    with all_of_them:
        listed(name, versions)


def versions_of(name: str) -> list[Version]:
    """All versions, the newest first."""
    with page_session() as session:
        found = [
            Version(one.id, one.version, one.text, one.note, one.active, one.created_at)
            for one in service.versions(session, name)
        ]
    first = shipped_prompt(name)
    nobody_changed = not any(one.active for one in found)
    return [*found, Version(None, first.version, first.text, "", nobody_changed, None)]


def write(name: str, versions: Sequence[Version]) -> None:
    """The newest version, to write the next one from."""
    newest = versions[0]
    with st.form(f"write-{name}-{newest.number}", border=False):
        text = st.text_area(
            f"Text, from version {newest.number}",
            newest.text,
            height=420,
            max_chars=service.LONGEST,
        )
        note = st.text_input(
            "What has changed, and why", max_chars=500, placeholder="shorter descriptions"
        )
        saved = st.form_submit_button(
            f"Save as version {newest.number + 1} and use it", icon=":material/save:"
        )
    if not saved:
        return
    if text == newest.text:
        st.info("Nothing has changed, so there is no new version.")
        return
    with explained():
        with page_session() as session:
            made = service.save(session, name, text, note, base=newest.number)
            audit.record(session, "catalog.prompt.save", f"{name} {made.version}")
            number = made.version
        st.toast(f"Version {number} is in use.")
        st.rerun()


def side_by_side(versions: Sequence[Version]) -> None:
    """Two versions beside each other, with what differs marked."""
    if len(versions) < 2:
        st.caption("There is one version. Write the next one to compare the two.")
        return
    numbers = {one.number: one for one in versions}
    with st.container(horizontal=True):
        before = st.selectbox(
            "Before", list(numbers), 1, format_func=lambda one: numbers[one].title, width=240
        )
        after = st.selectbox(
            "After", list(numbers), 0, format_func=lambda one: numbers[one].title, width=240
        )
    if numbers[before].text == numbers[after].text:
        st.caption("The two say the same.")
        return
    st.html(STYLE + differences(numbers[before].text, numbers[after].text))


def differences(before: str, after: str) -> str:
    """A table of two columns; all text is escaped."""
    return f'<table class="two-versions">{"".join(_rows(before, after))}</table>'


def _rows(before: str, after: str) -> Iterator[str]:
    ours, theirs = before.splitlines(), after.splitlines()
    groups = SequenceMatcher(None, ours, theirs, autojunk=False).get_grouped_opcodes(AROUND)
    for number, group in enumerate(groups):
        if number or group[0][1]:
            yield '<tr><td class="left-out">…</td><td class="left-out">…</td></tr>'
        for tag, a, b, c, d in group:
            for place in range(max(b - a, d - c)):
                left = ours[a + place] if a + place < b else None
                right = theirs[c + place] if c + place < d else None
                marked = tag != "equal"
                yield f"<tr>{_cell(left, 'gone', marked)}{_cell(right, 'come', marked)}</tr>"


def _cell(line: str | None, mark: str, marked: bool) -> str:
    shown = f' class="{mark}"' if marked and line is not None else ""
    return f"<td{shown}>{escape(line or '') or '&nbsp;'}</td>"


def listed(name: str, versions: Sequence[Version]) -> None:
    """Every version, and a way to use it again."""
    for one in versions:
        with st.container(border=True, gap="small"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**Version {one.number}**", width="content")
                if one.active:
                    st.badge("In use", icon=":material/check_circle:", color="green")
                elif st.button(f"Use version {one.number}", key=f"use-{name}-{one.number}"):
                    use(name, one)
            note = one.note or ("As it came with the app." if one.id is None else "Without a note.")
            when = f" {moment(one.created_at, st.context.timezone)}" if one.created_at else ""
            st.caption(plain(note) + when)
            with st.expander(f"Text of version {one.number}"):
                st.code(one.text, language=None, wrap_lines=True)


def use(name: str, version: Version) -> None:
    """Put an older version into use."""
    with explained():
        with page_session() as session:
            if version.id is None:
                service.deactivate(session, name)
            else:
                service.activate(session, version.id)
            audit.record(session, "catalog.prompt.use", f"{name} {version.number}")
        st.rerun()
