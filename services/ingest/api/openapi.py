"""What the application's OpenAPI says of the hot routes, which it does not know by itself."""

from typing import Any

from fastapi import FastAPI

from jornada.web.documents import error
from services.ingest.api.collect import PATHS, READERS


def documented(app: FastAPI) -> None:
    """Puts the hot routes into the application's OpenAPI."""
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        document = generated()
        if "/v1/batch" not in document["paths"]:
            document["paths"].update({path: {"post": _operation(path)} for path in READERS})
            document.setdefault("components", {}).setdefault("securitySchemes", {})["writeKey"] = {
                "type": "http",
                "scheme": "basic",
                "description": "The write key as user name, no password. Also Bearer, `X-Write-Key`, or `writeKey`.",
            }
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _operation(path: str) -> dict[str, Any]:
    summary, examples = _asked(path)
    return {
        "tags": ["events"],
        "operationId": path.removeprefix("/v1/"),
        "summary": summary,
        "description": "200 once every event is durable, or kept with why it was refused.",
        "security": [{"writeKey": []}],
        **({"parameters": _HEADERS} if path == "/v1/cloudevents" else {}),
        "requestBody": {"required": True, "content": {kind: _example(body) for kind, body in examples.items()}},
        "responses": {
            "200": {"description": "One result an event.", **_json({"success": True, "results": [_RESULT]})},
            **{status: error(code, why) for status, (code, why) in _ERRORS.items()},
        },
    }


def _asked(path: str) -> tuple[str, dict[str, Any]]:
    """What a path takes, in a line, and an example for each media type."""
    if path == "/v1/cloudevents":
        return "Takes CloudEvents 1.0 in binary, structured or batched mode.", _CLOUDEVENTS
    if path == "/v1/events":
        return "Takes one event that names its type, or an array of them.", {"application/json": [_TRACK]}
    call = PATHS[path]
    if call is None:
        return "Takes a batch of calls.", {"application/json": {"batch": [_TRACK]}}
    return f"Takes a {call} call.", {"application/json": _CALL | _FIELDS.get(call, {})}


def _json(example: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": _example(example)}}


def _example(example: Any) -> dict[str, Any]:
    return {"schema": {"type": "array" if isinstance(example, list) else "object"}, "example": example}


_RESULT = {"message_id": "m-1", "status": "accepted"}
_CALL = {"userId": "42", "messageId": "m-1", "timestamp": "2026-01-31T12:00:00.000Z"}
_TRACK = {"type": "track", "event": "Report Exported", **_CALL}
_CLOUDEVENT = {
    "specversion": "1.0",
    "id": "m-1",
    "source": "/reports",
    "type": "com.example.report.exported",
    "subject": "user_id:42",
    "time": "2026-01-31T12:00:00.000Z",
    "data": {"rows": 12},
}
_HEADERS = [
    {
        "name": f"ce-{name}",
        "in": "header",
        "required": False,
        "description": "In binary mode, percent-encoded.",
        "schema": {"type": "string"},
        "example": value,
    }
    for name, value in _CLOUDEVENT.items()
    if isinstance(value, str)
]
_CLOUDEVENTS: dict[str, Any] = {
    "application/cloudevents+json": _CLOUDEVENT,
    "application/cloudevents-batch+json": [_CLOUDEVENT],
    "application/json": {"rows": 12},
}
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
