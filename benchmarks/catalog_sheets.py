"""Datasheets with known truth: what a supplier tells, and the product that is right about it.

Five types of products, five layouts (labelled lines, prose, a row of a sheet with numbers as in
Portugal, the data of a web page, Portuguese labels in two columns), sizes and prices at random.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from stdnum import ean

from buttress.apps.catalog.extraction import Origin
from buttress.apps.catalog.material import Material, Passage, Place, Source
from buttress.apps.catalog.products import Product, ProductType

TEXTS: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("catalog_texts.toml").read_text("utf-8")
)
LAYOUTS = ("lines", "prose", "sheet", "web", "columns")
HOW_TO = {"cosmetics": 0, "fragrance": 1, "supplement": 5, "variants": 0, "electronics": 3}
PORTUGUESE = {
    "EAN": "Código de barras", "Capacity": "Capacidade", "Weight": "Peso", "Width": "Largura",
    "Height": "Altura", "Depth": "Profundidade", "Sale price": "Preço de venda",
    "Recommended price": "Preço recomendado", "Supplier price": "Preço de fornecedor",
}  # fmt: skip
FIELD = {
    "Weight": "Weight", "Width": "Width", "Height": "Height", "Depth": "Depth",
    "Sale price": "priceSale", "Recommended price": "priceRecommended",
    "Supplier price": "supplierPrice", "EAN": "EAN", "Capacity": "ItemCapacity",
}  # fmt: skip
UNIT = {
    "Weight": "g",
    "Width": "cm",
    "Height": "cm",
    "Depth": "cm",
    "Sale price": "EUR",
    "Recommended price": "EUR",
    "Supplier price": "EUR",
}


@dataclass(frozen=True)
class Sheet:
    """A product that is right, what it was made from, and the sentences of its closing paragraphs."""

    kind: ProductType
    layout: str
    held_out: bool
    product: Product
    material: Material
    origins: dict[str, Origin]
    closing: tuple[tuple[str, str, str], ...]


def sheets(seed: int, each: int) -> Iterator[Sheet]:
    """So many sheets of every product of the texts, the same ones for the same seed."""
    for place, told in enumerate(TEXTS["product"]):
        for number in range(each):
            draw = random.Random(f"{seed}/{place}/{number}")
            yield _sheet(told, LAYOUTS[(place + number) % len(LAYOUTS)], draw)


def _sheet(told: dict[str, Any], layout: str, draw: random.Random) -> Sheet:
    kind = ProductType(told["type"])
    count = len(told["values"]) if "values" in told else 1
    variants = [_variant(told, draw, place) for place in range(count)]
    numbers = {
        "a": draw.choice([2, 5, 8, 12, 15]),
        "b": draw.choice([24, 36, 48]),
        "c": draw.choice([2, 3, 4]),
    }
    marketing, closing = ({}, ())
    if kind != "variants":
        marketing, closing = _marketing(told, kind, numbers, draw)
    tree = {
        "catalogA": {
            "brand": told["brand"],
            "TitleEN": told["en"],
            "TitlePT": told["pt"],
            "UrlEN": _slug(told["brand"], told["en"]),
            "UrlPT": _slug(told["brand"], told["pt"]),
            **marketing,
        },
        "catalogB": {"Subtypes": variants},
    }
    facts = [fact.format(**numbers) for fact in told["facts"]]
    estimated = draw.random() < 0.2
    source = Source(
        "1",
        "sheet" if layout == "sheet" else "web" if layout == "web" else "pdf",
        "datasheet",
        tuple(_passages(told, variants, facts, layout, estimated)),
    )
    material = Material((source,))
    product = Product.model_validate(tree)
    return Sheet(
        kind,
        layout,
        bool(told.get("held_out")),
        product,
        material,
        _origins(product, material, told, estimated),
        closing,
    )


def _variant(told: dict[str, Any], draw: random.Random, place: int) -> dict[str, Any]:
    code = told["unit"][0]
    amount = {
        2: draw.choice([30, 50, 75, 100, 150, 200]),
        4: draw.choice([40, 50, 60]),
        6: draw.choice([30, 60, 90]),
        8: draw.choice([20, 40]),
        11: draw.choice([30, 60]),
        14: 1,
        1: 1,
    }[code]
    supplier = Decimal(draw.randint(300, 4000)) / 100
    sale = (supplier * Decimal(draw.choice(["1.6", "1.8", "2.1"]))).quantize(Decimal("0.01"))
    recommended = (sale * Decimal(draw.choice(["1.1", "1.25"]))).quantize(Decimal("0.01"))
    digits = f"560{draw.randint(10**8, 10**9 - 1)}"
    sides = [Decimal(draw.randint(45, 140)) / 10 for _ in range(3)]
    made = {
        "EAN": digits + ean.calc_check_digit(digits),
        "ItemDescriptionEN": told["en"], "ItemDescriptionPT": told["pt"],
        "ItemCapacity": amount, "ItemCapacityUnits": code, "PackType": 0,
        "Width": sides[0], "Height": sides[1], "Depth": sides[2],
        "Weight": draw.randint(210, 690),
        "priceSale": sale, "priceRecommended": recommended, "supplierPrice": supplier,
        "HSCode": told["hs"],
    }  # fmt: skip
    if "values" in told:
        value, _, colour = told["values"][place]
        made |= {"VariantType": "colour", "VariantValue": value, "HexColor": colour}
    return made


def _marketing(
    told: dict[str, Any], kind: str, numbers: dict[str, int], draw: random.Random
) -> tuple[dict[str, Any], tuple[tuple[str, str, str], ...]]:
    closing = _closing(TEXTS["closing"][told.get("closing", kind)], draw)
    made: dict[str, Any] = {
        "HowtoType": HOW_TO[kind],
        "Ingredients": ", ".join(told["ingredients"]),
    }
    for at, language in enumerate(("EN", "PT")):
        made[f"Description{language}"] = _description(told, closing, at).format(**numbers)
        made[f"HowTo{language}"] = f"<p>{told['use'][at]}</p>".format(**numbers)
    if kind == "fragrance":
        story, composition = (
            _closing(TEXTS["closing"][told.get("closing", kind)], draw),
            _closing(TEXTS["closing"][told.get("closing", kind)], draw),
        )
        made["Fragrance"] = {
            "Concentration": "Eau de Toilette" if "Toilette" in told["en"] else "Eau de Parfum",
            "TopNotes": told["notes"][0], "HeartNotes": told["notes"][1], "BaseNotes": told["notes"][2],
            "FeaturesEN": [en for en, _ in told["benefits"]], "FeaturesPT": [pt for _, pt in told["benefits"]],
            "StoryEN": " ".join(one[0] for one in story), "StoryPT": " ".join(one[1] for one in story),
            "CompositionEN": " ".join(one[0] for one in composition), "CompositionPT": " ".join(one[1] for one in composition),
        }  # fmt: skip
        made["Fragrance"] = {
            name: [one.format(**numbers) for one in value] if name.startswith("Features") else value
            for name, value in made["Fragrance"].items()
        }
    return made, closing


def _closing(pool: list[list[str]], draw: random.Random) -> tuple[tuple[str, str, str], ...]:
    """Sentences that have 100 to 120 words together, in both languages."""
    while True:
        picked = draw.sample(pool, draw.randint(5, min(8, len(pool))))
        english = sum(len(one[0].split()) for one in picked)
        portuguese = sum(len(one[1].split()) for one in picked)
        if 100 <= english <= 120 and 90 <= portuguese <= 145:
            return tuple((one[0], one[1], one[2]) for one in picked)


def _description(told: dict[str, Any], closing: tuple[tuple[str, str, str], ...], at: int) -> str:
    name = told["en"] if at == 0 else told["pt"]
    heads = (
        ("Key Benefits", "Active Ingredients"),
        ("Principais Benefícios", "Ingredientes Ativos"),
    )[at]
    parts = [
        f"<p><strong>{told['brand'].replace('&', '&amp;')} {name}</strong> {told['opening'][at]}</p>",
        f"<blockquote>{told['quote'][at]}</blockquote>",
        f"<p><strong>{heads[0]}</strong></p><ul>"
        + "".join(f"<li>{one[at]}</li>" for one in told["benefits"])
        + "</ul>",
    ]
    if told["actives"]:
        parts.append(
            f"<p><strong>{heads[1]}</strong></p><ul>"
            + "".join(
                f"<li><strong>{one[at]}</strong>: {one[2 + at]}</li>" for one in told["actives"]
            )
            + "</ul>"
        )
    parts.append(f"<p>{' '.join(one[at] for one in closing)}</p>")
    return "".join(parts)


def _passages(
    told: dict[str, Any],
    variants: list[dict[str, Any]],
    facts: list[str],
    layout: str,
    estimated: bool,
) -> Iterator[Passage]:
    lines = [("Brand", told["brand"]), ("Product name", told["en"])]
    if told.get("ingredients"):
        lines.append(("Ingredients", ", ".join(told["ingredients"])))
    for variant in variants:
        if "VariantValue" in variant:
            lines.append(("Colour", variant["VariantValue"]))
        lines += _logistics(told, variant, layout, estimated)
    if layout == "prose":
        lines.append(("", f"{told['brand']} presents {told['en']}. " + ". ".join(facts) + "."))
    else:
        lines += [("", fact) for fact in facts]
    for number, (label, text) in enumerate(lines):
        yield _passage(label, text, layout, number)


def _logistics(
    told: dict[str, Any], variant: dict[str, Any], layout: str, estimated: bool
) -> Iterator[tuple[str, str]]:
    comma = layout in ("sheet", "columns")
    yield (
        "EAN",
        variant["EAN"]
        if layout != "prose"
        else f"{variant['EAN'][0]} {variant['EAN'][1:7]} {variant['EAN'][7:]}",
    )
    yield "Capacity", f"{variant['ItemCapacity']} {told['unit'][1]}".strip()
    for label, field in FIELD.items():
        if label in ("EAN", "Capacity") or (label == "Weight" and estimated):
            continue
        value = Decimal(variant[field])
        unit = UNIT[label]
        if label == "Weight" and layout == "web":
            value, unit = value / 1000, "kg"
        if label in ("Width", "Height") and layout == "lines":
            value, unit = value * 10, "mm"
        written = f"{value.normalize():f}" if label not in UNIT or unit != "EUR" else f"{value:.2f}"
        if comma:
            written = written.replace(".", ",")
        if layout == "sheet":
            yield f"{label} ({unit})", written
        elif layout == "columns":
            yield PORTUGUESE[label], f"{written} {'€' if unit == 'EUR' else unit}"
        else:
            yield (
                label,
                f"€ {written}" if unit == "EUR" and layout == "prose" else f"{written} {unit}",
            )


def _passage(label: str, text: str, layout: str, number: int) -> Passage:
    if layout == "sheet":
        return Passage(text, Place(cell=f"Sheet1!{chr(65 + number % 26)}2"), label)
    if layout == "web":
        return Passage(text, Place(selector=f"json-ld/0/{number}"), label)
    if layout == "columns":
        return Passage(f"{label}\t{text}".strip(), Place(page=1))
    return Passage(f"{label}: {text}" if label else text, Place(page=1))


def _origins(
    product: Product, material: Material, told: dict[str, Any], estimated: bool
) -> dict[str, Origin]:
    origins = {}
    for place, _ in enumerate(product.catalog_b.variants):
        for field in FIELD.values():
            how = "computed" if field == "Weight" and estimated else "read"
            origins[f"catalogB.Subtypes.{place}.{field}"] = Origin(
                how=how, source="1" if how == "read" else ""
            )
    for field in ("TitlePT", "DescriptionPT", "HowToPT"):
        origins[f"catalogA.{field}"] = Origin(how="translated")
    for field in ("DescriptionEN", "HowToEN"):
        origins[f"catalogA.{field}"] = Origin(how="written")
    if told.get("ingredients"):
        found = material.find(told["ingredients"][0])
        origins["catalogA.Ingredients"] = Origin(
            how="read", source="1", text=found.text if found else ""
        )
    return origins


def _slug(brand: str, name: str) -> str:
    from buttress.apps.catalog.evaluation.words import tokens

    return "-".join(tokens(f"{brand} {name}"))
