"""Quantiles from buckets beside quantiles from all values."""

import math

from hypothesis import given
from hypothesis import strategies as st

from buttress.db.monitor import histogram

DURATIONS = st.lists(st.integers(0, 10**14), min_size=1, max_size=300)


def histogram_of(values: list[int]) -> dict[int, int]:
    buckets: dict[int, int] = {}
    for value in values:
        bucket = histogram.bucket_of(value)
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return buckets


@given(DURATIONS, st.floats(0, 1))
def test_a_quantile_is_within_three_percent_of_the_exact_one(values, share):
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]

    [found] = histogram.quantiles(histogram_of(values), [share])

    assert abs(found - exact) <= histogram.RELATIVE_ERROR * exact
    assert histogram.RELATIVE_ERROR < 0.03


@given(DURATIONS, DURATIONS)
def test_adding_two_histograms_is_the_histogram_of_both(first, second):
    added = histogram_of(first)
    histogram.add(added, histogram_of(second))
    assert added == histogram_of(first + second)


@given(st.integers(0, 10**14), st.integers(0, 10**14))
def test_longer_durations_never_have_lower_buckets(one, other):
    low, high = sorted((one, other))
    assert histogram.bucket_of(low) <= histogram.bucket_of(high)


def test_of_nothing_every_quantile_is_zero():
    assert histogram.quantiles({}, [0.5, 0.99]) == [0, 0]
