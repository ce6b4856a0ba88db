"""The pages of the catalog, shown to somebody without a browser."""

from __future__ import annotations

import io

import pytest
import xlsxwriter
from streamlit.testing.v1 import AppTest

from buttress.access import Identity, acting
from buttress.apps.catalog.models import Batch, Request
from buttress.apps.catalog.products import ProductType
from buttress.apps.catalog.schemas import Chosen, NewRequest, Ratings
from buttress.apps.catalog.service import (
    batches,
    drafts,
    experiments,
    extracting,
    products,
    prompts,
    reviewing,
    sources,
    trying,
)
from buttress.runtime import Runtime
from buttress.testing import someone
from buttress.ui.current import serve
from catalog_documents import datasheet

pytestmark = pytest.mark.usefixtures("served")


@pytest.fixture
def served(runtime: Runtime, as_ana: Identity) -> None:
    serve(runtime)


def show(name: str, who: object, address: dict[str, str]) -> None:
    from importlib import import_module

    import streamlit as st

    from buttress.access import acting

    if not st.session_state.get("told"):
        st.session_state["told"] = True
        st.query_params.update(address)
    with acting(who):  # type: ignore[arg-type]
        getattr(import_module(f"buttress.apps.catalog.pages.{name}"), name)()


def shown(name: str, who: Identity, *, refused: bool = False, **address: object) -> AppTest:
    """A page as somebody sees it; the workspace around it is not there to explain a refusal."""
    page = AppTest.from_function(
        show,
        default_timeout=60,
        kwargs={
            "name": name,
            "who": who,
            "address": {key: str(value) for key, value in address.items()},
        },
    ).run()
    assert bool(page.exception) == refused, page.exception
    return page


def texts(page: AppTest) -> str:
    kinds = (page.title, page.markdown, page.caption, page.code, page.error, page.info)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


def prices() -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("Prices")
        sheet.write(0, 0, "Autumn")
        sheet.write_row(2, 0, ["Product name", "Brand", "EAN", "Sale price"])
        for row in range(4):
            sheet.write_row(3 + row, 0, [f"Cream {row}", "Oakleaf", f"560123456789{row}", 20 + row])
    return file.getvalue()


def taken(runtime: Runtime, content: bytes, name: str) -> int:
    with runtime.session() as session:
        return sources.take(session, runtime.files, io.BytesIO(content), name).id


def requested(runtime: Runtime, name: str = "oak") -> int:
    """A request whose batch was begun, as the page and a worker leave it."""
    source = taken(runtime, datasheet(), f"{name}.pdf")
    with runtime.session() as session:
        batch = drafts.draft(session, name)
        wanted = NewRequest(product_type=ProductType.COSMETICS, sources=[Chosen(source_id=source)])
        request = drafts.add(session, batch.id, wanted).id
        batches.begin(session, batch.id)
        extracting.begin(session, request)
    return request


@pytest.fixture(scope="module")
def product(runtime: Runtime, ana: Identity) -> int:
    with acting(ana):
        return extracting.extract(runtime, requested(runtime), tell=lambda *_: None)


def test_empty_pages_say_what_to_do(ana: Identity) -> None:
    assert "Add to draft" in texts(shown("batches", ana))
    assert "Upload a supplier" in texts(shown("products", ana))
    assert "appears here until" in texts(shown("review", ana))
    assert "Rate some on the page Review" in texts(shown("experiments", ana))


def test_without_a_model_it_is_said_that_rules_do_the_work(ana: Identity) -> None:
    page = shown("extract", ana)

    assert page.selectbox(key="catalog-extract-model").value == "offline"
    assert "No language model is set up here" in texts(page)


def test_rows_of_a_sheet_become_a_draft_that_is_offered_when_one_returns(
    runtime: Runtime, ana: Identity
) -> None:
    source = taken(runtime, prices(), "prices.xlsx")
    page = shown("extract", ana)
    page.multiselect(key="catalog-documents").set_value([source]).run()
    assert "Row 3 is proposed" in texts(page)
    page.toggle[0].set_value(True).run()
    next(one for one in page.button if one.label == "Add to draft").click().run()

    assert not page.exception
    assert "Your draft prices\\.xlsx** has 4 products" in texts(shown("extract", ana))
    with runtime.session() as session:
        draft = drafts.open_draft(session)
        assert draft is not None
        rows = [one.sources[0].chosen["row"] for one in batches.requests(session, draft.id)]
        assert rows == [4, 5, 6, 7]
        assert draft.executed_at is None


