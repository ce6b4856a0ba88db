"""What the rules find, what they leave alone, and that every point lost has its reason."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.catalog import tally
from benchmarks.catalog_sheets import Sheet, sheets
from buttress.apps.catalog.evaluation import METRICS, Evaluation, Weights, evaluate
from buttress.apps.catalog.evaluation.markup import read_markup
from buttress.apps.catalog.evaluation.names import names_of, strange_words
from buttress.apps.catalog.evaluation.portuguese import brazilian
from buttress.apps.catalog.evaluation.quantities import Quantity, quantities, quantities_in
from buttress.apps.catalog.evaluation.rules import RULES, rule
from buttress.apps.catalog.evaluation.words import language_of
from buttress.apps.catalog.extraction import Origin
from buttress.apps.catalog.material import Material, Passage, Place, Source
from buttress.apps.catalog.products import Product, ProductType, with_field

A, B = "catalogA.", "catalogB.Subtypes.0."


@pytest.fixture(scope="module")
def every() -> list[Sheet]:
    """One sheet of each of the first products of every type."""
    found: dict[str, Sheet] = {}
    for sheet in sheets(seed=1, each=1):
        found.setdefault(sheet.kind, sheet)
    return list(found.values())


@pytest.fixture(scope="module")
def cream(every: list[Sheet]) -> Sheet:
    return next(one for one in every if one.kind == "cosmetics")


def judged(sheet: Sheet, **changes: Any) -> Evaluation:
    """The evaluation of a sheet's product with other values, by the path with _ for its dots."""
    product = sheet.product
    for path, value in changes.items():
        field = path.replace("__", ".")
        product = with_field(
            product, field, value(read(product, field)) if callable(value) else value
        )
    return evaluate(product, sheet.kind, sheet.material, sheet.origins)


def read(product: Product, field: str) -> Any:
    value: Any = product.model_dump(mode="json", by_alias=True)
    for step in field.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def test_what_is_right_loses_no_point(every: list[Sheet]):
    for sheet in every:
        evaluation = judged(sheet)

        assert evaluation.issues == ()
        assert evaluation.overall == Decimal(5)


def test_seeded_mistakes_are_found_and_what_is_right_is_left_alone(every: list[Sheet]):
    counted = tally(every, seed=1)

    assert counted.seeded.total() > 120
    assert counted.found.total() / counted.seeded.total() >= 0.9
    assert counted.alarms == 0


