"""Sending a request until it is answered: again where that does no harm, ever more slowly."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx2

from buttress.client.failures import failure, seconds_to_wait
from buttress.errors import ButtressError, Unavailable

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 10.0
AGAIN = {429, 502, 503, 504}
HARMLESS = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}


class Sender:
    """Sends for a client.

    Parameters
    ----------
    http
        What has the connections.
    attempts
        How often one request is sent at most.
    patience_seconds
        How long a pause that the deployment asks for is borne; a longer one is raised.
    """

    def __init__(self, http: httpx2.Client, *, attempts: int, patience_seconds: float) -> None:
        self._http = http
        self._attempts = attempts
        self._patience = patience_seconds

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        content: Callable[[], Any] | None = None,
        stream: bool = False,
        **more: Any,
    ) -> httpx2.Response:
        """The answer to a request that was done; with `stream` its body is yet to be read.

        `content` gives the body anew for each attempt. A POST is sent again only with an
        `Idempotency-Key`.

        Raises
        ------
        ButtressError
            What the deployment refuses, as it calls it; `Unavailable` when it does not answer.
        """
        harmless = method in HARMLESS or "Idempotency-Key" in headers
        for attempt in range(1, self._attempts + 1):
            wait: float | None = None
            try:
                body = {"content": content()} if content else {}
                request = self._http.build_request(method, path, headers=headers, **body, **more)
                response = self._http.send(request, stream=stream)
                if response.status_code < 300:
                    return response
                response.read()
                response.close()
                error: ButtressError = failure(response)
                wait = seconds_to_wait(response)
                again = response.status_code in AGAIN or (response.status_code == 409 and wait)
                # 429 was done by nobody; of the others nobody can tell.
                again = again and (harmless or response.status_code == 429)
            except httpx2.TransportError as broken:
                error = Unavailable(
                    f"no answer from {self._http.base_url.host}: {broken or type(broken).__name__}",
                    hint="Is it running, and is the address right?",
                )
                error.__cause__ = broken
                again = harmless
            if not again or attempt == self._attempts or (wait or 0) > self._patience:
                raise error
            pause = min(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), LONGEST_PAUSE_SECONDS)
            # Clients that were refused at the same moment must not come back at the same one.
            time.sleep((wait or 0.0) + pause * random.uniform(0.5, 1.0))
        raise AssertionError("the last attempt returns or raises")
