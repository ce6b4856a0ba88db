"""The API for people to read: every route, what it takes and answers, without any script."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, Template


def add_reference(api: FastAPI, *, path: str) -> None:
    """Serve the page under `path`."""

    @api.get(path, include_in_schema=False)
    async def reference() -> HTMLResponse:
        schema = api.openapi()
        return HTMLResponse(
            _template().render(info=schema["info"], groups=groups(schema), prefix="/api/v1")
        )


def groups(schema: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The operations of an OpenAPI document, by their first tag."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            found.setdefault(next(iter(operation.get("tags", [])), ""), []).append(
                {
                    "method": method.upper(),
                    "path": path,
                    "summary": operation.get("description") or operation.get("summary", ""),
                    "parameters": operation.get("parameters", []),
                    "body": _schema_name(operation.get("requestBody", {})),
                    "answers": {
                        status: _schema_name(answer)
                        for status, answer in operation.get("responses", {}).items()
                    },
                }
            )
    return found


def _schema_name(described: dict[str, Any]) -> str:
    for content in described.get("content", {}).values():
        schema = content.get("schema", {})
        inner = schema.get("items", schema)
        name = inner.get("$ref", "").rpartition("/")[2] or inner.get("type", "")
        return f"list of {name}" if "items" in schema else name
    return str(described.get("description", ""))


@cache
def _template() -> Template:
    return Environment(loader=PackageLoader("buttress.api"), autoescape=True).get_template(
        "reference.html"
    )
