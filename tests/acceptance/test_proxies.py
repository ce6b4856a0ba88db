"""Behind nginx and Caddy, configured as we ship them: TLS outside, nothing switched off inside."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from buttress.access import Origin, audit, people, signing_in
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.migrations import upgrade

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "app.example.com"

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def certificate(folder: Path) -> None:
    """A key and a certificate for the name, in the files the shipped configuration reads."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def nginx(folder: Path, inside: int, outside: int) -> list[str]:
    shipped = (DEPLOY / "nginx.conf").read_text()
    shipped = shipped.replace("/etc/ssl/app.example.com", str(folder))
    shipped = shipped.replace("127.0.0.1:8501", f"127.0.0.1:{inside}")
    shipped = shipped.replace("listen 443 ssl", f"listen 127.0.0.1:{outside} ssl")
    whole = folder / "nginx.conf"
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {temporary}\n{shipped}\n}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(whole)]


def caddy(folder: Path, inside: int, outside: int) -> list[str]:
    shipped = (DEPLOY / "Caddyfile").read_text()
    shipped = shipped.replace("127.0.0.1:8501", f"127.0.0.1:{inside}")
    shipped = shipped.replace(
        f"{NAME} {{",
        f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n\n{NAME}:{outside} {{\n"
        f"\ttls {folder}/fullchain.pem {folder}/privkey.pem",
    )
    whole = folder / "Caddyfile"
    whole.write_text(shipped)
    binary = Path(sys.executable).with_name("caddy")
    return [str(binary), "run", "--config", str(whole), "--adapter", "caddyfile"]


@pytest.fixture(scope="module")
def inside(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """The port of `buttress up`, and the cookie of somebody who is signed in there."""
    home = tmp_path_factory.mktemp("proxied")
    url, port = f"sqlite:///{home / 'app.db'}", free_port()
    database = Database(url)
    upgrade(database, [])
    with database.session() as session:
        person = people.create(session, "root@example.com", "admin", password="four garden words!")
        cookie = signing_in.begin(session, person, Origin(), how="test")
    database.close()
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {
            "DATABASE_URL": url, "REDIS_URL": servers.valkey_url, "BUTTRESS_HOME": str(home),
            "BUTTRESS_PORT": str(port), "BUTTRESS_ACCESS__BASE_URL": f"https://{NAME}",
            "BUTTRESS_ACCESS__TRUSTED_PROXIES": "127.0.0.1", "BUTTRESS_JOBS__WORKER": "false",
        }.items():  # fmt: skip
            patch.setenv(variable, value)
        process = subprocess.Popen(
            [sys.executable, "-m", "buttress", "up"], stdout=subprocess.DEVNULL
        )
    wait_for(port, process)
    yield port, cookie
    process.terminate()
    process.wait(timeout=20)
    with Database(url).session() as session:
        seen = {entry.address for entry in audit.entries(session, action="sign-in")}
    assert "203.0.113.9" in seen


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def proxied(
    request: pytest.FixtureRequest,
    inside: tuple[int, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[int]:
    """The port of the proxy."""
    name = request.param.__name__
    if name == "nginx" and shutil.which("nginx") is None:
        pytest.skip("needs Debian's nginx-light")
    folder, outside = tmp_path_factory.mktemp(name), free_port()
    certificate(folder)
    process = subprocess.Popen(
        ["env", f"HOME={folder}", *request.param(folder, inside[0], outside)],
        stderr=subprocess.DEVNULL,
    )
    wait_for(outside, process)
    yield outside
    process.terminate()
    process.wait(timeout=20)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("it did not start")


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_whoever_signs_in_gets_a_cookie_for_this_host_alone(proxied: int) -> None:
    site = f"https://{NAME}:{proxied}"
    with httpx.Client(verify=trusting(), timeout=20) as outside:
        answer = outside.post(
            f"https://127.0.0.1:{proxied}/sign-in",
            data={"name": "root@example.com", "password": "four garden words!"},
            headers={"host": site[8:], "origin": site, "x-forwarded-for": "203.0.113.9"},
            extensions={"sni_hostname": NAME},
        )

    assert answer.status_code == 303
    assert answer.headers["set-cookie"].startswith("__Host-buttress=")
    assert "strict-transport-security" in answer.headers


def test_a_socket_opens_from_our_own_page_only(proxied: int, inside: tuple[int, str]) -> None:
    def socket_from(origin: str) -> None:
        with (
            socket.create_connection(("127.0.0.1", proxied)) as raw,
            trusting().wrap_socket(raw, server_hostname=NAME) as private,
            connect(
                f"ws://{NAME}:{proxied}/_stcore/stream", sock=private, origin=origin,
                subprotocols=["streamlit"],
                additional_headers={"cookie": f"__Host-buttress={inside[1]}"},
            ) as opened,
        ):  # fmt: skip
            opened.ping()

    socket_from(f"https://{NAME}:{proxied}")
    for foreign in ("https://evil.example", f"http://{NAME}:{proxied}"):
        with pytest.raises(InvalidStatus):
            socket_from(foreign)
