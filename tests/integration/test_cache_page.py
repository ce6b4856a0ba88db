"""What the workspace and Prometheus show of the cache, and health says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from buttress import health, telemetry
from buttress.db.embedded import Servers
from buttress.db.monitor.slot import Slot
from buttress.db.monitor.summary import course
from buttress.deployment import prepare
from buttress.runtime import Runtime
from buttress.settings import Settings
from buttress.telemetry.metrics import page as metrics
from buttress.ui.current import serve
from buttress.ui.text import size


@pytest.fixture
def settings(database_url: str, servers: Servers, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, redis_url=servers.valkey_url, home=tmp_path)


def page() -> None:
    from buttress.access import acting
    from buttress.testing import someone
    from buttress.ui import cache

    with acting(someone()):
        cache.show()


def test_the_page_says_how_to_cache_while_nothing_is(settings):
    with Runtime(settings) as runtime:
        prepare(runtime.owner_database, runtime.apps)
        serve(runtime)
        shown = AppTest.from_function(page, default_timeout=30).run()

    assert not shown.exception
    assert "@cached" in shown.code[0].value


def test_the_page_and_prometheus_tell_hits_and_what_was_computed(settings):
    with Runtime(settings) as runtime:
        prepare(runtime.owner_database, runtime.apps)
        cache = runtime.cache
        cache.look()
        cache.set("rates", "today", 7, tags=[], stamp=cache.stamp())
        assert cache.get("rates", "today", int) == 7
        assert cache.get("rates", "tomorrow", int) is None
        serve(runtime)
        shown = AppTest.from_function(page, default_timeout=30).run()
        told = metrics(telemetry.collectors)

    assert not shown.exception
    assert [metric.value for metric in shown.metric[:3]] == ["50.0%", "1", "1"]
    assert 'buttress_cache_reads_total{answered="computed",namespace="rates"} 1.0' in told


def test_health_warns_of_a_cache_whose_server_is_away(settings, tmp_path):
    away = settings.model_copy(update={"redis_url": type(settings.redis_url)("unix:///nowhere")})
    with Runtime(away) as runtime:
        assert health.cache(runtime).status == "warn"
    with Runtime(settings) as runtime:
        assert health.cache(runtime).status == "pass"


def test_the_course_of_time_has_at_most_as_many_steps_as_asked_for():
    slots = [Slot(start=60.0 * minute, seconds=60) for minute in range(600)]

    assert course(slots) == []
    assert course([]) == []


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 B"), (999, "999 B"), (1200, "1.2 kB"), (64_000_000, "64 MB")],
)
def test_sizes_are_told_as_people_read_them(number, shown):
    assert size(number) == shown
