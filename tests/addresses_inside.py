"""Ways to have a fetch connect inside, made from families; run as a program, it tries them all.

    python addresses_inside.py      prints one JSON line: outcomes and every connection that was tried

An audit hook sees each connection before the kernel does, and lets through those to the one control
server alone.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address

INSIDE_4 = [
    "0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1",
    "127.127.127.127", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255",
    "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1",
    "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255",
]  # fmt: skip
INSIDE_6 = [
    "::", "::1", "fe80::1", "fe80::a9fe:a9fe", "febf::1", "fc00::1", "fd00:ec2::254", "fdff::1",
    "ff01::1", "ff02::1", "fec0::1", "100::1", "2001:db8::1", "3fff::1", "2001:10::1", "2001:20::1",
    "2001:2::1", "5f00::1", "4000::1", "64:ff9b:1::1", "2620:4f:8000::1",
]  # fmt: skip
SPELT = ["127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.0.1"]
PUBLIC = "93.184.216.34"

NAMES = {
    "localhost": ["127.0.0.1"],
    "localhost.localdomain": ["::1"],
    "localtest.example": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "instance-data": ["169.254.169.254"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "six.example": ["::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "scoped.example": ["fe80::1%eth0"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "mixed.example": [PUBLIC, "127.0.0.1"],
    "mixed-last.example": ["127.0.0.1", PUBLIC],
    "mixed-six.example": [PUBLIC, "::1"],
    "both.example": ["2606:2800:220:1::1", "fd00::1"],
}
"""Names a resolver of somebody else's answers; `rebind.example` answers otherwise each time."""


def spellings(address: str) -> list[str]:
    """Hosts that some program reads as this IPv4 address."""
    number = int(IPv4Address(address))
    a, b, c, d = (int(part) for part in address.split("."))
    enclosed = {"0": "⓪", **{str(n): chr(0x2460 + n - 1) for n in range(1, 10)}}
    wide = {str(n): chr(0xFF10 + n) for n in range(10)}
    high, low = number >> 16, number & 0xFFFF
    return [
        str(number), hex(number), f"0{number:o}", f"0x{number:X}", f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"000{a:o}.0{b:o}.0{c:o}.0{d:o}", f"{a}.{(b << 16) + (c << 8) + d}",
        f"{a}.{b}.{(c << 8) + d}", f"{a:#x}.{b}.0{c:o}.{d}", f"{a:#x}.{(b << 16) + (c << 8) + d}",
        f"{a:03}.{b:03}.{c:03}.{d:03}", f"{address}.", f"{a}%2e{b}%2e{c}%2e{d}", f"{a}。{b}。{c}。{d}",
        "".join(enclosed.get(char, char) for char in address),
        "".join(wide.get(char, char) for char in address),
        f"[::ffff:{address}]", f"[::ffff:{high:x}:{low:x}]", f"[::{address}]", f"[::ffff:0:{address}]",
        f"[64:ff9b::{address}]", f"[64:ff9b::{high:x}:{low:x}]", f"[64:ff9b:1::{address}]",
        f"[2002:{high:x}:{low:x}::]", f"[2002:{high:x}:{low:x}::1]",
        f"[2001:0:{high:x}:{low:x}::]", f"[2001::{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}]",
        f"[fe80::5efe:{address}]", f"[{IPv6Address(f'::ffff:{address}').exploded}]",
    ]  # fmt: skip