@pytest.mark.parametrize(
    ("changes", "rule_name", "metric"),
    [
        ({"catalogB__Subtypes__0__Weight": 9_999}, "measures and prices in source", "content"),
        ({"catalogB__Subtypes__0__EAN": "5601234567890"}, "barcode check digit", "structure"),
        ({"catalogB__Subtypes__0__HSCode": "00000000"}, "customs code of the list", "structure"),
        ({"catalogB__Subtypes__0__ItemCapacityUnits": 99}, "codes of the lists", "structure"),
        ({"catalogB__Subtypes__0__Width": 900}, "plausible sizes", "structure"),
        ({"catalogB__Subtypes__0__Weight": 10}, "package holds its content", "structure"),
        ({"catalogA__ModelName": "x"}, "model name", "structure"),
        ({"catalogA__TitleEN": "Oakleaf Cream 50 ml"}, "titles without brand and size", "structure"),
        ({"catalogA__brand": "Nobody"}, "titles in source", "content"),
        ({"catalogA__UrlEN": "Not A Slug"}, "slugs", "structure"),
        ({"catalogA__Ingredients": lambda s: s + ", RETINOL"}, "ingredients in source", "content"),
        ({"catalogA__Ingredients": str.title}, "ingredients in capitals", "structure"),
        ({"catalogA__DescriptionEN": lambda s: s + "<script>x</script>"}, "allowed tags", "structure"),
        ({"catalogA__DescriptionEN": lambda s: s[:-4]}, "well formed html", "structure"),
        ({"catalogA__DescriptionPT": ""}, "both languages", "translation"),
        ({"catalogA__HowToPT": "<p>Apply it to the face and let it dry.</p>"}, "nothing left untranslated", "translation"),
        ({"catalogA__HowToPT": lambda s: s.replace("massaje", "massageie")}, "european portuguese", "translation"),
        ({"catalogA__DescriptionEN": lambda s: s.replace("</p>", " TBD</p>", 1)}, "no placeholders", "structure"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_field(
    cream: Sheet, changes: dict[str, Any], rule_name: str, metric: str
):
    evaluation = judged(cream, **changes)

    field = next(iter(changes)).replace("__", ".")
    issue = next(one for one in evaluation.issues if one.rule == rule_name)
    assert (issue.metric, issue.points > 0) == (metric, True)
    assert issue.field == field
    assert issue.message
    assert getattr(evaluation, metric) < 5
    assert evaluation.overall < 5


def test_prices_keep_their_order(cream: Sheet):
    evaluation = judged(cream, catalogB__Subtypes__0__supplierPrice=lambda price: price * 10)

    assert "supplier price below sale price" in {one.rule for one in evaluation.issues}


def test_a_weight_that_was_estimated_need_not_stand_in_the_source(cream: Sheet):
    product = with_field(cream.product, f"{B}Weight", 333)
    read_it = dict(cream.origins) | {f"{B}Weight": Origin(how="read")}
    estimated = read_it | {f"{B}Weight": Origin(how="computed")}

    def fields(origins: dict[str, Origin]) -> set[str]:
        found = evaluate(product, cream.kind, cream.material, origins)
        return {one.field for one in found.issues}

    assert f"{B}Weight" in fields(read_it)
    assert f"{B}Weight" not in fields(estimated)


def test_scores_are_what_the_reasons_leave_of_five(cream: Sheet):
    weights = Weights(structure=Decimal("0.5"), content=Decimal("0.5"), translation=Decimal(0))
    product = with_field(cream.product, f"{B}EAN", "123")

    found = evaluate(product, cream.kind, cream.material, cream.origins, weights=weights)

    for metric in METRICS:
        lost = sum(one.points for one in found.issues if one.metric == metric)
        assert getattr(found, metric) == max(Decimal(1), Decimal(5) - lost)
    assert found.overall == ((found.structure + found.content) / 2).quantize(Decimal("0.01"))


def test_an_empty_product_is_judged_and_not_an_error():
    found = evaluate(Product(), ProductType.SUPPLEMENT, Material(()), {})

    assert found.structure == 1
    assert {one.field for one in found.issues} >= {"catalogA.TitleEN", "catalogB.Subtypes"}


TEXT = st.text(max_size=60) | st.sampled_from(
    [
        "<p><strong>",
        "</li></ul>",
        "1.234,56 kg",
        "você",
        "Eau de Parfum",
        "\u0000<",
        "&#x0;",
        "{a}",
        "٣ ml",
        "²",
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(TEXT, min_size=8, max_size=8),
    number=st.decimals(min_value=0, max_value=10**9, places=2),
    source=st.lists(TEXT, max_size=5),
    kind=st.sampled_from(ProductType),
)
def test_no_product_and_no_source_break_the_rules(
    texts: list[str], number: Decimal, source: list[str], kind: ProductType
):
    one, two, three, four, five, six, seven, eight = texts
    product = Product.model_validate(
        {
            "catalogA": {"brand": one, "TitleEN": two, "DescriptionEN": three + four, "DescriptionPT": five, "Ingredients": six, "UrlEN": seven},
            "catalogB": {"Subtypes": [{"EAN": eight, "Weight": number, "ItemCapacity": number, "ItemCapacityUnits": 2, "VariantValue": one}]},
        }
    )  # fmt: skip
    passages = tuple(Passage(text, Place(page=1), label=text[:9]) for text in source)

    found = evaluate(product, kind, Material((Source("1", "pdf", "a", passages),)), {})

    assert all(1 <= getattr(found, metric) <= 5 for metric in METRICS)
    assert all(issue.points > 0 and issue.field and issue.message for issue in found.issues)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="<>/pulistrongbq &#;x\"'= a", max_size=80))
def test_no_html_breaks_the_reader(html: str):
    read_markup(html)


@pytest.mark.parametrize(
    ("html", "sound"),
    [
        ("<p>a <strong>b</strong></p><ul><li>c</li></ul>", True),
        ("<p>1 &lt; 2<br>x</p>", True),
        ("<p>a", False),
        ("a</p>", False),
        ("<ul><li>a<li>b</ul>", False),
        ("<p>a</p", False),
        ("<li>a</li>", False),
        ("<p><strong>a</p></strong>", False),
    ],
)
def test_broken_html_is_told_from_sound(html: str, sound: bool):
    assert (read_markup(html).faults == []) is sound


def test_attributes_and_scripts_are_not_allowed():
    assert read_markup('<p onclick="x()">a</p>').forbidden == ["p onclick="]
    assert read_markup("<script>alert(1)</script>").text == ""


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1,5 kg", "1500 g"), ("0.182 kilograms", "182 gramas"), ("65 mm", "6,5 cm"),
        ("24 hours", "24 horas"), ("1.250 g", "1250 g"), ("€ 24.90", "24,90 €"), ("SPF 30", "FPS 30"),
        ("48-hour", "48 horas"), ("2 gummies", "2 gomas"), ("3 times", "3 vezes"),
    ],
)  # fmt: skip
def test_quantities_are_the_same_however_they_are_written(left: str, right: str):
    (one,), (other,) = quantities(left), quantities(right)

    assert one.same(other)


