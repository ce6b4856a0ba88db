"""Figures of agreement, held against published examples, scipy and scikit-learn."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from buttress.apps.catalog.agreement import (
    Estimate,
    Interval,
    Pairs,
    Reason,
    Unsaid,
    agreement,
    agreement_by,
    bland_altman,
    compare,
    confusion,
    coverage,
    drift,
    icc,
    icc_of_ratings,
    kappa,
    mae,
    majority,
    pearson,
    share,
    spearman,
    within,
)
from buttress.apps.catalog.agreement.distributions import binomial_cdf, f_quantile, t_quantile

# Shrout and Fleiss (1979), table 2: six targets rated by four judges.
SHROUT_FLEISS = [
    [9, 2, 5, 8],
    [6, 1, 3, 2],
    [8, 4, 6, 8],
    [7, 1, 2, 6],
    [10, 5, 6, 9],
    [6, 2, 4, 7],
]
# Bland and Altman (1986), table 1: peak flow in l/min of 17 people by two meters, first readings.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
# Cohen (1960), table 1: 200 people put into three kinds by two judges.
COHEN = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
# Anscombe (1973), The American Statistician 27:17-21, first set: r = 0.816.
ANSCOMBE_X = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
ANSCOMBE_Y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]


def said(value: Estimate | Unsaid) -> Estimate:
    assert isinstance(value, Estimate), str(value)
    return value


def interval(value: Estimate | Unsaid) -> Interval:
    around = said(value).interval
    assert isinstance(around, Interval), str(around)
    return around


def unsaid(value: object) -> Reason:
    assert isinstance(value, Unsaid), value
    return value.reason


def grades(n: int, *, noise: float = 0.8, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    human = draw.integers(1, 6, n)
    return np.clip(np.rint(human + draw.normal(0, noise, n)), 1, 5), human


def test_icc_is_that_of_shrout_and_fleiss():
    found = icc_of_ratings(SHROUT_FLEISS)

    # Published: ICC(2,1) = .29; its F interval, as psych and pingouin print it: [0.02, 0.76].
    assert said(found).value == pytest.approx(0.2898, abs=5e-5)
    assert interval(found).low == pytest.approx(0.0188, abs=5e-4)
    assert interval(found).high == pytest.approx(0.7611, abs=5e-4)


def test_icc_of_two_raters_is_the_same_from_pairs_and_from_a_table():
    machine, human = grades(300)

    from_pairs = icc(Pairs.of(machine, human))
    from_table = icc_of_ratings(np.stack([machine, human], axis=1))

    assert said(from_pairs).value == pytest.approx(said(from_table).value, abs=1e-12)
    assert interval(from_pairs).low == pytest.approx(interval(from_table).low, abs=1e-9)


def test_limits_of_agreement_are_those_of_bland_and_altman():
    found = bland_altman(Pairs.of(WRIGHT, MINI))

    # Published: bias -2.1 [-22.0, 17.8], deviation 38.8, limits -79.7 [-114.3, -45.1] (which took
    # 2 for 1.96, and 3 s²/n for the variance) and 75.5 [40.9, 110.1].
    assert not isinstance(found, Unsaid)
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert found.deviation == pytest.approx(38.8, abs=0.05)
    assert interval(found.bias).low == pytest.approx(-22.0, abs=0.1)
    assert interval(found.bias).high == pytest.approx(17.8, abs=0.1)
    assert found.lower.value == pytest.approx(-79.7, abs=2)
    assert found.upper.value == pytest.approx(75.5, abs=2)
    assert interval(found.lower).low == pytest.approx(-114.3, abs=3)
    assert interval(found.upper).high == pytest.approx(110.1, abs=3)


def test_kappa_is_that_of_cohen():
    cells = [(m, h, COHEN[h][m]) for h in range(3) for m in range(3)]
    machine, human, counts = zip(*cells, strict=True)

    found = kappa(Pairs.of(machine, human, counts), grades=(0, 1, 2))

    assert said(found).value == pytest.approx(0.492, abs=5e-4)
    # The large-sample interval of Fleiss, Cohen and Everitt (1969) is [0.39, 0.60] or so.
    assert interval(found).low == pytest.approx(0.39, abs=0.02)
    assert interval(found).high == pytest.approx(0.60, abs=0.02)


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
@given(pairs=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=60))
@settings(max_examples=40, deadline=None)
def test_kappa_is_that_of_scikit_learn(weights, pairs):
    machine, human = zip(*pairs, strict=True)

    found = kappa(Pairs.of(machine, human), weights, times=5)

    if len({*machine, *human}) == 1:
        assert unsaid(found) is Reason.ALL_EQUAL
        return
    expected = cohen_kappa_score(
        human, machine, labels=[1, 2, 3, 4, 5], weights=None if weights == "none" else weights
    )
    assert said(found).value == pytest.approx(expected, abs=1e-12)


def test_the_confusion_matrix_is_that_of_scikit_learn():
    machine, human = grades(500)

    found = confusion(Pairs.of(machine, human))

    assert not isinstance(found, Unsaid)
    assert np.array_equal(found.counts, confusion_matrix(human, machine, labels=[1, 2, 3, 4, 5]))
    assert found.at(human=5, machine=4) == int(((human == 5) & (machine == 4)).sum())


def test_correlations_are_those_of_anscombe_and_scipy():
    machine, human = grades(400)
    pairs = Pairs.of(machine, human)

    assert said(pearson(Pairs.of(ANSCOMBE_X, ANSCOMBE_Y))).value == pytest.approx(0.816, abs=5e-4)
    assert said(spearman(pairs)).value == pytest.approx(stats.spearmanr(machine, human)[0])
    expected = stats.pearsonr(machine, human)
    assert said(pearson(pairs)).value == pytest.approx(expected[0])
    assert interval(pearson(pairs)).low == pytest.approx(expected.confidence_interval().low)


@given(share=st.floats(0.01, 0.99), first=st.floats(1, 400), second=st.floats(1, 400))
@settings(max_examples=40, deadline=None)
def test_quantiles_are_those_of_scipy(share, first, second):
    assert f_quantile(share, first, second) == pytest.approx(
        stats.f.ppf(share, first, second), rel=1e-8, abs=1e-200
    )
    assert t_quantile(share, first) == pytest.approx(stats.t.ppf(share, first), rel=1e-7, abs=1e-9)


def test_binomials_are_those_of_scipy():
    for n, k in ((10, 0), (10, 3), (10, 10), (1_000, 480), (100_000, 49_800)):
        assert binomial_cdf(k, n, 0.5) == pytest.approx(stats.binom.cdf(k, n, 0.5), rel=1e-9)


def test_shares_and_the_majority_are_counted():
    pairs = Pairs.of([5, 4, 3, 1], [5, 5, 5, 4])

    assert said(within(pairs, 0)).value == 0.25
    assert said(within(pairs, 1)).value == 0.5
    assert said(majority(pairs)).value == 0.75
    # Wilson (1927) for 8 of 10, as statsmodels prints it: [0.4902, 0.9433].
    assert interval(share(8, 10)).low == pytest.approx(0.4902, abs=5e-5)
    assert interval(share(8, 10)).high == pytest.approx(0.9433, abs=5e-5)
    assert said(coverage(30, 120)).value == 0.25


def test_counts_of_a_database_say_what_the_pairs_say():
    machine, human = grades(2_000)
    kinds, counts = np.unique(np.stack([machine, human]), axis=1, return_counts=True)

    one_by_one = agreement(Pairs.of(machine, human))
    counted = agreement(Pairs.of(kinds[0], kinds[1], counts))

    assert one_by_one == counted


def test_the_same_seed_gives_the_same_interval_and_another_one_nearly():
    pairs = Pairs.of(*grades(300))

    again = [interval(kappa(pairs, "quadratic", seed=seed)) for seed in (1, 1, 2)]

    assert again[0] == again[1] != again[2]
    assert again[0].low == pytest.approx(again[2].low, abs=0.02)


def test_the_bootstrap_of_counts_is_that_of_pairs():
    machine, human = grades(120)
    draw = np.random.default_rng(3)
    picked = [draw.integers(0, 120, 120) for _ in range(400)]
    naive = [cohen_kappa_score(human[at], machine[at], weights="quadratic") for at in picked]

    found = interval(kappa(Pairs.of(machine, human), "quadratic"))

    assert found.low == pytest.approx(np.quantile(naive, 0.025), abs=0.02)
    assert found.high == pytest.approx(np.quantile(naive, 0.975), abs=0.02)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    truth = said(kappa(Pairs.of(*grades(200_000, seed=999)), "linear", times=2)).value

    held = sum(
        truth in interval(kappa(Pairs.of(*grades(120, seed=seed)), "linear", times=400))
        for seed in range(150)
    )

    assert 0.88 <= held / 150 <= 1


def test_a_hundred_thousand_pairs_take_no_longer_than_a_page():
    draw = np.random.default_rng(1)
    human = draw.integers(1, 6, 100_000)
    coarse = np.clip(np.round(human + draw.normal(0, 0.7, 100_000), 2), 1, 5)
    fine = np.clip(human + draw.normal(0, 0.7, 100_000), 1, 5)

    for machine in (coarse, fine):
        begun = time.perf_counter()
        found = agreement(Pairs.of(machine, human), evaluated=250_000)
        # A generous multiple of what it takes, as machines differ: a naive bootstrap takes minutes.
        assert time.perf_counter() - begun < 5
        assert 0 < said(found.kappa_quadratic).value < 1
        assert said(found.coverage).value == 0.4


@pytest.mark.parametrize(
    ("machine", "human", "reason"),
    [
        ([], [], Reason.TOO_FEW),
        ([4], [4], Reason.TOO_FEW),
        ([4, float("nan")], [4, 5], Reason.NOT_A_NUMBER),
        ([4, float("inf")], [4, 5], Reason.NOT_A_NUMBER),
        ([4, 4, 4], [4, 4, 4], Reason.ALL_EQUAL),
        ([4, 9, 4], [4, 4, 4], Reason.OFF_SCALE),
    ],
)
def test_what_cannot_be_said_is_not_a_number(machine, human, reason):
    found = kappa(Pairs.of(machine, human), "quadratic")

    assert unsaid(found) is reason
    assert str(found).startswith("cannot be said, because ")


def test_no_figure_of_a_report_is_ever_nan():
    for machine, human in (
        ([], []),
        ([3], [3]),
        ([4, 4], [4, 4]),
        ([5, 1], [1, 5]),
        ([4, 3], [4, 3]),
    ):
        report = agreement(Pairs.of(machine, human))
        for name in (
            "kappa",
            "kappa_linear",
            "kappa_quadratic",
            "icc",
            "pearson",
            "spearman",
            "mae",
        ):
            value = getattr(report, name)
            assert isinstance(value, Unsaid) or np.isfinite(value.value), name
            if isinstance(value, Estimate) and isinstance(value.interval, Interval):
                assert np.isfinite([value.interval.low, value.interval.high]).all()


def test_one_rater_alone_agrees_with_nobody():
    assert unsaid(icc_of_ratings([[4], [5], [3]])) is Reason.ONE_RATER
    assert unsaid(icc_of_ratings([4, 5, 3])) is Reason.ONE_RATER
    assert unsaid(icc_of_ratings([[4, 4], [4, 4]])) is Reason.ALL_EQUAL
    assert unsaid(spearman(Pairs.of([4, 5, 3], [4, 4, 4]))) is Reason.ALL_EQUAL


def test_perfect_agreement_has_no_interval():
    pairs = Pairs.of([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])

    for found in (kappa(pairs), icc(pairs), pearson(pairs)):
        assert said(found).value == pytest.approx(1)
        assert unsaid(said(found).interval) is Reason.NEVER_DIFFERED
    assert unsaid(said(mae(pairs)).interval) is Reason.ALL_EQUAL


def test_drift_sees_a_judge_grown_lenient_and_none_where_there_is_none():
    before, later = grades(400, seed=1), grades(400, seed=2)
    lenient = (np.clip(later[0] + 0.5, 1, 5), later[1])

    still = drift(Pairs.of(*before), Pairs.of(*later))
    moved = drift(Pairs.of(*before), Pairs.of(*lenient))
    kappas = drift(Pairs.of(*before), Pairs.of(*grades(400, noise=2.0, seed=3)), "kappa")

    assert not isinstance(still, Unsaid)
    assert not still.moved
    assert not isinstance(moved, Unsaid)
    assert moved.moved
    assert moved.change.value == pytest.approx(moved.later - moved.earlier)
    assert not isinstance(kappas, Unsaid)
    assert kappas.moved
    assert kappas.change.value < 0
    assert unsaid(drift(Pairs.of([], []), Pairs.of(*later), "mae")) is Reason.TOO_FEW


def test_groups_are_told_apart():
    machine, human = [5, 4, 3, 1, 2, 3], [5, 4, 3, 5, 4, 1]

    found = agreement_by(["gpt"] * 3 + ["rules"] * 3, machine, human, evaluated={"gpt": 30})

    assert list(found) == ["gpt", "rules"]
    assert said(found["gpt"].exact).value == 1
    assert said(found["rules"].exact).value == 0
    assert said(found["gpt"].coverage).value == 0.1


def test_runs_are_compared_item_by_item():
    first = [3.0, 3.5, 4.0, 2.0, 3.0, 3.5, 4.0, 2.5, 3.0, 3.0]
    second = [3.5, 4.0, 4.5, 2.5, 3.5, 4.0, 4.5, 3.0, 3.0, 2.0]

    found = compare(first, second)

    assert not isinstance(found, Unsaid)
    assert found.difference.value == pytest.approx(np.mean(second) - np.mean(first))
    assert (found.better.value, found.worse.value) == (0.8, 0.1)
    assert found.chance == pytest.approx(stats.binomtest(8, 9).pvalue)
    around = found.difference.interval
    assert isinstance(around, Interval)
    assert around.low > 0 or around.low == pytest.approx(0, abs=0.2)
    assert unsaid(compare([3.0], [4.0])) is Reason.TOO_FEW


def test_two_equal_runs_differ_by_luck():
    found = compare([3.0, 4.0], [3.0, 4.0])

    assert not isinstance(found, Unsaid)
    assert found.chance == 1
    assert unsaid(found.difference.interval) is Reason.ALL_EQUAL


def test_lists_of_different_length_are_no_pairs():
    with pytest.raises(ValueError, match="2 scores beside 1"):
        Pairs.of([1, 2], [1])
    with pytest.raises(ValueError, match="never"):
        Pairs.of([1], [1], [-1])
