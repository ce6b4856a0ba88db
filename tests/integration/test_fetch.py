"""Fetching pages: what leads inside is never connected to, and what is large or slow is given up."""

import gzip
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import zlib
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import addresses_inside
from buttress.errors import BadInput, NotFound, Refused, TooLarge, Unavailable
from buttress.fetch import fetch
from buttress.fetch.addresses import is_public
from buttress.fetch.connecting import resolve
from buttress.fetch.decoding import body


@pytest.fixture(scope="module")
def tried():
    """What became of every vector, in a process of its own whose connections are watched."""
    done = subprocess.run(
        [sys.executable, addresses_inside.__file__], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nothing_inside_is_connected_to(tried):
    assert len(tried["direct"]) >= 190
    assert len(tried["redirected"]) >= 190
    assert tried["connected"] == []


def test_every_way_inside_ends_in_an_error_of_ours(tried):
    for outcome in tried["direct"].values():
        assert outcome.startswith(("Refused:", "Unavailable:")), tried["direct"]
    pages = {url for url, outcome in tried["redirected"].items() if outcome == "page"}
    assert pages <= {"http:///secret"}  # names no host: the one that redirects is meant
    for url, outcome in tried["redirected"].items():
        assert url in pages or outcome.startswith(("Refused:", "Unavailable:")), (url, outcome)


def test_a_name_that_changes_its_address_is_asked_for_once(tried):
    outcome, connected, asked = tried["rebound"]

    assert asked == 1
    assert connected == [f"{addresses_inside.PUBLIC}:80"]
    assert outcome.startswith("Unavailable")


def test_the_control_page_arrives_where_its_address_is_allowed(tried):
    assert tried["control"] == "page"
    assert tried["not allowed"] == "Refused:port"


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address):
    if address.is_private or address.is_multicast or address.is_loopback or address.is_link_local:
        assert not is_public(str(address))


@given(st.text(max_size=40))
def test_what_is_no_address_is_not_public(text):
    try:
        ip_address(text)
    except ValueError:
        assert not is_public(text)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111"])
def test_public_addresses_are_public(address):
    assert is_public(address)


