"""The tables of the catalog.

`sources` are the documents, `work` what is to be done with them and in which batch, `products`
what came out and how it was corrected, `evaluations` how good it is and what people say of that,
`prompts` what models are told, `experiments` what is measured again with other settings, `adoption`
what of an older tool could not be taken over.
"""

from buttress.apps.catalog.models.adoption import LeftOut
from buttress.apps.catalog.models.evaluations import (
    BY_PERSON,
    DAILY,
    ISSUES,
    SCORES,
    Claim,
    Evaluation,
    Feedback,
    Issue,
)
from buttress.apps.catalog.models.experiments import (
    Dataset,
    DatasetItem,
    Experiment,
    ExperimentResult,
)
from buttress.apps.catalog.models.products import (
    EXTRACTIONS,
    PRODUCTS,
    PRODUCTS_BY_HOUR,
    Correction,
    Extraction,
    MaterialText,
    Product,
)
from buttress.apps.catalog.models.prompts import Prompt
from buttress.apps.catalog.models.sources import Source
from buttress.apps.catalog.models.work import Batch, Delivery, Request, RequestSource

__all__ = [
    "BY_PERSON",
    "DAILY",
    "EXTRACTIONS",
    "ISSUES",
    "PRODUCTS",
    "PRODUCTS_BY_HOUR",
    "SCORES",
    "Batch",
    "Claim",
    "Correction",
    "Dataset",
    "DatasetItem",
    "Delivery",
    "Evaluation",
    "Experiment",
    "ExperimentResult",
    "Extraction",
    "Feedback",
    "Issue",
    "LeftOut",
    "MaterialText",
    "Product",
    "Prompt",
    "Request",
    "RequestSource",
    "Source",
]
