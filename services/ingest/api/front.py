"""What stands before the application: the hot routes, and CORS on every path."""

from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jornada.web.documents import error
from services.ingest.api.collect import PATHS, Collect

_LONGEST = 4_096
_ALLOWED = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"retry-after, traceparent"),
]


class Front:
    """Pure ASGI: hot paths go to the collector, the rest to the application; browsers may read every answer."""

    def __init__(self, app: ASGIApp, collect: Collect) -> None:
        self._app = app
        self._collect = collect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def shared(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_ALLOWED]
            await send(message)

        path = scope["path"].removesuffix("/")
        if scope["method"] == "OPTIONS":
            await _preflight(scope, shared)
        elif path in PATHS:
            await self._collect(path, scope, receive, shared)
        else:
            await self._app(scope, receive, shared)


async def _preflight(scope: Scope, send: Send) -> None:
    """Allows what the browser asks for: SDKs add headers of their own, on re-sends yet others."""
    asked = next((value for name, value in scope["headers"] if name == b"access-control-request-headers"), b"")
    headers = [
        (b"access-control-allow-methods", b"GET, POST, PUT, DELETE, OPTIONS"),
        (b"access-control-allow-headers", asked[:_LONGEST] or b"authorization, content-type"),
        (b"access-control-max-age", b"7200"),
        (b"vary", b"access-control-request-headers"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def documented(app: FastAPI) -> None:
    """Puts the hot routes into the application's OpenAPI, which does not know them otherwise."""
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        document = generated()
        if "/v1/batch" not in document["paths"]:
            document["paths"].update({path: {"post": _operation(path)} for path in PATHS})
            document.setdefault("components", {}).setdefault("securitySchemes", {})["writeKey"] = {
                "type": "http",
                "scheme": "basic",
                "description": "The write key as user name, no password. Also Bearer, `X-Write-Key`, or `writeKey`.",
            }
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _operation(path: str) -> dict[str, Any]:
    call = PATHS[path]
    example: dict[str, Any] = {"userId": "42", "messageId": "m-1", "timestamp": "2026-01-31T12:00:00.000Z"}
    if call is None:
        body: dict[str, Any] = {"batch": [{"type": "track", "event": "Report Exported", **example}]}
    else:
        body = example | _FIELDS.get(call, {})
    result = {"message_id": "m-1", "status": "accepted"}
    return {
        "tags": ["events"],
        "operationId": path.removeprefix("/v1/"),
        "summary": f"Takes a {call} call." if call else "Takes a batch of calls.",
        "description": "In Segment's dialect. 200 once every event is durable, or kept with why it was refused.",
        "security": [{"writeKey": []}],
        "requestBody": {"required": True, **_json(body)},
        "responses": {
            "200": {"description": "One result an event.", **_json({"success": True, "results": [result]})},
            **{status: error(code, why) for status, (code, why) in _ERRORS.items()},
        },
    }


def _json(example: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"type": "object"}, "example": example}}}


_FIELDS: dict[str, dict[str, Any]] = {
    "identify": {"traits": {"plan": "pro"}},
    "track": {"event": "Report Exported"},
    "group": {"groupId": "acme"},
    "alias": {"previousId": "a-1"},
}
_ERRORS = {
    "400": ("not_json", "The body cannot be read."),
    "401": ("invalid_write_key", "The write key is unknown or revoked."),
    "408": ("body_too_slow", "The body did not arrive within 10 s."),
    "413": ("body_too_large", "Over 500 KB or 2,500 events."),
    "429": ("rate_limited", "The write key sends too much; send again after `Retry-After` seconds."),
    "503": ("unavailable", "Nothing was acknowledged; send again after `Retry-After` seconds."),
}
