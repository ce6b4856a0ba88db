"""Why an evaluation took points away."""

from __future__ import annotations

import streamlit as st

from buttress.apps.catalog.models import Evaluation
from buttress.apps.catalog.pages.labels import title_of
from buttress.mover.page import plural


def reasons(evaluation: Evaluation) -> None:
    """One line for each, or that there is none."""
    if not evaluation.issues:
        st.success("No rule found anything to object to.", icon=":material/verified:")
        return
    st.subheader(plural(len(evaluation.issues), "reason"))
    st.dataframe(
        [
            {
                "Field": title_of(issue.field),
                "What is wrong": issue.message,
                "Points": -float(issue.points),
                "Metric": issue.metric,
                "Stands there": issue.found or "",
                "Should be": issue.expected or "",
            }
            for issue in evaluation.issues
        ],
        hide_index=True,
        alt="Why points were lost",
        column_config={"Points": st.column_config.NumberColumn(format="%.2f", width=70)},
    )
