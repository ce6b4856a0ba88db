"""Numbers, measures, prices, barcodes and names, as documents write them."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stdnum import ean

from buttress.apps.catalog.extraction.labelled import items_of, pairs_in, without_tags
from buttress.apps.catalog.extraction.labels import propose_columns, read_label
from buttress.apps.catalog.extraction.measures import (
    Capacity,
    read_capacity,
    read_dimensions,
    read_length,
    read_mass,
)
from buttress.apps.catalog.extraction.offline.variants import read_price
from buttress.apps.catalog.extraction.wording import bare_title, capitalised, inci, slug
from buttress.apps.catalog.numbers import numbers_in, readings

amounts = st.decimals(min_value="0.01", max_value="9999999.99", places=2)


def european(number: Decimal) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


@given(amounts)
def test_numbers_of_both_continents_are_read(number: Decimal):
    assert readings(f"{number:,.2f}") == (number,)
    assert readings(european(number)) == (number,)
    assert number in numbers_in(f"from {european(number)} € on")


@given(amounts, st.sampled_from(["{} €", "€ {}", "EUR {}", "{} EUR", "PVP {}€"]))
def test_prices_are_read_as_they_are_written(number: Decimal, pattern: str):
    for written in (european(number), f"{number:,.2f}"):
        found = read_price(pattern.format(written))
        assert found is not None
        assert found[0] == number


@pytest.mark.parametrize("text", ["free", "", "-3,50 €", "€ -2", "0,00 €", "on request"])
def test_what_is_no_price_gives_none(text: str):
    assert read_price(text) is None


@example("9" * 30 + " ml")
@given(st.text(max_size=60))
def test_reading_never_raises(text: str):
    read_mass(text), read_length(text), read_capacity(text)
    read_dimensions(text), read_price(text), pairs_in(text), without_tags(text)
    inci(text), slug(text), bare_title(text, "Oak"), capitalised(text)
    assert all(number >= 0 for number in numbers_in(text))


@given(st.integers(1, 50_000), st.sampled_from(["g", "gr", "grams", "gramas"]))
def test_grams_and_kilograms_are_the_same_weight(grams: int, unit: str):
    for written in (f"{grams} {unit}", f"{Decimal(grams) / 1000:.3f} kg".replace(".", ",")):
        found = read_mass(written)
        assert found is not None
        assert found.value == grams


@given(st.integers(1, 5_000))
def test_millimetres_are_centimetres(millimetres: int):
    found = read_length(f"{millimetres} mm")
    assert found is not None
    assert found.value * 10 == millimetres
    assert found.converted


def test_a_label_tells_the_unit_and_no_unit_is_an_assumption():
    assert read_mass("0,5", "kg") == read_mass("0.5 kg")
    bare = read_mass("182")
    assert bare is not None
    assert bare.assumed


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("50 ml", "50", 2),
        ("1 L", "1000", 2),
        ("0,75 l", "750", 2),
        ("60 cápsulas", "60", 6),
        ("2 x 30 tablets", "60", 8),
        ("1,5 kg", "1.5", 5),
        ("7", "7", None),
    ],
)
def test_capacities_have_the_shop_s_units(text: str, amount: str, unit: int | None):
    assert read_capacity(text) == Capacity(Decimal(amount), unit)


@pytest.mark.parametrize(
    ("text", "label", "expected"),
    [
        ("6.5 x 5 x 6.5 cm", "", ("6.5", "5", "6.5")),
        ("65 x 50 x 40 mm", "(W x H x D)", ("6.5", "5", "4")),
        ("12 × 3 × 4 cm", "Dimensões (A x L x P)", ("3", "12", "4")),
        ("10cm x 20cm x 30cm", "", ("10", "20", "30")),
        ("10 x 4 x 7 cm (L x W x H)", "", ("4", "7", "10")),
    ],
)
def test_dimensions_follow_the_order_that_is_named(
    text: str, label: str, expected: tuple[str, str, str]
):
    found = read_dimensions(text, label)
    told = tuple(found[axis].value for axis in ("width", "height", "depth"))
    assert told == tuple(map(Decimal, expected))


@given(st.integers(10**11, 10**12 - 1))
def test_a_barcode_with_another_last_digit_is_none(digits: int):
    good = f"{digits}{ean.calc_check_digit(str(digits))}"
    wrong = good[:-1] + str((int(good[-1]) + 1) % 10)
    assert ean.is_valid(good)
    assert not ean.is_valid(wrong)


def test_inci_lists_are_in_capitals_and_commas_in_names_stay():
    assert inci("Ingredients: Aqua; Glycerin,1,2-Hexanediol • Parfum.") == (
        "AQUA, GLYCERIN,1,2-HEXANEDIOL, PARFUM"
    )
    assert inci("Aqua, 1,2-Hexanediol, Parfum.") == "AQUA, 1,2-HEXANEDIOL, PARFUM"


@given(st.text(max_size=200))
def test_slugs_have_letters_digits_and_hyphens(text: str):
    assert re.fullmatch(r"(?:[a-z0-9]+(?:-[a-z0-9]+)*)?", slug(text))
    assert len(slug(text)) <= 120


def test_titles_lose_brand_and_size():
    assert bare_title("Oakleaf® Calm Cream 50 ml", "Oakleaf") == "Calm Cream"
    assert bare_title("Omega-3, 60 capsules") == "Omega-3"
    assert bare_title("50 ml") == "50 ml", "a name is never empty"
    assert capitalised("creme de rosto COM óleo", "pt") == "Creme de Rosto COM Óleo"


def test_labels_are_known_in_both_languages_with_units_and_languages():
    assert propose_columns(["EAN13", "Nome (PT)", "Peso (kg)", "PVP €", "TitleEN", "Remarks"]) == {
        "EAN13": "ean",
        "Nome (PT)": "title",
        "Peso (kg)": "weight",
        "PVP €": "price_sale",
        "TitleEN": "title",
    }
    label = read_label("Descrição EN")
    assert label is not None
    assert label.field.language == "en"
    assert read_label("a sentence that begins like a weight and goes on") is None


def test_labels_are_found_by_colons_gaps_and_numbers_and_not_in_headers():
    def found(line: str) -> list[tuple[str, str]]:
        return [(label.field.name, text) for label, _, text in pairs_in(line)]

    assert found("Weight: 182 g") == [("weight", "182 g")]
    assert found("Marca\tOakleaf\tPeso\t182 g") == [("brand", "Oakleaf"), ("weight", "182 g")]
    assert found("Weight 182 g") == [("weight", "182 g")]
    assert found("Ingredients") == [("ingredients", "")]
    assert found("EAN\tPrice\tSize") == []
    assert found("Apply it twice a day: in the morning") == []


def test_lists_are_told_by_bullets_lines_or_marks():
    assert items_of(["• one", "two", "• three"]) == ("one two", "three")
    assert items_of(["one", "two"]) == ("one", "two")
    assert items_of(["one; two"]) == ("one", "two")


def test_html_in_sources_becomes_text():
    assert without_tags("<ul><li>One &amp; only</li><li>Two</li></ul><script>x</script>") == (
        "• One & only\n• Two"
    )
    assert without_tags("a < b") == "a < b"
