"""Tables of PDF files, read by the columns of a contract."""

import datetime as dt
from decimal import Decimal

import pytest
from pydantic import BaseModel, Field

from buttress.documents import Column, NoSuchTable, columns_of, read_pdf, read_table
from buttress.errors import ConfigurationError
from document_samples import COLUMNS, PLAIN, RULED, TWO_LINES, Layout, page_of, report

PRICES = [Column("ref"), Column("name"), Column("price", ("PVP",), "number")]


def values(table):
    return [tuple(row.values.values()) for row in table.rows]


def prices(content: bytes, columns=PRICES, key="ref"):
    return read_table(read_pdf(content), columns, key=key)


def row(top, ref, name, price):
    return [(50, top, ref), (150, top, name), (400, top, price)]


@pytest.mark.parametrize("layout", [RULED, PLAIN], ids=["ruled", "plain"])
def test_400_rows_with_wrapped_cells_are_read_exactly(layout):
    content, truth = report(400, layout)

    table = read_table(read_pdf(content), COLUMNS, key="code")

    assert values(table) == truth
    assert [total.values["quantity"] for total in table.totals] == [sum(one[2] for one in truth)]
    assert [total.values["margin"] for total in table.totals] == [sum(one[5] for one in truth)]


@pytest.mark.parametrize(
    "layout",
    [
        Layout(ruled=True, head=tuple(TWO_LINES)),
        Layout(head=tuple(TWO_LINES)),
        Layout(repeated=False, european=True),
        Layout(ruled=True, wide=True, european=True),
    ],
    ids=["two lines, ruled", "two lines", "header once", "wide"],
)
def test_other_layouts_are_read_exactly(layout):
    content, truth = report(70, layout, seed=3)

    assert values(read_table(read_pdf(content), COLUMNS, key="code")) == truth


def test_every_line_of_every_page_is_accounted_for():
    content, _ = report(120, PLAIN)
    document = read_pdf(content)

    table = read_table(document, COLUMNS, key="code")

    for page, coverage in zip(document.pages, table.coverage, strict=True):
        assert coverage.lines == len(page.lines)
        assert coverage.lines == (
            coverage.header + coverage.rows + coverage.totals + coverage.unread
        )
    unread = [place.text for place in table.unread]
    assert unread[:3] == ["Margin report 2026", "Margins by product", "Page 1"]
    assert len(unread) == 2 * len(document.pages) + 1


def test_a_cell_tells_where_it_stands():
    table = prices(page_of(*row(100, "Ref", "Name", "PVP"), *row(120, "A1", "Soap", "1,50")))

    place = table.rows[0].cells["price"].place

    assert (place.page, place.text) == (1, "1,50")
    assert 399 < place.box.left < 402
    assert 110 < place.box.top < place.box.bottom < 125


def test_a_page_that_lies_on_its_side_is_read_as_it_is_shown():
    lines = [*row(100, "Ref", "Name", "PVP"), *row(120, "A1", "Soap bar", "(1,50)")]

    upright, turned = prices(page_of(*lines)), prices(page_of(*lines, turned=True))

    assert values(upright) == values(turned) == [("A1", "Soap bar", Decimal("-1.50"))]
    boxes = [one.rows[0].cells["name"].place.box for one in (upright, turned)]
    assert boxes[0].left == pytest.approx(boxes[1].left, abs=2)
    assert boxes[0].middle == pytest.approx(boxes[1].middle, abs=2)


def test_two_tables_on_a_page_may_have_their_columns_in_other_places():
    content = page_of(
        *row(100, "Ref", "Name", "PVP"),
        *row(115, "A1", "Soap", "1,50"),
        (50, 200, "PVP"), (150, 200, "Ref"), (400, 200, "Name"),
        (50, 215, "2,50"), (150, 215, "B2"), (400, 215, "Oil"),
    )  # fmt: skip

    assert values(prices(content)) == [
        ("A1", "Soap", Decimal("1.50")),
        ("B2", "Oil", Decimal("2.50")),
    ]


def test_columns_nobody_expects_and_headings_between_rows_do_not_get_into_cells():
    content = page_of(
        *row(100, "Ref", "Name", "PVP"), (480, 100, "Stock"), (300, 100, "Shelf"),
        *row(115, "A1", "Soap", "1,50"), (480, 115, "700"), (300, 115, "S7"),
        (50, 140, "Oils and more"),
        *row(165, "B2", "Oil", "2,50"), (480, 165, "3"), (300, 165, "S9"),
    )  # fmt: skip

    table = prices(content)

    assert values(table) == [("A1", "Soap", Decimal("1.50")), ("B2", "Oil", Decimal("2.50"))]
    assert [place.text for place in table.unread] == ["Oils and more"]


def test_a_wrapped_line_as_far_from_both_rows_belongs_to_the_one_above():
    content = page_of(
        *row(100, "Ref", "Name", "PVP"),
        *row(111, "A1", "Soap with", "1,50"),
        (150, 122, "almond oil"),
        *row(133, "B2", "Oil", "2,50"),
    )

    assert values(prices(content)) == [
        ("A1", "Soap with almond oil", Decimal("1.50")),
        ("B2", "Oil", Decimal("2.50")),
    ]


def test_a_cell_that_is_not_what_its_column_has_says_so_and_an_empty_one_is_empty():
    content = page_of(
        *row(100, "Ref", "Name", "PVP"),
        *row(115, "A1", "Soap", "on request"),
        *row(130, "A2", "Oil", "-"),
        (50, 145, "A3"), (400, 145, "9,90"),
    )  # fmt: skip

    first, second, third = prices(content).rows

    assert first.cells["price"].value is None
    assert first.cells["price"].problem == "it is no number"
    assert (second.cells["price"].value, second.cells["price"].problem) == (None, None)
    assert (third.cells["name"].text, third.cells["name"].place) == ("", None)


def test_columns_come_from_a_contract():
    class Price(BaseModel):
        ref: str
        day: dt.date = Field(title="Valid from")
        price: Decimal = Field(json_schema_extra={"aliases": ["PVP"]})
        stock: int | None = None

    assert columns_of(Price) == [
        Column("ref"),
        Column("day", ("Valid from",), "date"),
        Column("price", ("PVP",), "number"),
        Column("stock", (), "integer", required=False),
    ]
    content = page_of(
        *row(100, "Ref.", "Valid from", "P.V.P."), *row(120, "A1", "31.12.2026", "€ 1.234,50")
    )
    assert values(prices(content, Price)) == [
        ("A1", dt.date(2026, 12, 31), Decimal("1234.50"), None)
    ]


def test_a_document_without_the_table_is_refused_and_a_key_must_be_a_column():
    content = page_of((50, 100, "Dear customer,"), (50, 120, "Ref and name follow."))

    with pytest.raises(NoSuchTable, match="the columns ref, name, price") as caught:
        prices(content)
    assert caught.value.cause == "table"
    with pytest.raises(ConfigurationError, match="'sku'"):
        prices(content, key="sku")
