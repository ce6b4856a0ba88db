"""Extracting products anew: as a whole or their customs codes, with other settings."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from buttress.apps.catalog import jobs
from buttress.apps.catalog.pages.engine import choose_engine
from buttress.apps.catalog.pages.ways import given, way
from buttress.apps.catalog.schemas import Again
from buttress.apps.catalog.service import drafts
from buttress.mover.page import plural
from buttress.ui.current import current_runtime, page_session
from buttress.ui.problems import explained

SCOPES = {"full": "All fields", "hs-code": "Customs codes only"}
ABOUT = {
    "full": "Everything is read anew from the same documents: corrections are replaced, and kept "
    "in the history.",
    "hs-code": "Everything else stays as it is, with its corrections.",
}


def reprocess(products: Sequence[int], key: str) -> None:
    """A form in a popover; what it makes is a batch of its own, which is shown next."""
    with st.popover("Extract anew", icon=":material/restart_alt:"):
        scope = st.segmented_control(
            "What",
            list(SCOPES),
            default="full",
            required=True,
            format_func=lambda one: SCOPES[one],
            key=f"scope-{key}",
        )
        st.caption(ABOUT[scope])
        engine = choose_engine(f"again-{key}")
        label = f"Extract {plural(len(products), 'product')} anew"
        if not st.button(label, key=f"again-go-{key}", type="primary"):
            return
        with explained():
            wanted = given(Again, products=list(products), scope=scope, **engine.values)
            with page_session() as session:
                name = f"{SCOPES[scope].lower()} of {plural(len(products), 'product')} anew"
                batch = drafts.again(session, name, wanted)
                jobs.execute(session, current_runtime().jobs, batch.id)
                batch_id = batch.id
            st.switch_page(way("batches"), query_params={"batch": str(batch_id)})
