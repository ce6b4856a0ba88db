"""The torture of `make torture`, short: ours survives it, and it catches what is broken."""

from __future__ import annotations

import pytest

from benchmarks.torture.caches import DeleteOnWrite, Ours, OursByBarrier, OursOnSQLite
from benchmarks.torture.run import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("layer", [Ours, OursByBarrier, OursOnSQLite])
def test_nothing_older_than_an_acknowledged_commit_is_ever_read(layer):
    found = run(layer, seconds=8)

    assert found.reads > 500
    assert found.writes > 20
    wrong = (found.stale, found.dirty, found.backwards, found.own, found.residual)
    assert wrong == (0, 0, 0, 0, 0), found.examples


def test_a_cache_that_deletes_before_the_commit_does_not_survive_it():
    found = run(DeleteOnWrite, seconds=5, faults=False)

    assert found.stale > 0
    assert found.own + found.dirty + found.residual + found.backwards > 0
