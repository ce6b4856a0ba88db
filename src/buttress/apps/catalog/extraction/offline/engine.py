"""The offline engine: material in, product out, by rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from buttress.apps.catalog.extraction.draft import Draft
from buttress.apps.catalog.extraction.facts import Fact, Facts
from buttress.apps.catalog.extraction.labelled import facts_of
from buttress.apps.catalog.extraction.offline.logistics import write_logistics
from buttress.apps.catalog.extraction.offline.marketing import Marketing
from buttress.apps.catalog.extraction.offline.translation import Translator, bundled
from buttress.apps.catalog.extraction.result import Extraction
from buttress.apps.catalog.extraction.rows import facts_of_row
from buttress.apps.catalog.material import Material, Source
from buttress.apps.catalog.products import KINDS, ProductType
from buttress.errors import Unsupported


def extract(
    material: Material,
    product_type: ProductType,
    *,
    translator: Callable[[], Translator] = bundled,
) -> Extraction:
    """What the sources tell about a product, in fields, and in a description made of that.

    Never raises for what sources say or leave out: fields stay empty, and notes tell of it. Without
    the extra `offline` what only stands in one language is left empty in the other.
    """
    draft = Draft()
    facts = Facts(fact for source in material.sources for fact in _shared(source))
    if not material.text.strip():
        draft.note("the sources hold no text")
    rows = [Facts(facts_of_row(source, row)) for source in material.sources for row in source.rows]
    rows = [row for row in rows if row]
    marketing = Marketing(draft, material, facts, product_type, _usable(translator, draft))
    marketing.write_names(rows)
    if KINDS[product_type].marketing:
        marketing.write_texts()
    write_logistics(draft, material, facts, rows, product_type, marketing)
    return draft.extraction()


def _shared(source: Source) -> Iterator[Fact]:
    """What a source says outside its tables: it holds for every variant."""
    in_rows = {passage for row in source.rows for passage in row}
    if not in_rows:
        return facts_of(source)
    passages = tuple(passage for passage in source.passages if passage not in in_rows)
    return facts_of(Source(source.id, source.kind, source.name, passages))


def _usable(translator: Callable[[], Translator], draft: Draft) -> Translator | None:
    try:
        return translator()
    except Unsupported as error:
        draft.note(
            f"{error.message}: what stands in one language only is not translated. "
            f"{error.hint or ''}".strip()
        )
        return None
