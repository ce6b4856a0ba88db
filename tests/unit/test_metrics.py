"""The registry of metrics, and what is printed from it for Prometheus and Grafana."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from alert_cases import CASES, Case
from buttress.telemetry.metrics import Counts, Times, declare, declared, page
from buttress.telemetry.metrics.dashboard import dashboard
from buttress.telemetry.metrics.family import Alert, Family
from buttress.telemetry.metrics.rules import PAGE, alerts_of, rules
from docs.generate import deployed

ALERTS = {alert.name: alert for alert in alerts_of(declared())}
NOT_OURS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
METRIC = re.compile(r"\b(?:buttress|process|python)_\w+")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool comes with Debian's package prometheus"
)


def promtool(*arguments: str | Path, text: str = "") -> str:
    done = subprocess.run(
        ["promtool", *map(str, arguments)],
        input=text, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("file", deployed(), ids=lambda file: file.name)
def test_what_is_committed_is_what_the_registry_prints(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == deployed()[file], "run `make docs`"


def test_every_expression_asks_for_what_is_served() -> None:
    served = {name for family in declared() for name in family.exported} | NOT_OURS
    exprs = [alert.expr for alert in ALERTS.values()]
    exprs += [e for family in declared() for panel in family.panels for e in panel.exprs.values()]

    asked = {name for expr in exprs for name in METRIC.findall(expr)}

    assert asked <= served
    assert len(asked) > 25


def test_an_alert_belongs_to_a_family_it_asks_for() -> None:
    for family in declared():
        for alert in family.alerts:
            assert any(name in alert.expr for name in family.exported), alert.name


def test_every_alert_leads_to_what_to_do() -> None:
    text = (Path(__file__).parents[2] / PAGE).read_text(encoding="utf-8")
    for alert in ALERTS.values():
        assert f'<a id="{alert.name.lower()}"></a>' in text
        assert alert.action in text
    assert f'runbook: "{PAGE}#buttressnoworker"' in rules(declared())


def test_the_dashboard_shows_each_panel_once_and_none_over_another() -> None:
    drawn = json.loads(dashboard(declared()))["panels"]
    panels = [panel for panel in drawn if panel["type"] != "row"]
    squares = {
        (x, y)
        for where in (panel["gridPos"] for panel in drawn)
        for x in range(where["x"], where["x"] + where["w"])
        for y in range(where["y"], where["y"] + where["h"])
    }
    assert len(panels) == sum(len(family.panels) for family in declared())
    assert len({panel["id"] for panel in drawn}) == len(drawn)
    assert len(squares) == sum(p["gridPos"]["w"] * p["gridPos"]["h"] for p in drawn)
    assert all(where["gridPos"]["x"] + where["gridPos"]["w"] <= 24 for where in drawn)


@needs_promtool
def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules(declared()), encoding="utf-8")
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", tmp_path / "rules.yml")


def test_every_alert_has_its_case() -> None:
    assert CASES.keys() == ALERTS.keys()


def expected(alert: Alert, case: Case) -> dict[str, object]:
    """The alert as promtool is to find it."""
    summary = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: case.labels[found[1]], alert.summary)
    return {
        "exp_labels": {"severity": alert.severity, **case.labels},
        "exp_annotations": {
            "summary": summary,
            "action": alert.action,
            "runbook": f"{PAGE}#{alert.name.lower()}",
        },
    }


def rules_test(folder: Path, name: str, *, fires: bool = True, silent: bool = True) -> Path:
    """A file for `promtool test rules`: whether it fires on the one and stays silent on the other."""
    alert, case = ALERTS[name], CASES[name]
    tests = [
        {
            "interval": f"{case.step_minutes}m",
            "input_series": [{"series": s, "values": v} for s, v in series.items()],
            "alert_rule_test": [
                {"eval_time": f"{case.at_minute}m", "alertname": name,
                 "exp_alerts": [expected(alert, case)] if rings else []}
            ],
        }
        for series, rings in ((case.fires, fires), (case.silent, not silent))
    ]  # fmt: skip
    file = folder / f"{name}.yml"
    document = {
        "rule_files": [f"{name}.rules"],
        "evaluation_interval": f"{case.step_minutes}m",
        "tests": tests,
    }
    file.write_text(json.dumps(document), encoding="utf-8")
    alone = Family("any", "gauge", "Holds that alert only", alerts=(alert,))
    (folder / f"{name}.rules").write_text(rules([alone]), encoding="utf-8")
    return file


@needs_promtool
def test_each_alert_fires_when_it_is_to_and_stays_silent_when_not(tmp_path: Path) -> None:
    files = [rules_test(tmp_path, name) for name in ALERTS]
    assert promtool("test", "rules", *files).count("SUCCESS") == len(ALERTS)


@needs_promtool
@pytest.mark.parametrize("wrong", [{"fires": False}, {"silent": False}])
def test_an_alert_that_does_otherwise_is_noticed(tmp_path: Path, wrong: dict[str, bool]) -> None:
    with pytest.raises(AssertionError, match="ButtressNoWorker"):
        promtool("test", "rules", rules_test(tmp_path, "ButtressNoWorker", **wrong))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("buttress_x_total", "counter"), ("Buttress_x", "gauge"), ("buttress_time", "histogram"),
     ("buttress_build_info", "gauge")],
)  # fmt: skip
def test_a_family_that_breaks_the_conventions_is_refused(name: str, kind: str) -> None:
    with pytest.raises(ValueError, match=re.escape(name)):
        declare(name, kind, "Something")  # type: ignore[arg-type]


def test_ten_thousand_addresses_are_a_thousand_series_and_nothing_is_lost() -> None:
    counts = Counts(Family("shop_visits", "counter", "Visits", {"address": "any"}))
    times = Times(Family("shop_visit_seconds", "histogram", "Time", {"address": "any"}))
    for number in range(10_000):
        counts.add(f"/{number}")
        times.add(0.3, f"/{number}")
    text = page([counts, times])

    assert text.count("shop_visits_total{") <= 1_001
    assert 'shop_visits_total{address="other"} 9000.0' in text
    assert 'shop_visit_seconds_bucket{address="other",le="0.25"} 0.0' in text
    assert 'shop_visit_seconds_bucket{address="other",le="0.5"} 9000.0' in text
    assert 'shop_visit_seconds_count{address="other"} 9000.0' in text


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_page() -> None:
    counts = Counts(declared()[1])
    counts.add("GET", "/api", "200")
    assert promtool("check", "metrics", text=page([counts])) == ""
