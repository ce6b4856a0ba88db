"""Buckets of a log-linear histogram: 32 of equal width between a power of two and the next.

A bucket's number grows with its values, negative ones included, so percentiles are read off
counts in order of number. The middle of a bucket is within 1/64 of every value in it.
"""

from __future__ import annotations

import math

BUCKET = "bucket"
PER_POWER = 32
_LOWEST = 1100  # above the exponents of all doubles, so that numbers of buckets are positive

BUCKET_FUNCTION = f"""
CREATE OR REPLACE FUNCTION buttress_bucket(value float8) RETURNS int
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $bucket$
DECLARE
    size float8 := abs(value);
    power int;
BEGIN
    IF size = 'NaN' OR size = 'Infinity' THEN RETURN NULL; END IF;
    IF size < 1e-300 THEN RETURN 0; END IF;
    power := least(floor(ln(size) / ln(2::float8)), 1023);
    -- The logarithm may be a hair off at a power of two.
    RETURN sign(value) * ((power + {_LOWEST}) * {PER_POWER} + least(greatest(
        floor((size / power(2::float8, power) - 1) * {PER_POWER}), 0), {PER_POWER - 1}));
END $bucket$
"""


def bucket_value(bucket: int) -> float:
    """The middle of a bucket."""
    if bucket == 0:
        return 0.0
    power, part = divmod(abs(bucket), PER_POWER)
    return math.copysign(math.ldexp(1 + (part + 0.5) / PER_POWER, power - _LOWEST), bucket)
