"""What stands before the application: the hot routes, and CORS on every path."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jornada.web import Answer, Exchange, Fields, Head
from services.ingest.api.collect import ALLOWED, NOT_ALLOWED, READERS, Collect, counted

_LONGEST = 4_096
_PATHS = {path.encode(): path for path in READERS}


class Front:
    """Pure ASGI: hot paths go to the collector, the rest to the application; browsers may read every answer."""

    def __init__(self, app: ASGIApp, collect: Collect) -> None:
        self._app = app
        self._collect = collect

    def begin(self, method: bytes, target: bytes, head: Head) -> Exchange | Answer | None:
        """A POST on a hot path, for servers that pass it on without ASGI; None for any other request."""
        path = _PATHS.get(target) or target.partition(b"?")[0].decode("latin-1").removesuffix("/")
        return self._collect.begin(path, head) if method == b"POST" and path in READERS else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removesuffix("/")
        if scope["method"] == "OPTIONS":
            await _preflight(scope, send)
        elif path in READERS:
            is_post = scope["method"] == "POST"
            begun = self._collect.begin(path, Fields(scope["headers"])) if is_post else counted(path, NOT_ALLOWED)
            answer = begun if isinstance(begun, Answer) else await _exchanged(begun, receive)
            if answer is not None:
                headers = [*answer.headers, *answer.own, (b"content-length", b"%d" % len(answer.body))]
                await send({"type": "http.response.start", "status": answer.status, "headers": headers})
                await send({"type": "http.response.body", "body": answer.body})
        else:
            await self._app(scope, receive, _shared(send))


async def _exchanged(exchange: Exchange, receive: Receive) -> Answer | None:
    """The exchange by way of ASGI; None where the sender has gone before the end of its body."""
    try:
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return None
            answer = exchange.take(message.get("body", b""))
            if answer is not None:
                return answer
            more = message.get("more_body", False)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        rest = exchange.answer(lambda answer: None if answered.cancelled() else answered.set_result(answer))
        if rest is not None:
            await rest
        return await answered
    finally:
        exchange.end()


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
