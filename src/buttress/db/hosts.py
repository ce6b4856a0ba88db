"""Of several hosts the one that was the primary last is tried first.

libpq tries them in the order of the URL. When the first one is gone without a word, as a machine
that lost its power is, every single connection would wait for its time-out before the next host's
turn comes.
"""

from __future__ import annotations

from typing import Any

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

FOLLOWED = ("primary", "read-write")


class Hosts:
    """The hosts and ports of one connection string.

    Does nothing when there is only one, or when the string does not ask for the primary: then the
    order says which one is preferred.
    """

    def __init__(self, conninfo: str) -> None:
        given = conninfo_to_dict(conninfo)
        hosts = str(given.get("host") or "").split(",")
        ports = str(given.get("port") or "").split(",")
        follows = given.get("target_session_attrs") in FOLLOWED and "hostaddr" not in given
        several = len(hosts) > 1 and follows
        self._places = list(zip(hosts, ports * len(hosts), strict=False)) if several else []
        self._last: tuple[str, str] | None = None

    def arguments(self) -> dict[str, str]:
        """`host` and `port` for the next connection; empty where the URL's own order is right."""
        last = self._last
        if last is None or last == self._places[0]:
            return {}
        ordered = [last, *(place for place in self._places if place != last)]
        hosts, ports = zip(*ordered, strict=True)
        return {"host": ",".join(hosts), "port": ",".join(ports)}

    def note(self, host: str, port: int) -> None:
        """Remember who answered."""
        for place in self._places:
            if place[0] == host and place[1] in ("", str(port)):
                self._last = place

    def listen(self, engine: Engine) -> None:
        """Have the engine's connections opened in this order."""
        if self._places:
            event.listen(engine, "do_connect", self._order)
            event.listen(engine, "connect", self._note)

    def _order(self, dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
        hosts, ports = zip(*self._places, strict=True)
        options |= {"host": ",".join(hosts), "port": ",".join(ports)} | self.arguments()

    def _note(self, connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        driver: Any = record.driver_connection
        self.note(driver.info.host, driver.info.port)
