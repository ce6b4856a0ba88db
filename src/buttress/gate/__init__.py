"""The one way into a process: who comes in, from where, and what leaves with which headers.

    Gate(application, runtime)

is an ASGI application around the API and the workspace. Whoever is let in is known inside as
`buttress.access.current()`.
"""

from buttress.gate.gate import Gate

__all__ = ["Gate"]
