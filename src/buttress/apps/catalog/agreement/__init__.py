"""Do the machine's scores agree with people's: figures with intervals, or why there is none.

    pairs = Pairs.of(machine=[5, 4, 3, 4], human=[5, 4, 4, 4])
    agreement(pairs, evaluated=40).kappa_quadratic
    compare(scores_of_one_run, scores_of_another)

Pure functions of numbers: no database, no clock; the same input gives the same output.
"""

from buttress.apps.catalog.agreement.comparison import Comparison, compare
from buttress.apps.catalog.agreement.drift import Drift, drift
from buttress.apps.catalog.agreement.kappa import (
    GRADES,
    Confusion,
    confusion,
    kappa,
    majority,
    within,
)
from buttress.apps.catalog.agreement.outcome import Estimate, Interval, Reason, Unsaid
from buttress.apps.catalog.agreement.pairs import Pairs
from buttress.apps.catalog.agreement.report import Agreement, agreement, agreement_by
from buttress.apps.catalog.agreement.scores import (
    BlandAltman,
    bland_altman,
    icc,
    icc_of_ratings,
    mae,
    pearson,
    spearman,
)
from buttress.apps.catalog.agreement.shares import coverage, share

__all__ = [
    "GRADES",
    "Agreement",
    "BlandAltman",
    "Comparison",
    "Confusion",
    "Drift",
    "Estimate",
    "Interval",
    "Pairs",
    "Reason",
    "Unsaid",
    "agreement",
    "agreement_by",
    "bland_altman",
    "compare",
    "confusion",
    "coverage",
    "drift",
    "icc",
    "icc_of_ratings",
    "kappa",
    "mae",
    "majority",
    "pearson",
    "share",
    "spearman",
    "within",
]
