"""Errors of the HTTP API as problem documents (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Problem(Exception):  # noqa: N818 - what the standard calls it
    """A request that cannot be served; `detail` is a sentence for its sender."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def try_later(status: int, detail: str, seconds: int = 5) -> Problem:
    """A refusal that may not last: 429 or 503 with Retry-After."""
    return Problem(status, detail, {"Retry-After": str(max(1, seconds))})


def response(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The problem document."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(content, status, dict(headers or {}), media_type="application/problem+json")


async def of_problem(_: Request, error: Any) -> Response:
    """The answer to a Problem."""
    return response(error.status, error.detail, error.headers)


async def of_http(_: Request, error: Any) -> Response:
    """The answer to what the framework refuses: no such page, no such method."""
    assert isinstance(error, HTTPException)
    return response(error.status_code, f"{error.detail}.".replace("..", "."), error.headers)


async def of_validation(_: Request, error: Any) -> Response:
    """The answer to parameters of the wrong kind."""
    told = "; ".join(f"{'.'.join(str(p) for p in one['loc'])}: {one['msg']}" for one in error.errors()[:5])
    return response(422, f"The request cannot be understood: {told}.")
