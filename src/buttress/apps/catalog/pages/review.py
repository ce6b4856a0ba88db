"""The page of reviews: the most doubtful product first, its source beside it, rated by keys."""

from __future__ import annotations

import streamlit as st

from buttress.apps.catalog import app
from buttress.apps.catalog.models.evaluations import METRICS
from buttress.apps.catalog.pages.beside import Fields, issue_text, sections
from buttress.apps.catalog.pages.looks import (
    QUALITY,
    empty,
    engine,
    quality,
    type_title,
)
from buttress.apps.catalog.pages.one_product import METRICS as QUESTIONS
from buttress.apps.catalog.pages.ways import given, number_in_address, way
from buttress.apps.catalog.schemas import Ratings
from buttress.apps.catalog.service import products, reviewing
from buttress.apps.catalog.service.products import Whole, badge_of
from buttress.errors import BadInput
from buttress.ui.current import page_session
from buttress.ui.operations.lists import choose, states
from buttress.ui.problems import explained
from buttress.ui.text import plain

FIRST, SECOND = "First look", "Second opinion"
QUEUES = (FIRST, SECOND)
SCALE = (1, 2, 3, 4, 5)
MEANING = {1: "Unusable", 2: "Poor", 3: "Fair", 4: "Good", 5: "Right"}
LISTED = 50


@app.page("Review", icon="rate_review", needs="data.review")
def review() -> None:
    """The queue, or the product that the address names."""
    product_id = number_in_address("product")
    if product_id is not None:
        one(product_id)
        return
    st.title("Review")
    st.caption(
        "What is most doubtful comes first: where rules took points, where judges differ, and "
        "where the reading was unsure. What you take is yours for a while; others get another."
    )
    which = st.segmented_control(
        "Queue",
        QUEUES,
        default=FIRST,
        required=True,
        key="catalog-queue",
        persist_state="session",
        help="A second opinion tells how far people agree with each other.",
    )
    second = which == SECOND
    with page_session() as session:
        found = reviewing.queue(session, second=second, limit=LISTED)
    if not found:
        nothing(second=second)
        return
    if st.button("Take the next one", type="primary", icon=":material/play_arrow:", shortcut="N"):
        take_next()
    chosen = choose(
        [
            {
                "Product": product.name or f"product {product.id}",
                "Brand": product.brand,
                "Quality": [QUALITY[badge_of(score(product.overall))][0]],
                "Score": score(product.overall),
                "Doubt": float(product.doubt),
                "Type": type_title(product.product_type),
            }
            for product in found
        ],
        [product.id for product in found],
        "catalog-queue",
        several=False,
        alt="Products to review, the most doubtful first",
        columns={
            "Quality": states(QUALITY.values()),
            "Score": st.column_config.NumberColumn(format="%.2f"),
            "Doubt": st.column_config.NumberColumn(format="%.2f"),
        },
    )
    if chosen:
        with explained():
            with page_session() as session:
                reviewing.claim(session, chosen[0])
            show(chosen[0])


def score(overall: object) -> float | None:
    """A score as a number."""
    return None if overall is None else float(str(overall))


def nothing(*, second: bool) -> None:
    """Why the queue is empty."""
    if second:
        empty("No product waits for a second opinion.", "Those that others rated appear here.")
        return
    empty(
        "Nothing waits for a review.",
        "Every product that is extracted appears here until somebody has rated it.",
    )


def take_next() -> None:
    """Claim the next of the queue and show it; back to the queue when it is empty."""
    second = st.session_state.get("catalog-queue") == SECOND
    with page_session() as session:
        product = reviewing.claim_next(session, second=second)
    show(None if product is None else product.id)


def show(product_id: int | None) -> None:
    """Begin anew with this product, or with the queue."""
    if product_id is None:
        st.query_params.pop("product", None)
    else:
        st.query_params["product"] = str(product_id)
    st.rerun()


