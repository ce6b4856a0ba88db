"""`buttress metrics`: what Prometheus and Grafana need to know of this deployment."""

from __future__ import annotations

import typer

from buttress.cli.context import out

app = typer.Typer(
    help="Print alert rules and a dashboard for what /metrics serves.", no_args_is_help=True
)


@app.command("rules")
def print_rules() -> None:
    """Print the alert rules for Prometheus.

    Example: buttress metrics rules > /etc/prometheus/rules/buttress.yml
    """
    from buttress.telemetry.metrics import declared
    from buttress.telemetry.metrics.rules import rules

    out.file.write(rules(declared()))


@app.command("dashboard")
def print_dashboard() -> None:
    """Print the dashboard for Grafana, to be imported there.

    Example: buttress metrics dashboard > buttress.json
    """
    from buttress.telemetry.metrics import declared
    from buttress.telemetry.metrics.dashboard import dashboard

    out.file.write(dashboard(declared()))