class Pages(BaseHTTPRequestHandler):
    """Each page misbehaves in its own way."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.close_connection = True
        getattr(self, self.path.strip("/").partition("?")[0].replace("-", "_"))()

    def answer(self, content=b"", status=200, **headers):
        self.send_response(status)
        for name, value in {"Content_Length": len(content), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(content)

    def page(self):
        text = '<meta charset="windows-1252"><p>Olá €'.encode("cp1252")
        self.answer(text, Content_Type="text/html")

    def declared(self):
        self.answer("ação".encode("latin-1"), Content_Type="text/plain; charset=ISO-8859-1")

    def redirect(self):
        self.answer(status=302, Location="/page")

    def loop(self):
        self.answer(status=302, Location="/loop")

    def missing(self):
        self.answer(status=404)

    def broken(self):
        self.answer(status=500)

    def forbidden(self):
        self.answer(status=403)

    def large(self):
        self.answer(b"x" * 2_000_000)

    def endless(self):
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 65536)

    def bomb(self):
        packed = gzip_of_zeros(1 << 30)
        self.answer(packed, Content_Encoding="gzip")

    def packed(self):
        self.answer(gzip.compress(b"page" * 1000), Content_Encoding="gzip")

    def deflated(self):
        self.answer(zlib.compress(b"page" * 1000)[2:-4], Content_Encoding="deflate")

    def cut(self):
        self.answer(gzip.compress(os.urandom(1000))[:500], Content_Encoding="gzip")

    def no_gzip(self):
        self.answer(b"page" * 1000, Content_Encoding="gzip")

    def slow_headers(self):
        for char in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000:
            self.wfile.write(bytes([char]))
            time.sleep(0.05)

    def slow_body(self):
        self.send_response(200)
        self.send_header("Content-Length", "10000")
        self.end_headers()
        for _ in range(10_000):
            self.wfile.write(b"x")
            time.sleep(0.05)

    def headers_without_end(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1_000_000)

    def no_http(self):
        self.wfile.write(b"SSH-2.0-OpenSSH\r\n")

    def log_message(self, *_):
        pass

    def handle(self):
        with suppress(OSError):  # the one who fetched has had enough
            super().handle()


_zeros: dict[int, bytes] = {}


def gzip_of_zeros(size):
    """Of a block that is packed once and repeated: quick to make, and as slow to unpack as any."""
    if size not in _zeros:
        packer = zlib.compressobj(9, wbits=-15)
        block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
        head, end = b"\x1f\x8b\x08" + bytes(7), b"\x03\x00" + bytes(8)
        _zeros[size] = head + block * (size >> 20) + end
    return _zeros[size]


@contextmanager
def serving(wrap=lambda socket: socket):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.daemon_threads = True
    server.socket = wrap(server.socket)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.socket.close()


@pytest.fixture(scope="module")
def host():
    with serving() as address:
        yield address


@pytest.fixture
def get(host):
    return lambda page, **options: fetch(f"http://{host}/{page}", allow=[host], **options)


def test_a_page_comes_with_its_type_and_text(get, host):
    page = get("redirect", types=["text/html"])

    assert page.final_url == f"http://{host}/page"
    assert (page.status, page.media_type, page.charset) == (200, "text/html", "cp1252")
    assert page.text.endswith("Olá €")
    assert get("declared").text == "ação"


@pytest.mark.parametrize("page", ["packed", "deflated"])
def test_packed_pages_are_unpacked(get, page):
    assert get(page).content == b"page" * 1000


@pytest.mark.parametrize(
    ("page", "error", "words"),
    [
        ("missing", NotFound, "no such page"),
        ("broken", Unavailable, "answers 500"),
        ("forbidden", BadInput, "answers 403"),
        ("loop", Refused, "redirects more than 5 times"),
        ("large", TooLarge, "1,000,000 bytes"),
        ("endless", TooLarge, "1,000,000 bytes"),
        ("bomb", TooLarge, "1,000,000 bytes"),
        ("cut", BadInput, "ends before it is complete"),
        ("no-gzip", BadInput, "cannot be unpacked"),
        ("slow-headers", Unavailable, "1 seconds"),
        ("slow-body", Unavailable, "1 seconds"),
        ("headers-without-end", Unavailable, "as a web server does"),
        ("no-http", Unavailable, "as a web server does"),
    ],
)
def test_what_misbehaves_ends_in_a_typed_error_in_time(get, page, error, words):
    began = time.monotonic()
    with pytest.raises(error, match=words):
        get(page, limit_bytes=1_000_000, seconds=1)

    assert time.monotonic() - began < 3


def test_other_types_are_refused(get):
    with pytest.raises(Refused, match="text/html") as caught:
        get("page", types=["application/pdf", "image/*"])

    assert caught.value.cause == "type"
    assert get("page", types=["text/*"]).status == 200


def test_an_unpacked_bomb_takes_no_memory():
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    packed = gzip_of_zeros(1 << 30)
    before = resident()
    with pytest.raises(TooLarge):
        body([packed], "gzip", 10_000_000)

    assert resident() - before < 50_000_000


def test_hosts_are_asked_in_turns(get):
    began = time.monotonic()
    for _ in range(3):
        get("page", polite_seconds=0.1)

    assert time.monotonic() - began >= 0.2
    with pytest.raises(Unavailable):
        get("page", polite_seconds=60, seconds=1)


def test_proxies_of_the_environment_are_not_used(get, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert get("page").status == 200


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch):
    from buttress.fetch.connecting import Deadline

    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: time.sleep(5))
    with pytest.raises(Unavailable, match=r"0\.2 seconds"):
        resolve("slow.example", 80, Deadline(0.2))


def test_certificates_are_checked_against_the_name_that_was_asked_for(tmp_path, monkeypatch):
    certificate, key = _certificate("shop.example")
    (tmp_path / "certificate").write_bytes(certificate)
    (tmp_path / "key").write_bytes(key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    trust = ssl.create_default_context(cafile=str(tmp_path / "certificate"))
    asked = []
    server.sni_callback = lambda _, name, __: asked.append(name)
    monkeypatch.setattr(
        "buttress.fetch.connecting.resolve", lambda host, port, deadline: ["127.0.0.1"]
    )

    with serving(lambda socket: server.wrap_socket(socket, server_side=True)) as host:
        port = host.partition(":")[2]
        page = fetch(f"https://shop.example:{port}/page", allow=[host], trust=trust)
        with pytest.raises(Unavailable, match=r"certificate of other\.example"):
            fetch(f"https://other.example:{port}/page", allow=[host], trust=trust)
        with pytest.raises(Unavailable):
            fetch(f"https://shop.example:{port}/page", allow=[host])

    assert page.status == 200
    assert asked[0] == "shop.example"


def _certificate(name):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
