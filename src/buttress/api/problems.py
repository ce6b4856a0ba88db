"""Errors as problem+json (RFC 9457), the one place where the API puts an exception into words."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from buttress.access import current
from buttress.errors import ButtressError

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"


class Fault(BaseModel):
    """One thing in a request that does not fit."""

    where: str
    message: str


class Problem(BaseModel):
    """Why a request was not done."""

    title: str
    status: int
    detail: str
    hint: str | None = None
    request_id: str | None = None
    errors: list[Fault] | None = None


def problem(
    status: int, detail: str, *, headers: dict[str, str] | None = None, **more: object
) -> JSONResponse:
    """One problem document; members that are None are left out."""
    identity = current()
    members = {
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": identity.origin.request_id or None if identity else None,
        **more,
    }
    return JSONResponse(
        {name: value for name, value in members.items() if value is not None},
        status_code=status,
        headers=headers,
        media_type=PROBLEM_TYPE,
    )


def explain_problems(api: FastAPI) -> None:
    """Let every error leave this API as a problem document that holds no secrets."""

    @api.exception_handler(ButtressError)
    def known(request: Request, error: ButtressError) -> JSONResponse:
        if error.http_status >= 500:
            log.error("request failed", extra={"path": request.url.path}, exc_info=error)
        after = getattr(error, "after_seconds", None)
        headers = {"retry-after": str(max(1, round(after)))} if after is not None else None
        return problem(error.http_status, error.message, hint=error.hint, headers=headers)

    @api.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # The input is not repeated: it may be secret, and NaN in it has no JSON.
        errors = [
            {"where": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}
            for item in error.errors()
        ]
        return problem(422, "the request does not fit", errors=errors)

    @api.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        detail = error.detail
        if error.status_code == 404 and detail == HTTPStatus.NOT_FOUND.phrase:
            detail = f"there is no {request.url.path}"
        return problem(error.status_code, detail, headers=dict(error.headers or {}))

    @api.exception_handler(Exception)
    def bug(_: Request, __: Exception) -> JSONResponse:
        # Starlette raises it again after the answer, so the server logs it with its traceback.
        return problem(500, "something went wrong on our side")
