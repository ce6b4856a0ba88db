"""Numbers and days as tables print them."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttress.documents.values import Style, Unreadable, day, integer, number, style_of

AMERICAN, EUROPEAN = Style("."), Style(",")


@pytest.mark.parametrize(
    ("text", "style", "value"),
    [
        ("1,234.50", AMERICAN, "1234.50"),
        ("1.234,50", EUROPEAN, "1234.50"),
        ("(1.234,50)", EUROPEAN, "-1234.50"),
        ("-12%", AMERICAN, "-12"),
        ("12,5-", EUROPEAN, "-12.5"),
        ("\u221212,5", EUROPEAN, "-12.5"),
        ("1\u202f234,5 €", EUROPEAN, "1234.5"),
        ("EUR 39.90", AMERICAN, "39.90"),
        ("0.5", AMERICAN, "0.5"),
        (".5", AMERICAN, "0.5"),
        ("(0,00)", EUROPEAN, "0.00"),
    ],
)
def test_numbers_are_read_as_printed(text, style, value):
    assert number(text, style) == Decimal(value)


@pytest.mark.parametrize("text", ["", " - ", "–", "n/a", "N.D."])
def test_a_dash_is_no_value(text):
    assert number(text, AMERICAN) is None
    assert integer(text, AMERICAN) is None
    assert day(text, AMERICAN) is None


@pytest.mark.parametrize(
    "text", ["12a", "1.2.3", "1,23", "12,34,567", "1234,567", "5 ml", "1e5", "٣", "(5", "--5-x"]
)
def test_what_is_no_number_is_not_made_one(text):
    with pytest.raises(Unreadable):
        number(text, AMERICAN)


def test_a_fraction_is_no_whole_number():
    assert integer("1.234", EUROPEAN) == 1234
    with pytest.raises(Unreadable):
        integer("1,5", EUROPEAN)


@given(st.decimals(-(10**9), 10**9, places=2), st.sampled_from([AMERICAN, EUROPEAN]))
def test_every_printed_number_is_read_back(value, style):
    text = f"{abs(value):,.2f}"
    if style is EUROPEAN:
        text = text.translate(str.maketrans(",.", ".,"))
    printed = f"({text})" if value < 0 else text

    assert number(printed, style) == value
    assert style_of([printed]) == style


@given(st.text(max_size=30))
def test_no_text_breaks_the_readers(text):
    for read in (number, integer, day):
        for style in (AMERICAN, EUROPEAN):
            try:
                read(text, style)
            except Unreadable:
                continue


@pytest.mark.parametrize(
    ("texts", "decimal"),
    [
        (["1,234", "56.7"], "."),
        (["1.234", "56,7"], ","),
        (["1.234", "2.345"], ","),
        (["1,234", "2,345"], "."),
        (["1.234.567"], ","),
        (["12"], "."),
        ([], "."),
        (["0.125", "0.250"], "."),
    ],
)
def test_the_decimal_sign_is_told_by_all_numbers_together(texts, decimal):
    assert style_of(texts).decimal == decimal


def test_days_are_read_in_figures_and_the_month_first_only_when_a_day_shows_it():
    assert day("2026-02-01", AMERICAN) == dt.date(2026, 2, 1)
    assert day("1.2.2026", AMERICAN) == dt.date(2026, 2, 1)
    assert day("01/02/26", AMERICAN) == dt.date(2026, 2, 1)
    assert style_of([], ["02/01/2026", "02/13/2026"]).month_first
    assert not style_of([], ["02/01/2026"]).month_first
    for wrong in ("31.2.2026", "yesterday", "1.2"):
        with pytest.raises(Unreadable):
            day(wrong, AMERICAN)
