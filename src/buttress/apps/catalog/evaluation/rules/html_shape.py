"""HTML: well-formed, of allowed tags, and in the parts of the house."""

from __future__ import annotations

from collections.abc import Iterator

from buttress.apps.catalog.evaluation.case import HTML, Case
from buttress.apps.catalog.evaluation.rules.registry import Fault, rule
from buttress.apps.catalog.evaluation.words import tokens

DESCRIPTIONS = ("catalogA.DescriptionEN", "catalogA.DescriptionPT")


@rule("structure")
def well_formed_html(case: Case) -> Iterator[Fault]:
    """Every tag is whole, closed, and within what it belongs to."""
    for field in _html(case):
        faults = case.markup(field).faults
        if faults:
            more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
            yield Fault(field, f"the HTML is broken: {faults[0]}{more}", "1", faults[0])


@rule("structure")
def allowed_tags(case: Case) -> Iterator[Fault]:
    """Paragraphs, lists, emphasis and quotations; no attributes, nothing that runs."""
    for field in _html(case):
        forbidden = list(dict.fromkeys(case.markup(field).forbidden))
        if forbidden:
            message = f"{', '.join(forbidden[:5])} is not allowed in the shop's HTML"
            yield Fault(field, message, "1", forbidden[0])


@rule("structure")
def house_structure(case: Case) -> Iterator[Fault]:
    """A description opens with its name in bold, quotes, lists and closes with a paragraph."""
    for field in DESCRIPTIONS:
        if not case.text(field):
            continue
        markup = case.markup(field)
        opening = markup.blocks[0] if markup.blocks else None
        brand = tokens(case.product.catalog_a.brand)
        if opening is None or opening.tag != "p" or not opening.strong:
            yield Fault(field, "the opening paragraph does not begin with the name in bold", "0.5")
        elif brand and not set(brand) <= set(tokens(opening.strong[0])):
            message = "the opening's bold name lacks the brand"
            yield Fault(field, message, "0.5", opening.strong[0], case.product.catalog_a.brand)
        if not markup.of("blockquote"):
            yield Fault(field, "there is no catchphrase as <blockquote>", "0.5")
        if not any(markup.lists):
            yield Fault(field, "there is no list of benefits", "0.5")
        if any(count == 0 for count in markup.lists):
            yield Fault(field, "a list is empty", "0.25")
        if markup.blocks and markup.blocks[-1].tag != "p":
            yield Fault(field, "the description does not close with a paragraph", "0.5")


def _html(case: Case) -> Iterator[str]:
    for field in case.fields:
        if field.endswith(HTML) and case.text(field):
            yield field
