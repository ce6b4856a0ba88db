"""The fields of a product, and beside them the place in its source one of them was read from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import streamlit as st

from buttress.apps.catalog.models import Issue
from buttress.apps.catalog.pages import labels, pictures
from buttress.apps.catalog.pages.editing import edit
from buttress.apps.catalog.pages.labels import Row, name_in, title_of, value_text
from buttress.apps.catalog.pages.looks import how
from buttress.apps.catalog.pages.texts import show_html
from buttress.apps.catalog.products import Product as Content
from buttress.apps.catalog.products import leaves
from buttress.apps.catalog.service.products import Whole
from buttress.mover.page import plural
from buttress.ui.current import signed_in
from buttress.ui.problems import explained
from buttress.ui.text import plain

STYLE = """
<style>
  .st-key-source-panel img { border: 1px solid rgba(128, 128, 128, 0.4); }
  @media (min-width: 641px) {
    .stColumn:has(.st-key-source-panel) {
      position: sticky; top: 3.5rem; align-self: flex-start; max-height: 92vh; overflow-y: auto;
    }
  }
  @media (max-width: 640px) {
    /* A sheet at the lower edge of the screen, so that the field and its source are both seen. */
    .stColumn:has(.st-key-source-panel) {
      position: sticky; bottom: 0; max-height: 55vh; overflow-y: auto; z-index: 5;
      border-radius: 0.5rem; background: rgba(128, 128, 128, 0.08);
      backdrop-filter: blur(28px); -webkit-backdrop-filter: blur(28px);
    }
  }
