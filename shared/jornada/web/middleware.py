"""What happens around every request: its trace, its limits, its count."""

import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jornada.observe import metrics, trace
from jornada.web.problems import Problem


class Edge:
    """Pure ASGI. Keeps paths percent-encoded (a `%2F` belongs to an id), joins the caller's trace, caps the body in
    bytes, and counts answers by route template."""

    def __init__(self, app: ASGIApp, *, service: str, body_limit: int) -> None:
        self._app = app
        self._service = service
        self._body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["path"] = scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0]
        headers = dict(scope["headers"])
        traceparent = trace.begin(headers.get(b"traceparent"))
        began, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", [])
                message["headers"] = [*message["headers"], (b"traceparent", traceparent.encode())]
            await send(message)

        try:
            length = headers.get(b"content-length", b"0")
            if length.isdigit() and int(length) > self._body_limit:
                await self._refuse(too_large(self._body_limit), scope, receive, answer)
            else:
                await self._app(scope, self._limited(receive), answer)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            metrics.ANSWERS.note(self._service, route, status, time.perf_counter() - began)

    def _limited(self, receive: Receive) -> Receive:
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._body_limit:
                raise too_large(self._body_limit)
            return message

        return limited

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        await problem.response()(scope, receive, send)


def too_large(limit: int) -> Problem:
    """413."""
    return Problem(413, "body_too_large", f"The body may have at most {limit} bytes.")


def header(scope: dict[str, Any], name: bytes) -> str | None:
    """A request header's value, or None."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None
