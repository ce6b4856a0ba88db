"""From a document to an evaluated product, corrected, rated and exported."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest

from buttress.access import Identity, acting
from buttress.apps.catalog.models import Request
from buttress.apps.catalog.products import ProductType
from buttress.apps.catalog.schemas import Again, Chosen, NewRequest, Ratings
from buttress.apps.catalog.service import (
    batches,
    drafts,
    exporting,
    extracting,
    products,
    reviewing,
    sources,
)
from buttress.errors import BadInput, Conflict
from buttress.runtime import Runtime
from catalog_documents import datasheet

pytestmark = pytest.mark.usefixtures("as_ana")


def extracted(runtime: Runtime, pdf: bytes = b"", **chosen: object) -> int:
    """The product a document gives, done here instead of by a worker."""
    with runtime.session() as session:
        source = sources.take(session, runtime.files, io.BytesIO(pdf or datasheet()), "oak.pdf")
        batch = drafts.draft(session, "one sheet")
        request = drafts.add(
            session,
            batch.id,
            NewRequest(
                product_type=ProductType.COSMETICS,
                sources=[Chosen(source_id=source.id, **chosen)],
            ),
        )
        batches.begin(session, batch.id)
        id = request.id
    return carried_out(runtime, id)


def carried_out(runtime: Runtime, request_id: int) -> int:
    """What a worker does."""
    with runtime.session() as session:
        extracting.begin(session, request_id)
    return extracting.extract(runtime, request_id, tell=lambda *_: None)


@pytest.fixture(scope="module")
def made(runtime: Runtime, ana: Identity) -> int:
    with acting(ana):
        return extracted(runtime)


def test_values_come_with_the_place_they_were_read_from(runtime: Runtime, made: int) -> None:
    with runtime.session() as session:
        found = products.whole(session, made)

        content = found.product.content
        assert content["catalogA"]["TitleEN"] == "Hydra Calm Face Cream"
        assert content["catalogA"]["brand"] == "Oakleaf"
        assert content["catalogB"]["Subtypes"][0]["EAN"] == "5601234567893"
        origin = found.product.origins["catalogB.Subtypes.0.EAN"]
        assert origin["how"] == "read"
        assert origin["place"]["page"] == 1
        assert "5601234567893" in origin["text"]


def test_it_is_evaluated_at_once_with_a_reason_for_each_point(runtime: Runtime, made: int) -> None:
    with runtime.session() as session:
        evaluation = products.whole(session, made).evaluation

        assert evaluation is not None
        assert Decimal(1) <= evaluation.overall <= Decimal(5)
        assert evaluation.issue_count == len(evaluation.issues)
        assert all(issue.field and issue.message for issue in evaluation.issues)


def test_a_request_that_is_carried_out_twice_makes_one_product(runtime: Runtime, made: int) -> None:
    with runtime.session() as session:
        request = session.query(Request).filter_by(product_id=made).one()
        id = request.id

    assert carried_out(runtime, id) == made

    with runtime.session() as session:
        assert len(products.whole(session, made).extractions) == 1


def test_a_correction_keeps_both_values(runtime: Runtime) -> None:
    id = extracted(runtime)
    with runtime.session() as session:
        products.correct(session, id, "catalogA.TitleEN", "Hydra Calm Cream")
    with runtime.session() as session:
        found = products.whole(session, id)

        assert found.product.name == "Hydra Calm Cream"
        assert found.product.origins["catalogA.TitleEN"]["how"] == "corrected"
        (correction,) = found.corrections
        assert correction.before == {"value": "Hydra Calm Face Cream"}
        assert correction.after == {"value": "Hydra Calm Cream"}
        assert correction.person_name == "ana@example.com"


def test_a_correction_that_does_not_fit_is_refused(runtime: Runtime, made: int) -> None:
    with runtime.session() as session, pytest.raises(BadInput, match="Weight"):
        products.correct(session, made, "catalogB.Subtypes.0.Weight", "heavy")


def test_two_people_review_different_products(
    runtime: Runtime, ana: Identity, bento: Identity
) -> None:
    extracted(runtime)
    extracted(runtime)
    with acting(ana), runtime.session() as session:
        first = reviewing.claim_next(session)
        assert first is not None
        claimed = first.id
    with acting(bento), runtime.session() as session:
        second = reviewing.claim_next(session)
        assert second is not None
        assert second.id != claimed
        with pytest.raises(Conflict, match="ana@example"):
            reviewing.claim(session, claimed)


def test_a_rating_ends_the_review_and_counts(runtime: Runtime) -> None:
    id = extracted(runtime)
    with runtime.session() as session:
        evaluation = products.whole(session, id).evaluation
        assert evaluation is not None
        reviewing.claim(session, id)
        feedback = reviewing.rate(
            session, evaluation.id, Ratings(structure=5, content=4, translation=3)
        )
        assert feedback.overall == Decimal("3.90")
    with runtime.session() as session:
        assert products.product_of(session, id).reviewed_at is not None
        assert id not in [one.id for one in reviewing.queue(session)]


def test_codes_alone_are_chosen_anew_and_the_rest_stays(runtime: Runtime) -> None:
    id = extracted(runtime)
    with runtime.session() as session:
        products.correct(session, id, "catalogA.TitleEN", "Soothing Face Cream")
        batch = drafts.again(session, "codes", Again(products=[id], scope="hs-code"))
        (request,) = batches.begin(session, batch.id)
    assert carried_out(runtime, request) == id
    with runtime.session() as session:
        found = products.whole(session, id)

        assert found.product.content["catalogA"]["TitleEN"] == "Soothing Face Cream"
        assert found.product.origins["catalogA.TitleEN"]["how"] == "corrected"
        assert [one.scope for one in found.extractions] == ["hs-code", "full"]


def test_a_page_that_is_not_there_is_refused_before_anything_runs(runtime: Runtime) -> None:
    with runtime.session() as session:
        source = sources.take(session, runtime.files, io.BytesIO(datasheet(pages=2)), "two.pdf")
        assert source.outline["pages"] == 2
        batch = drafts.draft(session, "wrong")
        wanted = NewRequest(
            product_type=ProductType.COSMETICS, sources=[Chosen(source_id=source.id, pages=[3])]
        )
        with pytest.raises(BadInput, match="no page"):
            drafts.add(session, batch.id, wanted)


def test_what_is_no_document_leaves_nothing_behind(runtime: Runtime) -> None:
    with runtime.session() as session, pytest.raises(BadInput):
        sources.take(session, runtime.files, io.BytesIO(b"%PDF-1.7 not really"), "broken.pdf")
    with runtime.session() as session:
        assert all(one.name != "broken.pdf" for one in sources.newest(session))


def test_tables_have_a_row_for_each_variant_and_json_the_whole(runtime: Runtime, made: int) -> None:
    with runtime.session() as session:
        (row,) = json.loads(b"".join(exporting.export(session, "json", [made])))
        table = b"".join(exporting.export(session, "csv", [made])).decode()

    assert row["catalogB"]["Subtypes"][0]["EAN"] == "5601234567893"
    assert "5601234567893" in table
    assert table.splitlines()[0].startswith("product,type,overall,TitleEN")