def one(product_id: int) -> None:
    """A product under review: ratings on top, fields beside their source below."""
    st.page_link(way("review"), label="The queue", icon=":material/arrow_back:")
    with page_session() as session:
        found = products.whole(session, product_id)
    product = found.product
    if found.evaluation is None:
        raise BadInput("it was not evaluated yet", hint="Take another one.")
    with page_session() as session:
        reviewing.claim(session, product_id)
    st.title(plain(product.name or f"Product {product.id}"))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        quality(product.overall)
        engine(found.extraction.model)
    rating(found)
    elsewhere(found)
    part = st.segmented_control(
        "Part", ("Marketing", "Logistics"), default="Marketing", required=True, key="catalog-half"
    )
    sections(Fields(found), part)


def rating(found: Whole) -> None:
    """A rating and a note for each metric; the keys 1 to 5 rate one metric after the other."""
    evaluation = found.evaluation
    assert evaluation is not None  # the caller has looked
    product_id = found.product.id
    with st.container(border=True):
        st.caption(
            "Keys 1 to 5 rate structure, then content, then translation; Backspace takes the last "
            "one back; S saves and takes the next, N skips."
        )
        with st.grid(3, min_column_width=250, gap="medium"):
            for metric in METRICS:
                with st.container(gap="small"):
                    st.segmented_control(
                        metric.capitalize(),
                        SCALE,
                        key=key_of(metric, product_id),
                        help=f"{QUESTIONS[metric]} The rules say {getattr(evaluation, metric)}.",
                    )
                    st.text_input(
                        f"Note on {metric}",
                        key=f"note-{metric}-{product_id}",
                        max_chars=2000,
                        placeholder="What should be better?",
                    )
        with st.container(horizontal=True, gap="small"):
            for number in SCALE:
                st.button(
                    MEANING[number],
                    key=f"key-{number}",
                    shortcut=str(number),
                    on_click=rate_next,
                    args=(product_id, number),
                )
            st.button(
                "Back", icon=":material/backspace:", shortcut="Backspace",
                on_click=take_back, args=(product_id,),
            )  # fmt: skip
        with st.container(horizontal=True):
            missing = [one for one in METRICS if rated(one, product_id) is None]
            if st.button(
                "Save and next", type="primary", icon=":material/save:", shortcut="S",
                disabled=bool(missing),
            ):  # fmt: skip
                save(evaluation.id, product_id)
            if st.button("Skip", icon=":material/skip_next:", shortcut="N"):
                skip(product_id)
            if st.button("Give it back", icon=":material/undo:"):
                with page_session() as session:
                    reviewing.release(session, product_id)
                show(None)


def elsewhere(found: Whole) -> None:
    """Issues that name no field which is shown."""
    assert found.evaluation is not None  # the caller has looked
    shown = Fields(found).values
    for issue in found.evaluation.issues:
        if issue.field not in shown:
            issue_text(issue)


def key_of(metric: str, product_id: int) -> str:
    """Under which the rating of a metric is kept."""
    return f"rate-{metric}-{product_id}"


def rated(metric: str, product_id: int) -> int | None:
    """What was chosen, None for nothing yet."""
    chosen: int | None = st.session_state.get(key_of(metric, product_id))
    return chosen


def rate_next(product_id: int, number: int) -> None:
    """Rate the first metric that has no rating yet."""
    for metric in METRICS:
        if rated(metric, product_id) is None:
            st.session_state[key_of(metric, product_id)] = number
            return


def take_back(product_id: int) -> None:
    """Forget the last rating."""
    for metric in reversed(METRICS):
        if rated(metric, product_id) is not None:
            st.session_state[key_of(metric, product_id)] = None
            return


def save(evaluation_id: int, product_id: int) -> None:
    """Keep the ratings and take the next product."""
    with explained():
        ratings = given(
            Ratings,
            **{metric: rated(metric, product_id) for metric in METRICS},
            notes={
                metric: note
                for metric in METRICS
                if (note := (st.session_state.get(f"note-{metric}-{product_id}") or "").strip())
            },
        )
        with page_session() as session:
            reviewing.rate(session, evaluation_id, ratings)
        st.toast("Your ratings are saved.")
        take_next()


def skip(product_id: int) -> None:
    """Leave it to somebody else, and go on with the one after it."""
    with explained():
        second = st.session_state.get("catalog-queue") == SECOND
        with page_session() as session:
            following = reviewing.claim_next(session, second=second, other_than=product_id)
            reviewing.release(session, product_id)
        show(None if following is None else following.id)
