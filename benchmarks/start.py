"""How soon the workspace of `buttress up` is there, and what it takes with ten people at it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

PEOPLE = 10
PASSWORD = "four unusual garden words"
MEGABYTE = 1 << 20
COOKIE = re.compile(rb"set-cookie: (buttress=[^;]+)", re.IGNORECASE)


def starts() -> list[str]:
    """`buttress up` on a new folder and again, until the sign-in is answered."""
    with tempfile.TemporaryDirectory() as home:
        cold, _ = started(Path(home), people=0)
        warm, _ = started(Path(home), people=0)
        _, memory = started(Path(home), people=PEOPLE)
    return [
        "`buttress up` with its own servers, until the sign-in is answered; cold makes "
        f"and migrates the servers, warm finds them. Then {PEOPLE} people with a WebSocket each.",
        "",
        "| | |",
        "| --- | --- |",
        f"| cold | {cold:.1f} s |",
        f"| warm | {warm:.1f} s |",
        f"| memory of the process with {PEOPLE} people | {memory / MEGABYTE:.0f} MB |",
        "",
    ]


def started(home: Path, *, people: int) -> tuple[float, int]:
    """Seconds until it is usable, and memory in bytes once so many people look at it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "BUTTRESS_HOME": str(home), "BUTTRESS_PORT": str(port)}  # noqa: TID251
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "buttress", "up"], env=environment, cwd=home,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                answer = asyncio.run(
                    once(port, b"GET /sign-in HTTP/1.1\r\nhost: localhost\r\n\r\n")
                )
                if answer.startswith(b"HTTP/1.1 200"):
                    break
            assert process.poll() is None
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        found = ""
        assert process.stdout is not None
        while not found:
            told = re.search(r"http\S+/sign-in/link/\S+", process.stdout.readline())
            found = told[0] if told else ""
        memory = asyncio.run(visited(port, found, people, process.pid)) if people else 0
        return seconds, memory
    finally:
        process.terminate()
        process.wait(30)


async def visited(port: int, link: str, people: int, process: int) -> int:
    """Memory with so many WebSockets of signed-in browsers that have drawn the home page."""
    import websockets
    from streamlit.proto.BackMsg_pb2 import BackMsg

    form = urlencode({"name": "root@example.com", "password": PASSWORD, "again": PASSWORD})
    answer = await once(port, posted(urlsplit(link).path, form))
    cookie = COOKIE.search(answer)
    assert cookie is not None, answer[:300]
    rerun = BackMsg()
    rerun.rerun_script.query_string = ""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(people):
            browser = await stack.enter_async_context(
                websockets.connect(
                    f"ws://localhost:{port}/_stcore/stream", origin=f"http://localhost:{port}",  # type: ignore[arg-type]
                    additional_headers={"cookie": cookie[1].decode()}, subprotocols=["streamlit"],  # type: ignore[list-item]
                )
            )  # fmt: skip
            await browser.send(rerun.SerializeToString())
        await asyncio.sleep(5)
        return memory_of(process)


def memory_of(process: int) -> int:
    """The resident memory of a process, in bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]


def posted(path: str, form: str) -> bytes:
    """A form as a browser sends it."""
    return (
        f"POST /{path.lstrip('/')} HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: same-origin\r\n"
        f"content-type: application/x-www-form-urlencoded\r\ncontent-length: {len(form)}\r\n\r\n{form}"
    ).encode()


async def once(port: int, request: bytes) -> bytes:
    """The head of the answer to one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    _, head = await read(reader)
    writer.close()
    return head


async def read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One answer, its body thrown away."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length or 0))
    return int(head[9:12]), head