def vectors() -> list[str]:
    """Addresses of pages, none of which may lead to a connection."""
    hosts = [*INSIDE_4, *(f"[{address}]" for address in INSIDE_6)]
    hosts += [spelling for address in SPELT for spelling in spellings(address)]
    hosts += [
        *NAMES,
        "LOCALHOST",
        "localhost.",
        "[::1%25lo]",
        "[fe80::1%25eth0]",
        "[::FFFF:7F00:1]",
    ]
    urls = [f"http://{host}/secret" for host in hosts]
    urls += [f"https://{host}/" for host in ("127.0.0.1", "[::1]", "localhost", "169.254.169.254")]
    urls += [
        f"http://{PUBLIC}:{port}/" for port in (0, 22, 25, 5432, 6379, 8080, 8501, 65535, 65536)
    ]
    urls += [f"http://127.0.0.1:{port}/" for port in (22, 80, 443, 5432, 6379)]
    urls += [
        f"{scheme}://127.0.0.1/"
        for scheme in ("file", "ftp", "gopher", "dict", "ldap", "tftp", "ws", "jar", "unix", "sftp")
    ]
    urls += [
        "file:///etc/passwd", "data:text/html,x", "javascript:alert(1)", "about:blank", "//127.0.0.1/",
        "127.0.0.1", "/etc/passwd", "", "http:", "http://", "http:///secret", "http:/127.0.0.1/",
        "http:127.0.0.1/", f"http://{PUBLIC}@127.0.0.1/", f"http://127.0.0.1@{PUBLIC}/",
        f"http://user:password@{PUBLIC}/", f"http://{PUBLIC}\\@127.0.0.1/", f"http://127.0.0.1\\@{PUBLIC}/",
        f"http://127.0.0.1#@{PUBLIC}/", f"http://127.0.0.1?@{PUBLIC}/", f"http://127.0.0.1;@{PUBLIC}/",
        f"http://127.0.0.1 @{PUBLIC}/", f"http://{PUBLIC}\t@127.0.0.1/", "http://127.0.0.1\r\nHost: x/",
        "http://127.0.0.1%00.example/", "http://127.0.0.1\0.example/", "http://[::1", "http://[]/",
        "http://[127.0.0.1]/", "http://[::ffff:127.0.0.1.]/", "http://[v1.x]/", "http://a b/", "\nhttp://127.0.0.1/",
        "http://127.0.0.1:80:80/", "http://127.0.0.1:abc/", "http://127.0.0.1:-1/", "http://" + "a" * 5000,
        "http://unknown.example/", "http://" + "a" * 64 + ".example/", "http://xn--/", "http://.../",
    ]  # fmt: skip
    return urls


def resolver(real, asked):
    """A resolver that knows `NAMES`, reads numbers as the C library does, and lies to rebind."""

    def getaddrinfo(host, port, *args, **kwargs):
        name = str(host).lower().rstrip(".")
        asked.append(name)
        if name == "rebind.example":
            addresses = [PUBLIC if asked.count(name) == 1 else "127.0.0.1"]
        elif name in NAMES:
            addresses = NAMES[name]
        else:
            return real(host, port, *args, flags=socket.AI_NUMERICHOST, **kwargs)
        return [(0, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return getaddrinfo


class Control(BaseHTTPRequestHandler):
    """Redirects to whatever the query says, and has one page."""

    def do_GET(self):
        path, _, target = self.path.partition("?")
        self.send_response(302 if path == "/to" else 200)
        if path == "/to":
            self.send_header("Location", bytes.fromhex(target).decode("latin-1"))
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"page")

    def log_message(self, *_):
        """Nothing."""


def main() -> None:
    from buttress.errors import ButtressError
    from buttress.fetch import fetch

    server = ThreadingHTTPServer(("127.0.0.1", 0), Control)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    control = f"127.0.0.1:{server.server_port}"
    connected: list[str] = []
    asked: list[str] = []

    def watch(event, args):
        if event == "socket.connect":
            address = f"{args[1][0]}:{args[1][1]}" if isinstance(args[1], tuple) else str(args[1])
            if address != control:
                connected.append(address)
                raise ConnectionRefusedError(address)

    sys.addaudithook(watch)
    socket.getaddrinfo = resolver(socket.getaddrinfo, asked)

    def outcome(url, **options):
        try:
            return fetch(url, seconds=5, **options).content.decode()
        except ButtressError as error:
            return f"{type(error).__name__}:{getattr(error, 'cause', '')}"
        except Exception as error:
            return f"bug:{type(error).__name__}:{error}"

    direct = {url: outcome(url) for url in vectors()}
    redirected = {}
    for url in vectors():
        # A relative target leads back to the control server, which is no way inside.
        if "://" in url and "\n" not in url and "\r" not in url:
            target = url.encode("utf-8").hex()
            redirected[url] = outcome(f"http://{control}/to?{target}", allow=[control])
    to_inside = list(connected)
    connected.clear()
    rebound = [outcome("http://rebind.example/"), list(connected), asked.count("rebind.example")]
    print(
        json.dumps(
            {
                "direct": direct,
                "redirected": redirected,
                "connected": to_inside,
                "rebound": rebound,
                "control": outcome(f"http://{control}/", allow=[control]),
                "not allowed": outcome(f"http://{control}/"),
            }
        )
    )


if __name__ == "__main__":
    main()
