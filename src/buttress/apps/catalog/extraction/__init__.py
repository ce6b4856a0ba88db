"""Making a product from its material, by rules or by a language model."""

from buttress.apps.catalog.extraction.result import (
    MACHINE_TRANSLATION,
    RULES,
    Extraction,
    How,
    Note,
    Origin,
)

__all__ = ["MACHINE_TRANSLATION", "RULES", "Extraction", "How", "Note", "Origin"]
