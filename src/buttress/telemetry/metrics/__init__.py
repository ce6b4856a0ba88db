"""What Prometheus collects: every family declared once, with its alerts and its panels.

`of_process` and `of_deployment` declare; rooms fill the families and add their collector to
`collectors`. The rules, the dashboard and the reference are printed from the declarations.
"""

from buttress.telemetry.metrics import of_deployment, of_process
from buttress.telemetry.metrics.counting import Counts, Times
from buttress.telemetry.metrics.family import Alert, Family, Panel, declare, declared
from buttress.telemetry.metrics.page import Collector, collectors, page

__all__ = [
    "Alert",
    "Collector",
    "Counts",
    "Family",
    "Panel",
    "Times",
    "collectors",
    "declare",
    "declared",
    "of_deployment",
    "of_process",
    "page",
]
