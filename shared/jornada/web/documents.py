"""What `/openapi.json` says beyond what FastAPI knows: every error as it is answered, and examples."""

from typing import Any

from fastapi import FastAPI

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "message"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "For programs."},
        "message": {"type": "string", "description": "For people."},
    },
}


def example(document: object, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: what its answer looks like."""
    return {status: {"content": {"application/json": {"example": document}}}}


def error(code: str, why: str) -> dict[str, Any]:
    """A response of OpenAPI: a problem document with this code."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": why, "content": {"application/problem+json": {"schema": schema, "example": {"code": code}}}}


def refusals(*codes: tuple[int, str, str]) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: statuses of its own, each with its code and why."""
    return {status: error(code, why) for status, code, why in codes}


def describe(app: FastAPI) -> None:
    """Completes the document that the application makes of itself."""
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        document = generated()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            schemas["Problem"] = _PROBLEM
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    _complete(path, operation)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(path: str, operation: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]  # what FastAPI says of each: with us it is a 400
    if "health" in operation.get("tags", ()):
        return
    for status, code, why in _errors(path, operation):
        responses.setdefault(str(status), error(code, why))


def _errors(path: str, operation: dict[str, Any]) -> list[tuple[int, str, str]]:
    found = [(503, "unavailable", "A part cannot be reached; again after `Retry-After` seconds.")]
    if operation.get("security"):
        found += [(401, "unauthorized", "No valid token."), (403, "forbidden", "The token lacks a scope.")]
    if operation.get("parameters") or "requestBody" in operation:
        found += [(400, "invalid", "Something in the request is wrong; `message` says what.")]
    if "{" in path:
        found += [(404, "not_found", "There is no such thing.")]
    if "requestBody" in operation:
        found += [(408, "body_too_slow", "The body took over 10 s."), (413, "body_too_large", "The body is too large.")]
    return found
