"""The pages of the catalog, in the order of the navigation.

Each is a thin edge: it reads what people put in, calls one function of `service`, and shows what
came of it. What several pages share stands in modules without a page of their own.
"""

from buttress.apps.catalog.pages import (  # noqa: F401, I001  # in the order of the navigation
    extract,
    batches,
    products,
    review,
    dashboard,
    activity,
    experiments,
    prompts,
)