def test_only_chosen_pages_are_read(runtime: Runtime, ana: Identity) -> None:
    source = taken(runtime, datasheet(pages=2), "two.pdf")
    page = shown("extract", ana)
    page.multiselect(key="catalog-documents").set_value([source]).run()
    next(one for one in page.checkbox if one.label == "Page 2").uncheck().run()
    next(one for one in page.button if one.label == "Add to draft").click().run()

    with runtime.session() as session:
        newest = session.query(Request).order_by(Request.id.desc()).first()
        assert newest is not None
        assert newest.product_type == "cosmetics"
        found = batches.requests(session, newest.batch_id)[-1]
        assert found.sources[0].chosen == {"pages": [1]}


def test_what_cannot_be_extracted_is_said_and_the_page_goes_on(ana: Identity) -> None:
    page = shown("extract", ana)
    next(one for one in page.button if one.label == "Extract now").click().run()

    assert page.error[0].value
    assert page.button  # the form is still there


def test_each_address_becomes_a_product(runtime: Runtime, ana: Identity) -> None:
    page = shown("extract", ana)
    next(one for one in page.button_group if one.label == "Read from").set_value(
        "Web addresses"
    ).run()
    page.text_area(key="catalog-addresses").set_value(
        "https://shop.example/a\nhttps://shop.example/b\nhttps://shop.example/a"
    ).run()
    next(one for one in page.button if one.label == "Add to draft").click().run()

    assert not page.exception
    with runtime.session() as session:
        newest = session.query(Request).order_by(Request.id.desc()).limit(2).all()
        named = [one.sources[0].source.name for one in reversed(newest)]
    assert named == ["https://shop.example/a", "https://shop.example/b"]


def test_a_batch_says_why_something_failed_and_what_to_do(runtime: Runtime, ana: Identity) -> None:
    request = requested(runtime, "bad one")
    with runtime.session() as session:
        extracting.fail(session, request, "the file is locked", "Ask for its password.")
        batch_id = batches.request_of(session, request).batch_id

    page = shown("batches", ana, batch=batch_id)
    assert page.error[0].value == "Ask for its password\\."
    next(one for one in page.button if "again" in one.label).click().run()

    assert not page.exception
    with runtime.session() as session:
        assert batches.request_of(session, request).state == "waiting"
        assert session.get_one(Batch, batch_id).job_id is not None


def test_a_product_shows_each_value_with_the_place_it_was_read_from(
    product: int, ana: Identity
) -> None:
    page = shown("products", ana, product=product)

    said = texts(page)
    assert "Hydra Calm Face Cream" in said
    assert "Creme" in said
    assert "machine translation, review" in said
    assert "Read" in said
    assert "offline engine: rules" in said
    assert page.code  # the matching text of the most doubtful field


def test_who_did_not_upload_a_document_sees_the_source_too(product: int, bento: Identity) -> None:
    page = shown("products", bento, product=product)

    assert not page.error
    assert page.code
    assert page.get("image")


def test_html_of_a_model_is_shown_and_never_done(
    runtime: Runtime, product: int, ana: Identity
) -> None:
    hostile = '<p onclick="x()">Calm <script>alert(1)</script>[now](javascript:x)</p>'
    with runtime.session() as session:
        products.correct(session, product, "catalogA.DescriptionEN", hostile)

    page = shown("products", ana, product=product)

    assert any(one.value == hostile for one in page.code)
    rendered = [str(one.value) for one in page.markdown]
    assert not any("<script" in one or "onclick" in one for one in rendered)
    assert any("\\[now\\]\\(javascript:x\\)" in one or "\\[now\\]" in one for one in rendered)


def test_a_field_is_corrected_and_the_history_keeps_both_values(
    product: int, ana: Identity
) -> None:
    page = shown("products", ana, product=product)
    page.button(key=f"look-{product}-catalogA.brand").click().run()
    field = next(one for one in page.text_input if one.label == "Brand, corrected")
    field.set_value("Oak & Leaf")
    next(one for one in page.button if one.label == "Save the correction").click().run()

    assert not page.exception
    page.session_state["catalog-part"] = "History"
    after = texts(page.run())
    assert ":red-background[Oakleaf] → :green-background[Oak \\& Leaf]" in after


def test_who_may_not_change_products_sees_them_without_a_form(product: int) -> None:
    page = shown("products", someone("viewer"), product=product)

    assert "Hydra Calm Face Cream" in texts(page)
    assert not [one for one in page.button if one.label == "Save the correction"]


