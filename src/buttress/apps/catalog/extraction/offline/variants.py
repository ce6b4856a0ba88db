"""One row of catalogB while it is written, by rules."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from price_parser import Price
from stdnum import ean as ean_numbers

from buttress.apps.catalog.extraction.draft import Draft
from buttress.apps.catalog.extraction.facts import Fact, Facts
from buttress.apps.catalog.extraction.measures import (
    Converted,
    read_capacity,
    read_dimensions,
    read_length,
    read_mass,
)
from buttress.apps.catalog.extraction.result import Origin
from buttress.apps.catalog.extraction.wording import bare_title, capitalised
from buttress.apps.catalog.products import PACK_TYPES, UNITS, code_of
from buttress.apps.catalog.products.values import LARGEST, spelled

if TYPE_CHECKING:
    from buttress.apps.catalog.extraction.offline.marketing import Marketing

B = "catalogB.Subtypes."
A = "catalogA."
DOUBTFUL = 0.3
ASSUMED = 0.6
MOST_IN_A_SIZE = 12
EAN_LENGTHS = (8, 12, 13, 14)
CNP_LENGTH = 7
HEX = re.compile(r"#?[0-9a-fA-F]{6}\b")
PRICES = (
    ("price_sale", "priceSale"),
    ("price_recommended", "priceRecommended"),
    ("supplier_price", "supplierPrice"),
)
AXES = (("width", "Width"), ("height", "Height"), ("depth", "Depth"))
TEXTS = (
    ("variant_type", "VariantType"),
    ("variant_value", "VariantValue"),
    ("second_variant_type", "SecondVariantType"),
    ("second_variant", "SecondVariant"),
)
KINDS_OF_VARIANT = {
    "flavour": "flavour", "flavor": "flavour", "sabor": "flavour", "strength": "strength",
}  # fmt: skip
EUROS = ("€", "EUR", None)


class VariantDraft:
    """One row of catalogB while it is written."""

    def __init__(self, draft: Draft, number: int, row: Facts, shared: Facts) -> None:
        self.draft = draft
        self.path = f"{B}{number}."
        self.row = row
        self.shared = shared

    def fact(self, field: str) -> Fact | None:
        """What the row says, or else what the document says for all."""
        return self.row.first(field) or self.shared.first(field)

    def put(self, name: str, value: object, origin: Origin) -> None:
        self.draft.put(self.path + name, value, origin)

    def get(self, name: str) -> object:
        return self.draft.get(self.path + name)

    def note(self, text: str, name: str) -> None:
        self.draft.note(text, self.path + name)

    def write(self, marketing: Marketing) -> None:
        """Everything but the customs code."""
        self._names(marketing)
        self._barcode()
        self._national_code()
        self._capacity()
        self._pack()
        self._variant()
        self._measures()
        for field, name in PRICES:
            self._price(field, name)
        self._compare_prices()

    def _names(self, marketing: Marketing) -> None:
        own = self.row.first("title") if self.row is not self.shared else None
        if own is None:
            for language in ("EN", "PT"):
                title = self.draft.get(f"{A}Title{language}")
                if title:
                    origin = self.draft.origins[f"{A}Title{language}"]
                    self.put(f"ItemDescription{language}", title, origin)
            return
        language = own.language or "en"
        title = capitalised(bare_title(own.text, marketing.brand), language, names=marketing.names)
        self.put(f"ItemDescription{language.upper()}", title, own.origin())
        other = "PT" if language == "en" else "EN"
        told = self.row.first("title", "pt" if other == "PT" else "en")
        if told is not None:
            name = capitalised(bare_title(told.text, marketing.brand), told.language or "en")
            self.put(f"ItemDescription{other}", name, told.origin())
        elif translated := marketing.title_in(title, "en-pt" if other == "PT" else "pt-en"):
            self.put(f"ItemDescription{other}", *translated)

    def _barcode(self) -> None:
        fact = self.row.first("ean")
        if fact is None:
            return
        runs = re.findall(r"\d+", re.sub(r"(?<=\d)[ \-\u00a0](?=\d)", "", fact.text))
        digits = next((run for run in runs if len(run) in EAN_LENGTHS), "")
        if not digits:
            self.note(f"{fact.text[:40]!r} is no barcode of 8, 12, 13 or 14 digits", "EAN")
            return
        if ean_numbers.is_valid(digits):
            self.put("EAN", digits, fact.origin(confidence=0.99))
            return
        remark = "its check digit is wrong"
        self.put("EAN", digits, fact.origin(confidence=DOUBTFUL, remark=remark))
        self.note(f"the check digit of {digits} is wrong, in the source already", "EAN")

    def _national_code(self) -> None:
        fact = self.row.first("cnp")
        if fact is None:
            return
        digits = re.sub(r"\D", "", fact.text)
        if len(digits) == CNP_LENGTH:
            self.put("CNP", digits, fact.origin())
        else:
            self.note(f"{fact.text[:40]!r} is no code of {CNP_LENGTH} digits", "CNP")

    def _capacity(self) -> None:
        fact = self.fact("capacity") or self.fact("net_weight")
        confidence = None
        if fact is None or read_capacity(fact.text, fact.unit) is None:
            fact, confidence = self.fact("title"), ASSUMED
            if fact is None or (found := read_capacity(fact.text)) is None or found.unit is None:
                return
        found = read_capacity(fact.text, fact.unit)
        if found is None:
            return
        self.put("ItemCapacity", found.amount, fact.origin(confidence=confidence))
        if found.unit is not None:
            self.put("ItemCapacityUnits", found.unit, fact.origin(confidence=confidence))
            return
        told = self.fact("unit")
        if told is None:
            self.note("the source does not tell the unit of the capacity", "ItemCapacityUnits")
            return
        code = int(told.text) if told.text.isdigit() else code_of(told.text, UNITS)
        if code in UNITS:
            self.put("ItemCapacityUnits", code, told.origin())

    def _pack(self) -> None:
        told = self.fact("pack_type")
        if told is not None:
            code = int(told.text) if told.text.isdigit() else code_of(told.text, PACK_TYPES)
            if code in PACK_TYPES:
                self.put("PackType", code, told.origin())
                return
        title = self.fact("title")
        words = f" {title.text.casefold()} " if title is not None else ""
        for pack in PACK_TYPES.values():
            if pack.code and any(f" {word} " in words for word in pack.words):
                assert title is not None
                self.put("PackType", pack.code, title.origin(confidence=ASSUMED))
                return
        remark = "nothing says otherwise"
        self.put("PackType", 0, Origin(how="computed", confidence=ASSUMED, remark=remark))

    def _variant(self) -> None:
        for field, name in TEXTS:
            fact = self.row.first(field)
            if fact is not None:
                self.put(name, fact.text, fact.origin())
        value = self.row.first("variant_value")
        kind = KINDS_OF_VARIANT.get(value.label.casefold()) if value is not None else None
        if value is not None and kind is not None:
            self.put("VariantType", kind, value.origin(confidence=0.8))
        colour = self.row.first("colour")
        if colour is not None:
            named = HEX.sub("", colour.text).strip(" ()#-,")
            place = "SecondVariant" if self.get("VariantValue") else "Variant"
            if named:
                self.put(f"{place}Type", "colour", colour.origin(confidence=0.8))
                self.put("VariantValue" if place == "Variant" else place, named, colour.origin())
        for fact in (self.row.first("hex_color"), colour):
            code = HEX.search(fact.text) if fact is not None else None
            if fact is not None and code and ("#" in code[0] or fact.field == "hex_color"):
                self.put("HexColor", f"#{code[0].lstrip('#').lower()}", fact.origin())

        size = self.row.first("capacity")
        if size is None or self.get("VariantValue") or len(size.text) > MOST_IN_A_SIZE:
            return
        if read_capacity(size.text, size.unit) is None:  # "M", "One size"
            self.put("VariantType", "size", size.origin(confidence=0.8))
            self.put("VariantValue", size.text, size.origin())

    def _measures(self) -> None:
        weight = self.fact("weight")
        if weight is not None:
            self._measure("Weight", read_mass(weight.text, weight.unit), weight, "g")
        net = self.fact("net_weight")
        if net is not None and weight is None and self.fact("capacity") is not None:
            mass = read_mass(net.text, net.unit)
            if mass is not None:
                remark = "the net weight: no other is told"
                self.put("Weight", mass.value, net.origin(confidence=ASSUMED, remark=remark))
        for field, name in AXES:
            fact = self.fact(field)
            if fact is not None:
                self._measure(name, read_length(fact.text, fact.unit), fact, "cm")
        together = self.fact("dimensions")
        if together is not None:
            label = f"{together.label} {together.unit}"
            found = read_dimensions(together.text, label)
            for field, name in AXES:
                self._measure(name, found.get(field), together, "cm")

    def _measure(self, name: str, value: Converted | None, fact: Fact, unit: str) -> None:
        if value is None:
            return
        remark, confidence = "", None
        if value.converted:
            remark = f"converted to {unit}"
        elif value.assumed:
            remark, confidence = f"no unit was told: {unit} is assumed", ASSUMED
        self.put(name, value.value, fact.origin(confidence=confidence, remark=remark))

    def _price(self, field: str, name: str) -> None:
        fact = self.fact(field)
        if fact is None:
            return
        found = read_price(fact.text)
        if found is None:
            self.note(f"{fact.text[:40]!r} is no price", name)
            return
        amount, currency = found
        self.put(name, amount, fact.origin())
        if currency not in EUROS:
            self.note(f"the price is in {currency}, not in euros", name)

    def _compare_prices(self) -> None:
        supplier, sale = self.get("supplierPrice"), self.get("priceSale")
        if isinstance(supplier, Decimal) and isinstance(sale, Decimal) and supplier >= sale:
            self.note(
                f"the supplier's price of {supplier} is not below the sale price of {sale}",
                "supplierPrice",
            )


def read_price(text: str) -> tuple[Decimal, str | None] | None:
    """The amount and the currency of a price; None for free, negative, or no price at all."""
    price = Price.fromstring(text[:100])
    if price.amount is None or not 0 < price.amount <= LARGEST:
        return None
    if re.search(r"[-−]\s*[€$£]?\s*\d", text):
        return None
    return spelled(price.amount), price.currency
