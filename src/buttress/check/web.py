"""Checks of what the web server lets others see and do."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Iterator

from buttress.check.facts import Facts
from buttress.check.registry import NotApplicable, check

PROTECTIONS = {"enableCORS": True, "enableXsrfProtection": True, "enableAgentApi": False}
TOKEN_CHARACTERS = 24


@check(
    "BT-201", "web", "warning", "Reachable without a proxy",
    cure="Listen on 127.0.0.1 behind a proxy that ends TLS, or let only the proxy reach the port.",
    deploy=True,
)  # fmt: skip
def public_host(facts: Facts) -> str | None:
    """The server speaks plain HTTP: whoever is on the way reads along where no proxy ends TLS.
    In a container the address must be 0.0.0.0; then this is a reminder to publish no port."""
    if not facts.is_public:
        return None
    return f"BUTTRESS_HOST is {facts.settings.host}"


@check(
    "BT-202", "web", "error", "Metrics for everybody",
    cure="Keep the proxy from passing /metrics on, or set BUTTRESS_MONITOR__METRICS=false.",
    deploy=True,
)  # fmt: skip
def public_metrics(facts: Facts) -> str | None:
    """Metrics name routes, pages and jobs, and how often each is used."""
    if not (facts.is_public and facts.settings.monitor.metrics):
        return None
    return f"/metrics is served on {facts.settings.host}"


@check(
    "BT-203", "web", "error", "Address not set, or without TLS",
    cure="Set BUTTRESS_ACCESS__BASE_URL to the https:// address people open.", deploy=True,
)  # fmt: skip
def base_url(facts: Facts) -> str | None:
    """Requests under another name are refused once the address is known; without https, sign-ins
    travel readable and browsers keep their cookie less strictly."""
    address = facts.settings.access.base_url
    if address.startswith("https://"):
        return None
    return f"BUTTRESS_ACCESS__BASE_URL is {address}" if address else "no BUTTRESS_ACCESS__BASE_URL"


@check(
    "BT-204", "web", "error", "Streamlit's protections switched off",
    cure="Remove the lines from .streamlit/config.toml; behind a proxy, forward the Host header.",
)  # fmt: skip
def streamlit_protections(facts: Facts) -> Iterator[str]:
    """Without XSRF and CORS protection any page a user visits may open the workspace in their name.
    Buttress sets these itself, but `streamlit run` beside it reads the file."""
    try:
        content = tomllib.loads((facts.folder / ".streamlit" / "config.toml").read_text())
    except FileNotFoundError:
        raise NotApplicable from None
    for name, right in PROTECTIONS.items():
        found = content.get("server", {}).get(name, right)
        if found != right:
            yield f"server.{name} is {str(found).lower()}"


@check(
    "BT-205", "web", "warning", "Streamlit variables without effect",
    cure="Remove them; host and port are BUTTRESS_HOST and BUTTRESS_PORT.",
)  # fmt: skip
def streamlit_variables(facts: Facts) -> Iterator[str]:
    """The workspace is mounted in another application, where Streamlit reads no `STREAMLIT_`
    variables: what they were meant to limit is not limited."""
    for name in sorted(facts.given.together):
        if name.startswith(("STREAMLIT_SERVER_", "STREAMLIT_BROWSER_", "STREAMLIT_CLIENT_")):
            yield f"{name} has no effect"


@check(
    "BT-206", "web", "error", "Short token",
    cure='Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"',
)  # fmt: skip
def short_token(facts: Facts) -> str | None:
    """Whoever guesses `BUTTRESS_HEALTH__TOKEN` sees versions, counts and names."""
    token = facts.settings.health.token.get_secret_value()
    if not token or len(token) >= TOKEN_CHARACTERS:
        return None
    return f"BUTTRESS_HEALTH__TOKEN has {len(token)} characters"


@check(
    "BT-207", "web", "warning", "Stops before it is drained",
    cure="Set BUTTRESS_HEALTH__DRAIN_SECONDS to more than the probes' period, say 10.", deploy=True,
)  # fmt: skip
def no_drain(facts: Facts) -> str | None:
    """A load balancer learns from `/health/ready` that a process is about to stop. One that stops
    at once loses the requests that are sent until the next probe."""
    if not facts.is_public or facts.settings.health.drain_seconds:
        return None
    return "BUTTRESS_HEALTH__DRAIN_SECONDS is 0"


@check(
    "BT-208", "web", "error", "Every address is believed to be a proxy",
    cure="Name the proxies in BUTTRESS_ACCESS__TRUSTED_PROXIES, say 10.0.0.5.",
)  # fmt: skip
def trusted_proxies(facts: Facts) -> Iterator[str]:
    """Who is believed may say where a request came from: limits and the audit log then hold what
    anybody wrote into a header."""
    for given in facts.settings.access.trusted_proxies.split(","):
        try:
            network = ipaddress.ip_network(given.strip(), strict=False)
        except ValueError:
            continue  # the gate refuses it when it starts
        if network.prefixlen == 0:
            yield f"{network} is all there are"
