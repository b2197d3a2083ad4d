"""What was refused, and why, for those who sent it."""

from fastapi import Depends, FastAPI
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.web import Gate, Limit, Problem, cursor_of, position_of
from jornada.web.app import answer
from jornada.web.pages import page
from services.ingest.store import Numbered, Rejections


def serve_rejections(app: FastAPI, gate: Gate, rejections: Rejections) -> None:
    """Adds the route."""

    @app.get("/v1/rejections", tags=["rejections"])
    async def listed(
        principal: Principal = Depends(gate.needs("read")), after: str | None = None, limit: Limit = 100
    ) -> Response:
        """Refused events in the order in which they were stored; each one's `cursor` asks for what came `after` it."""
        found = await rejections.page(principal.workspace, _number(after), limit + 1)
        payloads = "payloads" in principal.scopes
        items = [_document(each, payloads) for each in found[:limit]]
        return answer(page(items, cursor_of(found[limit - 1].number) if len(found) > limit else None))


def _number(after: str | None) -> int:
    if not after:
        return 0
    number = position_of(after)[0]
    if type(number) is not int or not 0 <= number < 2**63:
        raise Problem(400, "invalid_cursor", "The cursor is not one of ours.")
    return number


def _document(each: Numbered, payloads: bool) -> dict[str, object]:
    rejection = each.rejection
    document: dict[str, object] = {
        "id": rejection.id,
        "cursor": cursor_of(each.number),
        "source": rejection.source,
        "received_at": rejection.received_at,
        "code": rejection.code,
        "message": rejection.message,
        "message_id": rejection.message_id,
        "event": rejection.event,
    }
    return document | ({"payload": rejection.payload} if payloads else {})
