"""The clients of models that a process has open, each opened once."""

from __future__ import annotations

import os
import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from buttress.llm.loop import Loop
from buttress.llm.providers import Chosen
from buttress.llm.wire import enter, open_model

if TYPE_CHECKING:
    from pydantic_ai.models import Model

OPEN_SECONDS = 10.0


class Clients:
    """They live on one event loop, and are closed with it; a forked child opens its own."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._exits = AsyncExitStack()
        self._open: dict[tuple[int, Chosen], Model] = {}
        self._opening = threading.Lock()

    def of(self, chosen: Chosen) -> Model:
        """The client of a model; raises `ConfigurationError` when its package is missing."""
        place = (os.getpid(), chosen)
        with self._opening:
            if place not in self._open:
                model = open_model(chosen)
                self.loop.run(enter(self._exits, model), seconds=OPEN_SECONDS)
                self._open[place] = model
            return self._open[place]

    def close(self) -> None:
        """Cancel what runs, then close the connections and the loop."""
        self.loop.close(self._exits.aclose)
