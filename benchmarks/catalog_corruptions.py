"""What goes wrong with products, one mistake at a time.

Each corruption takes the JSON of a product that is right and changes one thing, with wording of its
own: none of it comes from the lists that the rules use. None means that it does not apply.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

from stdnum import ean

from benchmarks.catalog_sheets import Sheet

Tree = dict[str, Any]
Corruption = Callable[[Tree, Sheet, random.Random], str | None]

INVENTED_INGREDIENTS = "RETINOL, BAKUCHIOL, PHENOXYETHANOL, DIMETHICONE, ALOE BARBADENSIS LEAF JUICE, CAFFEINE, SODIUM HYALURONATE, COCOS NUCIFERA OIL, METHYLPARABEN, MANNITOL, CI 77891, UREA"
INVENTED_NAMES = (
    ("patented AquaPure", "AquaPure patenteado"),
    ("famous Dermalia", "célebre Dermalia"),
    ("certified Ecoverit", "certificado Ecoverit"),
    ("new Velmora", "novo Velmora"),
    ("Swiss-made Alpinol", "suíço Alpinol"),
    ("award-winning Nordlys", "premiado Nordlys"),
)
INVENTED_CLAIMS = (
    ("It was tested on {n} volunteers.", "Foi testado em {n} voluntários."),
    ("Results are seen within {n} days.", "Os resultados veem-se em {n} dias."),
    ("It is {n} % natural.", "É {n} % natural."),
)
CLAIMS = (
    ("It also cures headaches.", "Também cura as dores de cabeça."),
    ("Doctors everywhere recommend it.", "Os médicos recomendam-no em toda a parte."),
    ("It never causes allergies.", "Nunca causa alergias."),
)
WORDS_OF_SALES = (
    ("It is revolutionary.", "É revolucionário."),
    ("This is a must-have.", "É um must-have."),
)


def wrong_weight(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    one, path = _variant(tree, draw)
    if sheet.origins[f"{path}Weight"].how != "read":
        return None
    one["Weight"] = draw.choice(
        [one["Weight"] + draw.randint(3, 90), int(str(one["Weight"])[::-1]) + 1, one["Weight"] * 10]
    )
    return f"{path}Weight"


def wrong_side(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    one, path = _variant(tree, draw)
    name = draw.choice(["Width", "Height", "Depth"])
    one[name] = round(float(one[name]) * draw.choice([10, 0.1, 1.3]), 2)
    return f"{path}{name}"


def wrong_barcode_digit(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    one, path = _variant(tree, draw)
    at = draw.randrange(3, 12)
    one["EAN"] = (
        one["EAN"][:at]
        + str((int(one["EAN"][at]) + draw.randint(1, 9)) % 10)
        + one["EAN"][at + 1 :]
    )
    return f"{path}EAN"


def invented_barcode(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    one, path = _variant(tree, draw)
    digits = f"560{draw.randint(10**8, 10**9 - 1)}"
    one["EAN"] = digits + ean.calc_check_digit(digits)
    return f"{path}EAN"


def barcode_of_another_variant(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    variants = tree["catalogB"]["Subtypes"]
    if len(variants) < 2:
        return None
    variants[1]["EAN"] = variants[0]["EAN"]
    return "catalogB.Subtypes.1.EAN"


def prices_swapped(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    one, path = _variant(tree, draw)
    left, right = draw.choice(
        [
            ("priceSale", "supplierPrice"),
            ("priceSale", "priceRecommended"),
            ("supplierPrice", "priceRecommended"),
        ]
    )
    one[left], one[right] = one[right], one[left]
    return f"{path}{left}|{path}{right}"


def wrong_price(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    one, path = _variant(tree, draw)
    one["priceSale"] = round(float(one["priceSale"]) + draw.choice([-0.5, 0.1, 1.0]), 2)
    return f"{path}priceSale"


def unit_of_capacity(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    one, path = _variant(tree, draw)
    if one["ItemCapacityUnits"] == 1:
        return None
    one["ItemCapacityUnits"] = {2: 4, 4: 2, 6: 8, 8: 6, 11: 6, 14: 4}[one["ItemCapacityUnits"]]
    return f"{path}ItemCapacity"


def wrong_capacity(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    one, path = _variant(tree, draw)
    if one["ItemCapacityUnits"] == 1:
        return None
    one["ItemCapacity"] += draw.choice([5, 7, 25])
    return f"{path}ItemCapacity"


def invented_ingredient(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    listed = tree["catalogA"]["Ingredients"].split(", ")
    if len(listed) < 2:
        return None
    listed.insert(draw.randrange(1, len(listed)), draw.choice(INVENTED_INGREDIENTS.split(", ")))
    tree["catalogA"]["Ingredients"] = ", ".join(listed)
    return "catalogA.Ingredients"


def lost_ingredient(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    listed = tree["catalogA"]["Ingredients"].split(", ")
    if len(listed) < 2:
        return None
    listed.pop(draw.randrange(len(listed)))
    tree["catalogA"]["Ingredients"] = ", ".join(listed)
    return "catalogA.Ingredients"


def untranslated_sentence(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    if not sheet.closing:
        return None
    english, portuguese, _ = draw.choice(sheet.closing)
    _replace(tree, "DescriptionPT", portuguese, english)
    return "catalogA.DescriptionPT"


def untranslated_list_entry(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    here = re.findall(r"<li>(.*?)</li>", tree["catalogA"]["DescriptionEN"])
    there = re.findall(r"<li>(.*?)</li>", tree["catalogA"]["DescriptionPT"])
    if not here:
        return None
    at = draw.randrange(len(here))
    _replace(tree, "DescriptionPT", there[at], here[at])
    return "catalogA.DescriptionPT"


def untranslated_instructions(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    if not sheet.closing:
        return None
    tree["catalogA"]["HowToPT"] = tree["catalogA"]["HowToEN"]
    return "catalogA.HowToPT"


def portuguese_in_the_english(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    if not sheet.closing:
        return None
    english, portuguese, _ = draw.choice(sheet.closing)
    _replace(tree, "DescriptionEN", english, portuguese)
    return "catalogA.DescriptionEN"


def brazilian_wording(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    if not sheet.closing:
        return None
    _, portuguese, brazilian = draw.choice(sheet.closing)
    _replace(tree, "DescriptionPT", portuguese, brazilian)
    return "catalogA.DescriptionPT"


def number_changed_in_one_language(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    field = draw.choice(["DescriptionPT", "DescriptionEN", "HowToPT"])
    text = tree["catalogA"].get(field, "")
    numbers = list(re.finditer(r"(?<!\w)\d+", text))
    if not numbers:
        return None
    one = draw.choice(numbers)
    tree["catalogA"][field] = (
        text[: one.start()] + str(int(one[0]) + draw.randint(1, 9)) + text[one.end() :]
    )
    return f"catalogA.{field}|catalogA.{field[:-2]}PT"


def number_invented_in_both(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    if not sheet.closing:
        return None
    english, portuguese = draw.choice(INVENTED_CLAIMS)
    number = next(n for n in (97, 83, 71, 67, 59) if str(n) not in sheet.material.text)
    _add(tree, english.format(n=number), portuguese.format(n=number))
    return "catalogA.DescriptionEN|catalogA.DescriptionPT"


def unit_changed_in_text(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    text = tree["catalogA"].get("DescriptionPT", "")
    changed = re.sub(
        r"(\d) (mg|horas|noites|dias|%|W)",
        lambda m: (
            f"{m[1]} { {'mg': 'g', 'horas': 'minutos', 'noites': 'semanas', 'dias': 'meses', '%': 'mg', 'W': 'V'}[m[2]] }"
        ),
        text,
        count=1,
    )
    if changed == text:
        return None
    tree["catalogA"]["DescriptionPT"] = changed
    return "catalogA.DescriptionPT"


def name_invented(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    if not sheet.closing:
        return None
    english, portuguese = draw.choice(INVENTED_NAMES)
    _add(tree, f"It owes this to the {english}.", f"Deve-o ao {portuguese}.")
    return "catalogA.DescriptionEN|catalogA.DescriptionPT"


def name_invented_in_title(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    field = draw.choice(["TitleEN", "TitlePT"] if sheet.closing else ["TitleEN"])
    tree["catalogA"][field] += " " + draw.choice(["Premia", "Zorvex", "Elanor"])
    return f"catalogA.{field}"


def brand_lost_in_translation(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    brand = tree["catalogA"]["brand"].replace("&", "&amp;")
    if not sheet.closing:
        return None
    _replace(tree, "DescriptionPT", brand, draw.choice(["Folha de Carvalho", "A Marca", "Empresa"]))
    return "catalogA.DescriptionPT"


def sentence_left_out(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    if not sheet.closing:
        return None
    for _, portuguese, _ in draw.sample(sheet.closing, 3):
        _replace(tree, "DescriptionPT", portuguese, "")
    return "catalogA.DescriptionPT"


def list_entry_left_out(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    entries = re.findall(r"<li>.*?</li>", tree["catalogA"].get("DescriptionPT", ""))
    if not entries:
        return None
    _replace(tree, "DescriptionPT", draw.choice(entries), "")
    return "catalogA.DescriptionPT"


def broken_html(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    field = draw.choice(["DescriptionEN", "DescriptionPT"])
    text = tree["catalogA"].get(field, "")
    if not text:
        return None
    how = draw.randrange(5)
    closing = list(re.finditer(r"</(?:p|ul|strong|blockquote)>", text))
    one = draw.choice(closing)
    tree["catalogA"][field] = (
        text[: one.start()] + text[one.end() :] if how == 0
        else text[: one.start()] + text[one.start() : one.end() - 1] + text[one.end() :] if how == 1
        else text + "</ul>" if how == 2
        else text[: one.start()] if how == 3
        else text[: one.start()] + "</div>" + text[one.end() :]
    )  # fmt: skip
    return f"catalogA.{field}"


def foreign_tags(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    if not sheet.closing:
        return None
    tree["catalogA"]["DescriptionEN"] += draw.choice(
        [
            "<script>alert(1)</script>",
            '<p onclick="x()">Buy.</p>',
            "<iframe></iframe>",
            "<table></table>",
        ]
    )
    return "catalogA.DescriptionEN"


def words_of_sales(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    if not sheet.closing:
        return None
    _add(tree, *draw.choice(WORDS_OF_SALES))
    return "catalogA.DescriptionEN|catalogA.DescriptionPT"


def closing_too_short(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    if not sheet.closing:
        return None
    for english, portuguese, _ in sheet.closing[:2]:
        _replace(tree, "DescriptionEN", english, "")
        _replace(tree, "DescriptionPT", portuguese, "")
    return "catalogA.DescriptionEN|catalogA.DescriptionPT"


def broken_slug(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    slug = tree["catalogA"]["UrlPT"]
    tree["catalogA"]["UrlPT"] = draw.choice(
        [slug.upper(), slug.replace("-", "_"), slug.replace("-", " "), f"{slug}/ção"]
    )
    return "catalogA.UrlPT"


def small_letters(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    if not tree["catalogA"]["Ingredients"]:
        return None
    tree["catalogA"]["Ingredients"] = tree["catalogA"]["Ingredients"].title()
    return "catalogA.Ingredients"


def wrong_customs_code(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    one, path = _variant(tree, draw)
    one["HSCode"] = draw.choice(["12345678", "3304990", "99999999", "01012100"])
    return f"{path}HSCode"


def portuguese_missing(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    field = draw.choice(["TitlePT", "DescriptionPT"]) if sheet.closing else "TitlePT"
    tree["catalogA"][field] = ""
    return f"catalogA.{field}"


def claim_invented(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    """A claim without number or name: no rule can see that the source does not make it."""
    if not sheet.closing:
        return None
    _add(tree, *draw.choice(CLAIMS))
    return "catalogA.DescriptionEN|catalogA.DescriptionPT"


def negation_lost(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    """The opposite is said in Portuguese: no rule compares what sentences mean."""
    before = tree["catalogA"].get("DescriptionPT", "")
    after = re.sub(r"\b(?:não|nem|sem) ", "", before, count=1)
    if after == before:
        return None
    tree["catalogA"]["DescriptionPT"] = after
    return "catalogA.DescriptionPT"


def sides_swapped(tree: Tree, sheet: Sheet, draw: random.Random) -> str | None:
    one, path = _variant(tree, draw)
    if one["Width"] == one["Height"]:
        return None
    one["Width"], one["Height"] = one["Height"], one["Width"]
    return f"{path}Width|{path}Height"


CORRUPTIONS: tuple[Corruption, ...] = (
    wrong_weight, wrong_side, wrong_barcode_digit, invented_barcode, barcode_of_another_variant,
    prices_swapped, wrong_price, unit_of_capacity, wrong_capacity, invented_ingredient,
    lost_ingredient, untranslated_sentence, untranslated_list_entry, untranslated_instructions,
    portuguese_in_the_english, brazilian_wording, number_changed_in_one_language,
    number_invented_in_both, unit_changed_in_text, name_invented, name_invented_in_title,
    brand_lost_in_translation, sentence_left_out, list_entry_left_out, broken_html, foreign_tags,
    words_of_sales, closing_too_short, broken_slug, small_letters, wrong_customs_code,
    portuguese_missing, claim_invented, negation_lost, sides_swapped,
)  # fmt: skip


def _variant(tree: Tree, draw: random.Random) -> tuple[Tree, str]:
    at = draw.randrange(len(tree["catalogB"]["Subtypes"]))
    return tree["catalogB"]["Subtypes"][at], f"catalogB.Subtypes.{at}."


def _replace(tree: Tree, field: str, old: str, new: str) -> None:
    assert old in tree["catalogA"][field], (field, old)
    tree["catalogA"][field] = tree["catalogA"][field].replace(old, new, 1)


def _add(tree: Tree, english: str, portuguese: str) -> None:
    """A sentence at the end of the opening paragraph, in both languages."""
    for field, text in (("DescriptionEN", english), ("DescriptionPT", portuguese)):
        tree["catalogA"][field] = tree["catalogA"][field].replace("</p>", f" {text}</p>", 1)
