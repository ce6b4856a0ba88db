"""The same six health endpoints for a Flask application (`pip install buttress[flask]`).

app = Flask(__name__)
app.register_blueprint(blueprint(runtime))
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from buttress.health import PATHS
from buttress.runtime import Runtime


def blueprint(runtime: Runtime) -> Blueprint:
    """The routes, for an open runtime."""
    routes = Blueprint("buttress_health", __name__)

    def answer(path: str) -> Response:
        reply = runtime.health.answer(path, permitted=is_permitted(runtime))
        return Response(reply.body, reply.status, reply.headers)

    for path in PATHS:
        routes.add_url_rule(path, path.replace("/", "_"), answer, defaults={"path": path})
    routes.add_url_rule("/health/<path:rest>", "unknown", lambda rest: answer(f"/health/{rest}"))
    return routes


def is_permitted(runtime: Runtime) -> bool:
    """Whether whoever sends the current request may see details."""
    return runtime.health.permits(
        authorization=request.headers.get("Authorization", ""),
        client=request.remote_addr or "",
        host=request.headers.get("Host", ""),
        forwarded="X-Forwarded-For" in request.headers or "Forwarded" in request.headers,
    )
