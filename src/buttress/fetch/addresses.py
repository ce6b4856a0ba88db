"""Which addresses may be connected to: those of the public Internet, told apart by our own list.

`ipaddress.is_global` calls some addresses global that lead inside (NAT64, 6to4, multicast), and its
answers differ between versions of Python.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

INSIDE = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this host
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # carriers' own
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link-local, where clouds keep credentials
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # multicast relays
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
PUBLIC_6 = ip_network("2000::/3")
"""All that is handed out; whatever lies outside is local, mapped, multicast or reserved."""

INSIDE_6 = tuple(
    map(
        ip_network,
        (
            "2001::/23",  # Teredo, ORCHID, benchmarks
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: an IPv4 address in disguise
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)


def is_public(address: str) -> bool:
    """Whether an address, as `getaddrinfo` gives it, is one of the public Internet."""
    try:
        parsed = ip_address(address)  # a scope such as %eth0 is part of IPv6Address
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in INSIDE)
    return _is_public_6(parsed)


def _is_public_6(address: IPv6Address) -> bool:
    if address.scope_id is not None or address not in PUBLIC_6:
        return False
    return not any(address in network for network in INSIDE_6)


def is_allowed(address: str, port: int, allow: Collection[str]) -> bool:
    """Whether `allow` names exactly this address and port, as `10.0.0.5:8080` or `[fd00::5]:80`."""
    return (f"[{address}]:{port}" if ":" in address else f"{address}:{port}") in allow
