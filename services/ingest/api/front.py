"""What stands before the application: the hot routes, and CORS on every path."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jornada.web import Answer, Headers
from services.ingest.api.collect import ALLOWED, READERS, Collect

_LONGEST = 4_096


class Front:
    """Pure ASGI: hot paths go to the collector, the rest to the application; browsers may read every answer."""

    def __init__(self, app: ASGIApp, collect: Collect) -> None:
        self._app = app
        self._collect = collect

    def door(self, method: bytes, target: bytes, headers: Headers) -> Answer | None:
        """The answer to a request that is not to be begun at all."""
        path = target.partition(b"?")[0].decode("latin-1").removesuffix("/")
        return self._collect.refusal(path, headers) if method == b"POST" and path in READERS else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removesuffix("/")
        if scope["method"] == "OPTIONS":
            await _preflight(scope, send)
        elif path in READERS:
            await self._collect(path, scope, receive, send)
        else:
            await self._app(scope, receive, _shared(send))


def _shared(send: Send) -> Send:
    async def shared(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *ALLOWED]
        await send(message)

    return shared


async def _preflight(scope: Scope, send: Send) -> None:
    """Allows what the browser asks for: SDKs add headers of their own, on re-sends yet others."""
    asked = next((value for name, value in scope["headers"] if name == b"access-control-request-headers"), b"")
    headers = [
        *ALLOWED,
        (b"access-control-allow-methods", b"GET, POST, PUT, DELETE, OPTIONS"),
        (b"access-control-allow-headers", asked[:_LONGEST] or b"authorization, content-type"),
        (b"access-control-max-age", b"7200"),
        (b"vary", b"access-control-request-headers"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
