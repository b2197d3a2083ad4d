"""Errors as RFC 9457 problem documents that also carry `code` and `message`, as Segment's SDKs read them."""

from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi import HTTPException as Anticipated
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from jornada.bus.carrier import BusUnavailable
from jornada.db import Conflict, Unavailable
from jornada.observe import logs
from jornada.web.exchange import Answer

_log = logs.get(__name__)

ECHO = 64
"""The most characters of a caller's input that an error says back."""
_UNREAD = "Send JSON, with the header Content-Type: application/json."
"""To whom sends it as a form, which is what `curl -d` does."""
_HEADERS = ((b"content-type", b"application/problem+json"),)


class Problem(Anticipated):
    """An anticipated refusal: HTTP status, a code for programs, a message for people, and what else to tell.

    Of FastAPI's own kind, because while it reads a body it takes every other for a body that is broken.
    """

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None, **more: Any) -> None:
        super().__init__(status, message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.more = more

    def answer(self) -> Answer:
        """The problem document."""
        document = {
            "type": f"urn:jornada:problem:{self.code}",
            "title": self.message,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            **self.more,
        }
        own = () if self.retry_after is None else ((b"retry-after", b"%d" % self.retry_after),)
        return Answer(self.status, _HEADERS, msgspec.json.encode(document), own)

    def response(self) -> Response:
        """As the framework sends it."""
        answer = self.answer()
        headers = {name.decode(): value.decode() for name, value in answer.headers + answer.own}
        return Response(answer.body, answer.status, headers)


def unavailable(retry_after: int = 2) -> Problem:
    """503: a passing fault."""
    return Problem(503, "unavailable", "A part of the system cannot be reached; try again.", retry_after=retry_after)


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem document."""

    @app.exception_handler(Problem)
    async def refused(_request: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        unread = "json" not in request.headers.get("content-type", "")
        errors = [
            {
                "at": ".".join(str(part) for part in each["loc"])[:ECHO],
                "message": _UNREAD if unread and each["loc"] == ("body",) else each["msg"],
            }
            for each in error.errors()
        ]
        return Problem(400, "invalid", f"{errors[0]['at']}: {errors[0]['message']}", errors=errors).response()

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> Response:
        codes = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}
        said = Problem(error.status_code, codes.get(error.status_code, "http_error"), str(error.detail)).response()
        said.headers.update(error.headers or {})
        return said

    async def passing(_request: Request, error: Exception) -> Response:
        _log.warning("request.unavailable", error=str(error))
        return unavailable().response()

    for kind in (Unavailable, BusUnavailable, Conflict):
        app.add_exception_handler(kind, passing)

    @app.exception_handler(Exception)
    async def bug(_request: Request, _error: Exception) -> Response:
        return Problem(500, "internal", "Something broke on our side; it is in the log.").response()
