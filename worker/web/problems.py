"""Errors of the HTTP API as problem documents (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from fusion.output.messages import Messages


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


def response(
    status: int, detail: str, headers: Mapping[str, str] | None = None, say: Messages | None = None
) -> Response:
    """The problem document, in the language of its reader; English where nobody is asked for."""
    told = detail if say is None else say.retold(detail)
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": told}
    return JSONResponse(content, status, dict(headers or {}), media_type="application/problem+json")


def of_http(error: HTTPException) -> Problem:
    """What the framework refuses: no such page, no such method."""
    return Problem(error.status_code, f"{error.detail}.".replace("..", "."), error.headers)


def of_validation(error: RequestValidationError) -> Problem:
    """Parameters of the wrong kind."""
    told = "; ".join(f"{'.'.join(str(p) for p in one['loc'])}: {one['msg']}" for one in error.errors()[:5])
    return Problem(422, f"The request cannot be understood: {told}.")
