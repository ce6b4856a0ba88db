"""How many seeded mistakes the catalog's rules find, and how often they find fault with what is right.

Products are made that are right about generated datasheets, then one mistake is put into each. A
mistake counts as found when a rule names one of its fields with a reason that the product had not
before; an alarm is a product that is right and loses any point.

How honest it is: sheets, products and mistakes are ours, and so are the rules. The words of invented
names, claims and of Brazil were written without looking at the lists that the rules use (the list of
Brazilian words is another author's), and two kinds of mistakes are in it of which we know that rules
hardly see them. Some products are marked `held_out`: no rule was changed on account of them.

    python -m benchmarks.catalog [--quick] [--seed N] [--show]
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.catalog_corruptions import CORRUPTIONS
from benchmarks.catalog_sheets import Sheet, sheets
from buttress.apps.catalog.evaluation import Evaluation, evaluate
from buttress.apps.catalog.products import Product
from buttress.db.embedded import Servers

SEED = 6
EACH, EACH_QUICK = 3, 1


@dataclass
class Tally:
    """What was seeded and what of it was found, by kind of mistake."""

    seeded: Counter[str]
    found: Counter[str]
    right: int = 0
    alarms: int = 0
    seconds: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.seeded + other.seeded,
            self.found + other.found,
            self.right + other.right,
            self.alarms + other.alarms,
            self.seconds + other.seconds,
        )

    @property
    def line(self) -> str:
        return f"found {_percent(self.found.total(), self.seeded.total())} % alarms {_percent(self.alarms, self.right)} %"


def lines(_servers: Servers, quick: bool) -> list[str]:
    """The part of `python -m benchmarks`."""
    return report(SEED, EACH_QUICK if quick else EACH, show=False)


def report(seed: int, each: int, *, show: bool) -> list[str]:
    """The table by kind of mistake; the last line is `found N % alarms N %`."""
    made = list(sheets(seed, each))
    held_out = tally([one for one in made if one.held_out], seed)
    all_of_them = tally([one for one in made if not one.held_out], seed, show=show) + held_out
    text = [
        "Mistakes that the catalog's rules find",
        "",
        "| mistake | seeded | found | of texts held out |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, seeded in all_of_them.seeded.items():
        there = f"{held_out.found[name]} of {held_out.seeded[name]}"
        text.append(f"| {name} | {seeded} | {all_of_them.found[name]} | {there} |")
    milliseconds = 1_000 * all_of_them.seconds / (all_of_them.seeded.total() + all_of_them.right)
    return [
        *text,
        "",
        f"{all_of_them.right} products that are right in five layouts, {all_of_them.alarms} of them "
        f"found fault with; {all_of_them.seeded.total()} mistakes; {milliseconds:.1f} ms a product.",
        f"Texts held out: {held_out.line} of {held_out.right} products and {held_out.seeded.total()} mistakes.",
        "",
        all_of_them.line,
    ]


def tally(made: list[Sheet], seed: int, *, show: bool = False) -> Tally:
    """Evaluate every sheet as it is, and with each mistake that applies to it."""
    counted = Tally(Counter(), Counter())
    begun = time.perf_counter()
    for place, sheet in enumerate(made):
        before = _evaluate(sheet, sheet.product)
        counted.right += 1
        counted.alarms += bool(before.issues)
        if show and before.issues:
            print(
                "ALARM",
                sheet.layout,
                *(f"{i.rule} {i.field}: {i.message}" for i in before.issues),
                sep="\n   ",
            )
        for name, fields, product in _mistakes(
            sheet, f"{seed}/{sheet.product.catalog_a.brand}/{place}"
        ):
            counted.seeded[name] += 1
            after = _evaluate(sheet, product)
            hit = _found(before, after, fields)
            counted.found[name] += hit
            if show and not hit:
                print("MISSED", sheet.layout, sheet.product.catalog_a.brand, name, fields)
    counted.seconds = time.perf_counter() - begun
    return counted


def _mistakes(sheet: Sheet, seed: str) -> Iterator[tuple[str, set[str], Product]]:
    for corrupt in CORRUPTIONS:
        name = corrupt.__name__.replace("_", " ")
        tree = sheet.product.model_dump(mode="json", by_alias=True)
        fields = corrupt(tree, sheet, random.Random(f"{seed}/{name}"))
        if fields is not None:
            yield name, set(fields.split("|")), Product.model_validate(tree)


def _found(before: Evaluation, after: Evaluation, fields: set[str]) -> bool:
    known = {(one.rule, one.field, one.message) for one in before.issues}
    return any(
        (one.rule, one.field, one.message) not in known
        and any(one.field.startswith(f) for f in fields)
        for one in after.issues
    )


def _evaluate(sheet: Sheet, product: Product) -> Evaluation:
    return evaluate(product, sheet.kind, sheet.material, sheet.origins)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.catalog", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sheets")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--show", action="store_true", help="print what was missed, and every alarm"
    )
    options = parser.parse_args()
    each = EACH_QUICK if options.quick else EACH
    print("\n".join(report(options.seed, each, show=options.show)))


if __name__ == "__main__":
    main()