def test_products_are_narrowed_on_the_server(product: int, ana: Identity) -> None:
    page = shown("products", ana)
    assert len(page.dataframe) == 1
    next(one for one in page.selectbox if one.label == "Type").set_value("fragrance").run()

    assert not page.exception
    assert "No product is like that" in texts(page)


def test_keys_rate_one_metric_after_the_other_and_saving_ends_the_review(
    runtime: Runtime, product: int, ana: Identity
) -> None:
    page = shown("review", ana, product=product)
    for number in (4, 5, 3):
        page.button(key=f"key-{number}").click().run()
    next(one for one in page.button if one.label == "Back").click().run()
    page.button(key="key-2").click().run()
    page.text_input(key=f"note-translation-{product}").set_value("too literal").run()
    next(one for one in page.button if one.label == "Save and next").click().run()

    assert not page.exception
    with runtime.session() as session:
        (feedback,) = products.whole(session, product).feedback
        assert (feedback.structure, feedback.content, feedback.translation) == (4, 5, 2)
        assert feedback.notes == {"translation": "too literal"}


def test_what_somebody_else_reviews_is_said(
    runtime: Runtime, ana: Identity, bento: Identity
) -> None:
    other = extracting.extract(runtime, requested(runtime, "other"), tell=lambda *_: None)
    with acting(bento), runtime.session() as session:
        reviewing.claim(session, other)

    page = shown("review", ana, product=other, refused=True)

    assert "this product is in review by bento@example.com" in page.exception[0].message
    assert not page.button


def test_skipping_goes_on_behind_the_skipped_one(runtime: Runtime, ana: Identity) -> None:
    for name in ("one", "two"):
        extracting.extract(runtime, requested(runtime, name), tell=lambda *_: None)
    with runtime.session() as session:
        first = reviewing.claim_next(session)
        assert first is not None
        following = reviewing.claim_next(session, other_than=first.id)
        assert following is not None
        assert following.id != first.id


def test_a_prompt_is_written_compared_and_an_older_one_used_again(
    runtime: Runtime,
) -> None:
    admin = someone("admin")
    page = shown("prompts", admin)
    page.text_area[0].set_value("Choose <one> code.\n{{codes}}")
    next(one for one in page.button if "Save as version 2" in one.label).click().run()

    assert not page.exception
    assert not page.error, page.error[0].value
    with runtime.session() as session:
        (made,) = prompts.versions(session, "customs")
        assert (made.version, made.active) == (2, True)
    again = shown("prompts", admin)
    next(one for one in again.button if one.label == "Use version 1").click().run()
    with runtime.session() as session:
        assert prompts.active(session, "customs") is None


def test_differences_are_escaped() -> None:
    from buttress.apps.catalog.pages.prompts import differences

    told = differences("a\n<script>x</script>", "a\n<b>y</b>")

    assert "<script>" not in told
    assert "&lt;script&gt;x&lt;/script&gt;" in told
    assert 'class="gone"' in told
    assert 'class="come"' in told


def test_reviewed_products_are_frozen_and_compared(
    runtime: Runtime, product: int, ana: Identity
) -> None:
    with runtime.session() as session:
        evaluation = products.whole(session, product).evaluation
        assert evaluation is not None
        reviewing.rate(session, evaluation.id, Ratings(structure=4, content=4, translation=4))
    page = shown("experiments", ana)
    next(one for one in page.text_input if one.label == "Name of the dataset").set_value("creams")
    next(one for one in page.button if one.label.startswith("Freeze")).click().run()

    assert not page.exception
    with runtime.session() as session:
        ((dataset, items),) = experiments.datasets(session)
        assert (dataset.name, items) == ("creams", 1)
    page = shown("experiments", ana)
    page.text_input(key="experiment-name").set_value("rules again").run()
    next(one for one in page.button if one.label == "Run it").click().run()
    assert not page.exception
    with runtime.session() as session:
        (outcome,) = experiments.outcomes(session, dataset.id)
        assert outcome.experiment.job_id is not None
        experiment = outcome.experiment.id
        assert experiments.overall_of(session, experiment) is None
        items_left = experiments.missing(session, experiment)
    assert all(trying.try_item(runtime, experiment, item) for item in items_left)
    (table,) = shown("experiments", ana).dataframe
    with runtime.session() as session:
        overall = experiments.overall_of(session, experiment)
        assert overall is not None
    assert list(table.value["Overall"]) == [round(overall.value, 2)]
    assert list(table.value["95 % interval"]) == [""]  # of one product there is none
