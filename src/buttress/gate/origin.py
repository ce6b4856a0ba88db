"""Where a request comes from: what the connection says, and what a proxy we trust adds."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import Scope

from buttress.access import Origin
from buttress.errors import ConfigurationError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
REQUEST_ID = re.compile(r"[\w-]{8,64}")


@dataclass(frozen=True)
class Arrival:
    """One request as it came to this deployment."""

    origin: Origin
    scheme: str
    """http or https, as the browser sees it."""
    host: str
    """Name and port, as the browser sees them."""

    @property
    def site(self) -> str:
        """What the browser calls our origin."""
        return f"{self.scheme}://{self.host}"

    @property
    def secure(self) -> bool:
        """Whether it came over TLS."""
        return self.scheme == "https"


def parse_networks(text: str) -> list[Network]:
    """The addresses and networks in a setting, comma separated; raises ConfigurationError."""
    try:
        return [
            ipaddress.ip_network(part.strip(), strict=False)
            for part in text.split(",")
            if part.strip()
        ]
    except ValueError as error:
        raise ConfigurationError(
            f"BUTTRESS_ACCESS__TRUSTED_PROXIES: {error}",
            hint="Write addresses or networks: 127.0.0.1,10.0.0.0/8.",
        ) from error


def arrival(scope: Scope, headers: Headers, trusted: Sequence[Network]) -> Arrival:
    """Read where a request comes from; headers of a proxy count only from those trusted."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    scheme = "https" if scope["scheme"] in ("https", "wss") else "http"
    if _is_within(address, trusted):
        if forwarded := headers.get("x-forwarded-proto", ""):
            scheme = "https" if forwarded.rpartition(",")[2].strip() == "https" else "http"
        # Each proxy adds whom it saw at the end: the last one that is no proxy of ours is outside.
        for part in reversed(headers.get("x-forwarded-for", "").split(",")):
            told = _address(part)
            if told is None:
                break
            address = told
            if not _is_within(address, trusted):
                break
    given = headers.get("x-request-id", "")
    request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex
    agent = headers.get("user-agent", "")[:200]
    return Arrival(Origin(address, agent, request_id), scheme, headers.get("host", "").lower())


def _address(part: str) -> str | None:
    """An address as proxies write it, with or without its port; None for anything else."""
    bare = part.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return str(_parsed(bare))
    except ValueError:
        return None


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return parsed.ipv4_mapped or parsed
    return parsed


def _is_within(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = _parsed(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
