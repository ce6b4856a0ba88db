"""A deployment behind its gate on a port of loopback: the frame of tests that need real HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from buttress.access import PERMISSIONS, acting, people, tokens
from buttress.access.identity import Identity
from buttress.access.roles import permissions_of
from buttress.api.app import create_api
from buttress.gate import Gate
from buttress.runtime import Runtime


@contextmanager
def served(application: ASGIApp) -> Iterator[str]:
    """Its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(application, log_config=None, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def gated(runtime: Runtime) -> Gate:
    """The API behind the gate, without the workspace."""
    return Gate(create_api(runtime), runtime)


def token_of(runtime: Runtime, name: str, role: str = "admin") -> str:
    """A token of a new person, with all they may."""
    with runtime.session() as session:
        person = people.create(session, name, role)
        identity = Identity(person.id, name, role, permissions_of(role))
        with acting(identity):
            allowed = [one for one in PERMISSIONS if one in permissions_of(role)]
            return tokens.create(session, person, "test", allowed)
