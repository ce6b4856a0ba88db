"""The pages of the dashboard and of activity, with figures and without any."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pypdfium2
import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from buttress.apps.catalog.dashboard import Window
from buttress.apps.catalog.dashboard.executive import executive
from buttress.apps.catalog.pages.boards import executive as first_tab
from buttress.apps.catalog.service import evaluations, report
from buttress.errors import NotFound
from buttress.exports import Format
from buttress.runtime import Runtime
from buttress.ui.current import serve
from catalog_seed import seed

COUNT = 900
TABS = ("Executive", "Agreement", "Performance", "Quality", "Investigation", "Export")


@pytest.fixture(scope="module")
def worked(runtime: Runtime) -> Runtime:
    """A deployment in which people have worked."""
    with runtime.session() as session:
        seed(session, COUNT)
    return runtime


@pytest.fixture
def last_month() -> Window:
    return Window.last(30, datetime.now(UTC).date())


def page(name: str, role: str) -> None:
    from importlib import import_module

    from buttress.access import acting
    from buttress.testing import someone

    with acting(someone(role)):  # type: ignore[arg-type]
        getattr(import_module(f"buttress.apps.catalog.pages.{name}"), name)()


def opened(
    runtime: Runtime, name: str = "dashboard", role: str = "analyst", **address: str
) -> AppTest:
    serve(runtime)
    test = AppTest.from_function(page, default_timeout=30, kwargs={"name": name, "role": role})
    for key, value in address.items():
        test.query_params[key] = value
    test.run()
    assert not test.exception
    return test


def words(test: AppTest) -> str:
    kinds = (test.markdown, test.caption, test.subheader, test.success, test.warning, test.info)
    told = [str(one.value) for kind in kinds for one in kind]
    return "\n".join([*told, *(f"{one.label} {one.value}" for one in test.metric)])


def charts(test: AppTest) -> list[str]:
    return [one.proto.alt for one in test.get("echarts_chart")]


def test_without_anything_the_dashboard_says_what_to_do(runtime: Runtime) -> None:
    assert "Nothing has been evaluated yet" in words(opened(runtime))
    assert "Nobody did anything" in words(opened(runtime, "activity"))


@pytest.mark.parametrize("tab", TABS)
def test_each_tab_has_its_address_and_is_computed_alone(worked: Runtime, tab: str) -> None:
    test = opened(worked, tab=tab.lower())

    # The first one needs no address.
    assert test.query_params.get("tab", "Executive") == tab
    told = words(test)
    expected = {
        "Executive": "Overall score",
        "Agreement": "Quadratic kappa",
        "Performance": "Model and type",
        "Quality": "Correlation",
        "Investigation": "Choose one",
        "Export": "evaluations in the window",
    }
    assert [name for name, sign in expected.items() if sign in told] == [tab]


def test_the_first_tab_shows_what_the_database_adds_up(worked: Runtime, last_month: Window) -> None:
    with worked.session() as session:
        found = executive(session, last_month)
    test = opened(worked)

    shown = {one.label: one.value for one in test.metric}
    assert shown["Evaluations"] == f"{found.now.evaluations:,}"
    assert shown["Overall score"] == f"{found.now.overall:.2f}"
    assert 250 < found.now.evaluations < 350


def test_a_window_without_evaluations_says_so(worked: Runtime) -> None:
    test = opened(worked, days="7", type="Variant set")

    assert "No evaluation lies in this window" in words(test)
    assert not [one for one in test.button if one.label.startswith("Show the days until")]


def test_evaluations_of_long_ago_are_one_click_away(worked: Runtime) -> None:
    newest = datetime.now(UTC).date()
    with worked.session() as session:
        session.execute(text("UPDATE catalog_evaluation SET created_at = created_at - :ago"),
                        {"ago": timedelta(days=500)})  # fmt: skip
    try:
        test = opened(worked)
        assert "No evaluation lies in this window" in words(test)
        next(one for one in test.button if one.label.startswith("Show the days")).click().run()
        shown = {one.label: one.value for one in test.metric}
    finally:
        with worked.session() as session:
            session.execute(text("UPDATE catalog_evaluation SET created_at = created_at + :ago"),
                            {"ago": timedelta(days=500)})  # fmt: skip

    assert 250 < int(shown["Evaluations"]) < 350
    assert test.date_input(key="until").value == newest - timedelta(days=500)


def test_agreement_has_figures_with_intervals_and_cases_with_notes(worked: Runtime) -> None:
    test = opened(worked, tab="agreement")

    told = words(test)
    assert re.search(r"Quadratic kappa 0\.\d\d", told)
    assert re.search(r"0\.\d\d to 0\.\d\d", told)
    assert "Two people who rated the same" in told
    assert "the scent is \\*invented\\*" in told
    assert len(test.get("echarts_chart")) == 3


def test_a_case_leads_to_its_record(worked: Runtime) -> None:
    test = opened(worked, tab="agreement")
    next(one for one in test.button if "Cream" in one.label).click().run()

    assert not test.exception
    assert "What people said" in words(test)


def test_what_cannot_be_said_says_why(worked: Runtime) -> None:
    # Nobody has rated what was extracted in these few days by this model.
    test = opened(worked, tab="agreement", days="7", type="Fragrance", model="mistral:small")

    assert "cannot be said, because" in words(test) or "Nobody has rated" in words(test)


def test_an_evaluation_is_shown_with_all_that_led_to_it(worked: Runtime) -> None:
    test = opened(worked, tab="investigation", evaluation="8")

    told = words(test)
    assert "Cream \\<b\\>8\\</b\\>" in told
    assert "What people said" in told
    assert "Sources" in told
    assert "Oakleaf cream, 50 ml" in [one.value for one in test.text]
    assert any("no source" in one.value for one in test.json)


def test_a_search_narrows_on_the_server(worked: Runtime, last_month: Window) -> None:
    with worked.session() as session:
        found = evaluations.listed(session, evaluations.Wanted(last_month, text="<b>17<"))
        rated = evaluations.listed(session, evaluations.Wanted(last_month, rated=True), limit=COUNT)
        poor = evaluations.listed(
            session, evaluations.Wanted(last_month, badge="poor"), limit=COUNT
        )
        with pytest.raises(NotFound, match="no evaluation 999999"):
            evaluations.record(session, 999_999)

    assert [one.id for one in found] == [17]
    assert {one.id % 4 for one in rated} == {0}
    assert poor
    assert all(one.overall < 3 for one in poor)


@pytest.mark.parametrize("format", ["csv", "json", "xlsx", "parquet"])
def test_evaluations_leave_as_files(worked: Runtime, last_month: Window, format: Format) -> None:
    wanted = evaluations.Wanted(last_month, badge="poor")
    with worked.session() as session:
        there = evaluations.listed(session, wanted, limit=COUNT)
        content = b"".join(evaluations.export(session, format, wanted))

    rows = {
        "csv": lambda: content.count(b"\n") - 1,
        "json": lambda: content.count(b'"product_id"'),
        "xlsx": lambda: len(
            CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
        ) - 1,
        "parquet": lambda: pq.read_table(io.BytesIO(content)).num_rows,
    }[format]()  # fmt: skip
    assert rows == len(there) > 0


def test_the_report_is_one_file_that_asks_for_nothing(worked: Runtime, last_month: Window) -> None:
    with worked.session() as session:
        html = report.as_html(report.gather(session, last_month))

    assert not re.search(
        r"<(link|script|img|iframe|object|embed)\b|url\((?!#)|@import|\bsrc=", html
    )
    outside = set(re.findall(r"(?:https?:)?//[\w.]+", html)) - {"http://www.w3.org"}
    assert outside == set()
    assert html.count("<svg") == 2
    assert "offline engine: rules" in html


def test_the_report_shows_text_as_text(worked: Runtime, last_month: Window) -> None:
    with worked.session() as session:
        session.execute(
            text("UPDATE catalog_issue SET rule = '<script>alert(1)</script>' WHERE position = 0")
        )
        told = report.gather(session, last_month)
        html, pdf = report.as_html(told), report.as_pdf(told)
        session.rollback()

    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "<script>" in printed(pdf)


def test_the_printed_report_has_the_figures(worked: Runtime, last_month: Window) -> None:
    with worked.session() as session:
        told = report.gather(session, last_month)
        pages = printed(report.as_pdf(told))

    now = told.executive.now
    assert f"{now.evaluations:,} evaluations in 30 days" in pages
    assert f"{now.overall:.2f}" in pages
    assert "Quadratic kappa" in pages
    assert "openai:gpt-4o-mini" in pages


def test_a_report_of_nothing_can_be_made(worked: Runtime) -> None:
    nothing = Window.last(7, datetime(2001, 1, 7, tzinfo=UTC).date())
    with worked.session() as session:
        told = report.gather(session, nothing)

    assert "cannot be said, because" in report.as_html(told)
    assert "cannot be said, because" in printed(report.as_pdf(told))


def test_activity_has_leaders_hours_and_what_people_said(worked: Runtime) -> None:
    test = opened(worked, "activity")

    told = words(test)
    assert "1\\. ana" in told
    assert "Products with feedback" in told
    assert "the machine" in told
    assert "ana@example.com" in set(test.dataframe[0].value["Person"])


def test_changes_of_shares_are_points() -> None:
    assert first_tab.changed(0.25, 0.2, share=True) == "+5.0 points"
    assert first_tab.changed(4.1, 4.3, share=False) == "-0.20"
    assert first_tab.changed(None, 4.3, share=False) is None


def printed(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return " ".join(pages_of(document)).replace("\r\n", " ")


def pages_of(document: pypdfium2.PdfDocument) -> Iterator[str]:
    for one in document:
        yield one.get_textpage().get_text_bounded()
