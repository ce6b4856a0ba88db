"""What is done to the servers in the middle of a run."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import valkey

from buttress.db.embedded import Servers, start_servers
from buttress.errors import ButtressError

RESTART_SECONDS = 30


class Faults:
    """Disturbs the servers of one data folder, and brings them back."""

    def __init__(self, home: Path, servers: Servers) -> None:
        self.home = home
        self.servers = servers
        self.done: list[str] = []
        """What happened when, seconds since the epoch."""

    def plan(self) -> list[tuple[float, str, Callable[[], None]]]:
        """What happens, and after which share of the run."""
        return [
            (0.10, "log switched", self.switch_log),
            (0.20, "valkey flushed", self.flush),
            (0.30, "valkey frozen", self.freeze),
            (0.40, "valkey killed", self.kill_valkey),
            (0.55, "server restarted", lambda: self.end_postgresql(signal.SIGINT)),
            (0.75, "server crashed", lambda: self.end_postgresql(signal.SIGQUIT)),
            (0.90, "valkey flushed", self.flush),
        ]

    def run(self, seconds: float, stop: threading.Event) -> None:
        """Carry out the plan over a run of that length."""
        began = time.monotonic()
        for share, name, fault in self.plan():
            if stop.wait(max(0.0, began + share * seconds - time.monotonic())):
                return
            self.done.append(f"{time.time():.3f} {name}")
            fault()
            self.done.append(f"{time.time():.3f} {name}, back")

    def switch_log(self) -> None:
        """Have the server begin another file of its write-ahead log."""
        with self._administrator() as connection:
            connection.execute("select pg_switch_wal()")

    def flush(self) -> None:
        """Empty Valkey."""
        with suppress(valkey.ValkeyError):
            self._valkey().flushall()

    def freeze(self) -> None:
        """Stop Valkey's process for half a second."""
        process = self._valkey_process()
        os.kill(process, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(process, signal.SIGCONT)

    def kill_valkey(self) -> None:
        """Kill Valkey; another one, empty, comes a moment later."""
        os.kill(self._valkey_process(), signal.SIGKILL)
        time.sleep(0.3)
        self._bring_back()

    def end_postgresql(self, how: int) -> None:
        """End the postmaster and start it again."""
        with self._administrator() as connection:
            row = connection.execute("show data_directory").fetchone()
        assert row is not None
        process = int((Path(row[0]) / "postmaster.pid").read_text().split()[0])
        os.kill(process, how)
        while Path(f"/proc/{process}").exists():
            time.sleep(0.01)
        self._bring_back()

    def _bring_back(self) -> None:
        give_up = time.monotonic() + RESTART_SECONDS
        while True:
            try:
                again = start_servers(self.home)
                break
            except ButtressError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)
        self.servers.close()
        self.servers = again

    def _administrator(self) -> psycopg.Connection:
        return psycopg.connect(self.servers.postgres_url("postgres", "postgres"), autocommit=True)

    def _valkey(self) -> valkey.Valkey:
        return valkey.Valkey.from_url(self.servers.valkey_url, socket_timeout=2)

    def _valkey_process(self) -> int:
        return int(self._valkey().info("server")["process_id"])  # type: ignore[index]