@pytest.mark.parametrize(
    ("left", "right"), [("50 ml", "50 g"), ("24 h", "24 min"), ("5 mg", "5 g")]
)
def test_another_unit_is_another_quantity(left: str, right: str):
    (one,), (other,) = quantities(left), quantities(right)

    assert not one.same(other)


def test_numbers_of_words_are_no_quantities_and_sides_share_their_unit():
    assert list(quantities("vitamin B12 and CoQ10 by 5G")) == []
    assert [one.unit for one in quantities("6.5 x 5 x 12 cm")] == ["cm"] * 3
    assert quantities_in([("182", "Weight (g)")]).has(Quantity("182", (Decimal(182),), "g"))


def test_names_are_told_from_words_that_begin_sentences():
    text = "It has AquaLock by Velmora. Nothing else. Made in Aveiro with B12."

    assert names_of(text) == ["AquaLock", "Velmora", "Aveiro", "B12"]
    assert names_of("Key Benefits\nDeep Hydration\nFresh skin") == []
    assert strange_words("Zorvex Face Cream", {"oak"}) == ["zorvex"]


@pytest.mark.parametrize(
    "text",
    [
        "A umidade da pele", "O ácido hialurônico", "Você vai gostar", "Me deixe em paz.",
        "Sua pele fica macia.", "Bom para sua pele", "Está hidratando a pele", "O gênero acadêmico",
        "a linguiça com trema: lingüiça", "A gente ama", "Limpe seu rosto",
    ],
)  # fmt: skip
def test_brazilian_wording_is_seen(text: str):
    assert brazilian(text)


@pytest.mark.parametrize(
    "text",
    [
        "A humidade da sua pele", "O ácido hialurónico tem ciência", "A sua pele fica macia.",
        "Está a hidratar a pele", "Delicado para o estômago da fêmea", "Por sua vez, têm essência.", "Ao lanche, sem panela",
        "Para o seu rosto, em todas as estações", "Tem experiência e eficiência.",
    ],
)  # fmt: skip
def test_european_wording_is_left_alone(text: str):
    assert brazilian(text) == []


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The cream is for the face and the hands.", "en"),
        ("O creme é para o rosto e as mãos.", "pt"),
        ("Use todas as noites.", "pt"),
        ("Cork Forest Eau de Parfum", "en"),
        ("Oud Royale", ""),
    ],
)
def test_languages_are_told_apart(text: str, language: str):
    assert language_of(text) in (language, "")
    if len(text.split()) > 4 and language != "en":
        assert language_of(text) == language


def test_rules_have_names_of_their_own():
    assert len(RULES) > 30
    again: Callable[..., Any] = next(iter(RULES.values())).check
    with pytest.raises(ValueError, match="two rules"):
        rule("content")(again)