</style>
"""
"""The source stays in sight while one goes through the fields."""


class Fields:
    """The fields of one product with their values, origins and issues."""

    def __init__(self, found: Whole) -> None:
        self.product = found.product
        self.values = dict(leaves(Content.model_validate(found.product.content)))
        self.origins: Mapping[str, dict[str, Any]] = found.product.origins
        self._extracted: Mapping[str, dict[str, Any]] = found.extraction.origins
        self.sources = {str(source["id"]): source for source in found.sources}
        self.issues: defaultdict[str, list[Issue]] = defaultdict(list)
        for issue in found.evaluation.issues if found.evaluation else ():
            # Of a corrected field the rules judged the value before.
            if self.origins.get(issue.field, {}).get("how") != "corrected":
                self.issues[issue.field].append(issue)

    @property
    def variants(self) -> int:
        """How many rows the logistics have."""
        return len(self.product.content.get("catalogB", {}).get("Subtypes", []))

    @property
    def chosen(self) -> str:
        """The path of the field whose source is shown; "" for none."""
        return str(st.session_state.get(self._key, ""))

    def show_most_doubtful(self, parent: str) -> None:
        """Unless a field of that half was chosen, show one that lost points, or was read with the
        least confidence."""
        within = [path for path in self.values if path.startswith(f"{parent}.")]
        if self.chosen in within:
            return
        told = [path for path in within if self.read_at(path).get("place")]
        worst = sorted(
            told,
            key=lambda path: (
                -sum(issue.points for issue in self.issues.get(path, ())),
                self.read_at(path).get("confidence", 1.0),
            ),
        )
        if worst:
            self.choose(worst[0])

    def read_at(self, path: str) -> Mapping[str, Any]:
        """Where a value was read; of a corrected one where the value before was."""
        origin = self.origins.get(path, {})
        return self._extracted.get(path, {}) if origin.get("how") == "corrected" else origin

    def choose(self, path: str) -> None:
        """Show the source of this field."""
        st.session_state[self._key] = path

    @property
    def _key(self) -> str:
        return f"catalog-field-{self.product.id}"


def sections(fields: Fields, part: str) -> None:
    """`Marketing` or `Logistics`, with the source of the chosen field beside it."""
    st.html(STYLE)
    fields.show_most_doubtful("catalogA" if part == "Marketing" else "catalogB")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        if part == "Marketing":
            marketing(fields)
        else:
            logistics(fields)
    with right, st.container(key="source-panel"):
        panel(fields)


def marketing(fields: Fields) -> None:
    """The first half of the contract."""
    rows(fields, labels.MARKETING, "catalogA")
    if "catalogA.Fragrance.Concentration" in fields.values:
        st.subheader("Fragrance")
        rows(fields, labels.FRAGRANCE, "catalogA.Fragrance")


def logistics(fields: Fields) -> None:
    """The second half, a variant at a time."""
    if not fields.variants:
        st.caption("No variant was found, so there is nothing to order.")
        return
    variant = 0
    if fields.variants > 1:
        variant = st.selectbox(
            "Variant",
            range(fields.variants),
            format_func=lambda number: plain_variant(fields, number),
            key=f"catalog-variant-{fields.product.id}",
        )
    rows(fields, labels.LOGISTICS, f"catalogB.Subtypes.{variant}")


def plain_variant(fields: Fields, number: int) -> str:
    """`2: Red, 5601234567893`."""
    path = f"catalogB.Subtypes.{number}"
    named = (fields.values.get(f"{path}.{name}") for name in ("VariantValue", "EAN"))
    return f"{number + 1}: " + (", ".join(str(one) for one in named if one) or "without a name")


def rows(fields: Fields, wanted: Sequence[Row], parent: str) -> None:
    """Fields below each other; empty ones together at the end, for there is little to see."""
    empty: list[str] = []
    filled: list[Row] = []
    for row in wanted:
        paths = [f"{parent}.{name}" for name in row.names]
        if any(fields.values.get(path) or fields.issues.get(path) for path in paths):
            filled.append(row)
        else:
            empty += paths
    for pairs, found in groupby(filled, key=lambda row: len(row.names) > 1):
        together = list(found)
        columns = 1 if pairs or len(together) == 1 else 2
        with st.grid(columns, min_column_width=210, gap="small"):
            for row in together:
                with st.container(border=True, gap="small"):
                    st.markdown(f"**{row.title}**")
                    sides(fields, row, parent)
    if empty:
        with st.expander(f"Empty: {plural(len(empty), 'field')}", key=f"empty-{parent}"):
            st.caption("What the sources do not tell stays empty; nothing is invented.")
            with st.container(horizontal=True):
                for path in empty:
                    button(fields, path, title_of(path), ":material/edit:")


def sides(fields: Fields, row: Row, parent: str) -> None:
    """The English and the Portuguese text beside each other, or the one value."""
    columns = st.columns(len(row.names), gap="medium")
    for column, (title, name) in zip(columns, row.sides, strict=True):
        with column:
            side(fields, f"{parent}.{name}", title, row)


def side(fields: Fields, path: str, title: str, row: Row) -> None:
    """One value: what it is, how it came to be, what is wrong with it."""
    value = fields.values.get(path)
    text = value_text(path, value)
    if len(row.names) > 1:
        st.caption(title)
    if not text:
        st.markdown(":gray[empty]")
    elif name_in(path) in labels.HTML:
        show_html(text, title_of(path))
    else:
        st.markdown(plain(f"{text} {row.unit}".strip()))
    for issue in fields.issues.get(path, ()):
        st.markdown(f":orange[:material/warning: {plain(issue.message)}]")
    origin = fields.origins.get(path)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if origin:
            st.markdown(how(origin), width="content")
        button(fields, path, place_text(fields.read_at(path)), ":material/my_location:")


def button(fields: Fields, path: str, label: str, icon: str) -> None:
    """Shows a field with its source beside the others."""
    st.button(
        label,
        key=f"look-{fields.product.id}-{path}",
        icon=icon,
        type="tertiary",
        help=f"Show where {title_of(path)} comes from, and correct it.",
        on_click=fields.choose,
        args=(path,),
        disabled=fields.chosen == path,
    )


def place_text(origin: Mapping[str, Any]) -> str:
    """`page 2`, `Prices!B7`; what has no place is called by what can be done."""
    place = origin.get("place") or {}
    if place.get("page"):
        return f"page {place['page']}"
    return str(place.get("cell") or place.get("selector") or "see and correct")


def panel(fields: Fields) -> None:
    """The chosen field: where it was read, and a form to correct it."""
    path = fields.chosen
    if path not in fields.values:
        with st.container(border=True):
            st.markdown("**Where does it come from?**")
            st.caption(
                "Choose the place below a value: its source is shown here with the matching text, "
                "and the value can be corrected."
            )
        return
    with st.container(border=True):
        st.markdown(f"**{title_of(path)}**")
        origin = fields.origins.get(path)
        if origin is None:
            st.caption("The sources do not tell it.")
        else:
            st.markdown(how(origin))
        page = None
        with explained():
            page = source(fields, fields.read_at(path))
        for issue in fields.issues.get(path, ()):
            issue_text(issue)
        if signed_in().may("apps.write"):
            edit(fields.product.id, path, fields.values[path])
        if page is not None:
            st.image(page, width="stretch", alt="The page with the place marked")


def source(fields: Fields, origin: Mapping[str, Any]) -> bytes | None:
    """The document, the matching text and the place enlarged; gives the page as a picture."""
    found = fields.sources.get(origin.get("source", ""))
    place = origin.get("place") or {}
    if found is None:
        return None
    st.caption(f"{plain(found['name'])}, {plain(place_text(origin))}")
    if origin.get("text"):
        st.code(origin["text"], language=None, wrap_lines=True)
    if found["kind"] != "pdf" or not place.get("page"):
        return None
    picture = pictures.page_picture(int(found["id"]), place["page"], pictures.READING)
    if not place.get("box"):
        return picture
    page, near = pictures.boxed(picture, place["box"], pictures.READING)
    st.image(near, width="stretch", alt="The place, enlarged")
    return page


def issue_text(issue: Issue) -> None:
    """Why points were lost."""
    st.warning(
        f"{plain(issue.message)} (−{issue.points} {issue.metric})", icon=":material/warning:"
    )
    if issue.found or issue.expected:
        told = {"stands there": issue.found, "should be": issue.expected}
        st.caption(" · ".join(f"{name}: {plain(what)}" for name, what in told.items() if what))
