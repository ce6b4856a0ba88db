"""Durations in buckets whose width grows with them: quantiles within 1.6 %, merged by addition.

A duration in nanoseconds below 64 has a bucket of its own; above, every doubling is cut into 32
equal buckets. A histogram is a plain `{bucket: count}`, so that adding to it costs no call.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

RELATIVE_ERROR = 1 / 64


def bucket_of(nanoseconds: int) -> int:
    """The bucket a duration belongs to."""
    shift = nanoseconds.bit_length() - 6
    return nanoseconds if shift <= 0 else (shift << 5) + (nanoseconds >> shift)


def middle(bucket: int) -> float:
    """The duration, in nanoseconds, that stands for a bucket."""
    if bucket < 64:
        return bucket
    shift = (bucket >> 5) - 1
    return ((bucket - (shift << 5)) << shift) + ((1 << shift) - 1) / 2


def add(into: dict[int, int], buckets: Mapping[int, int]) -> None:
    """Add one histogram to another."""
    for bucket, count in buckets.items():
        into[bucket] = into.get(bucket, 0) + count


def quantiles(buckets: Mapping[int, int], shares: Iterable[float]) -> list[float]:
    """For each share (0.95), the nanoseconds that so many durations do not exceed; 0 of none."""
    total = sum(buckets.values())
    ordered = sorted(buckets.items())
    found = []
    for share in shares:
        rank = max(1, math.ceil(share * total))
        answer = 0.0
        for bucket, count in ordered:
            answer = middle(bucket)
            rank -= count
            if rank <= 0:
                break
        found.append(answer)
    return found


def above(buckets: Mapping[int, int], nanoseconds: int) -> int:
    """How many durations lie in that duration's bucket or a higher one."""
    first = bucket_of(nanoseconds)
    return sum(count for bucket, count in buckets.items() if bucket >= first)
