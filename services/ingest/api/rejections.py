"""What was refused, and why, for those who sent it."""

from typing import Annotated

from fastapi import Depends, FastAPI, Query
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.web import Gate, Limit, cursor_of, number_after
from jornada.web.app import answer
from jornada.web.documents import example
from jornada.web.pages import page
from services.ingest.api import examples
from services.ingest.api.sources import checked_name
from services.ingest.store import Numbered, Rejections, Wanted

Code = Annotated[str | None, Query(pattern=r"^[a-z0-9_]{1,64}$", description="Only what was refused with this code.")]


def serve_rejections(app: FastAPI, gate: Gate, rejections: Rejections) -> None:
    """Adds the route."""

    @app.get("/v1/rejections", tags=["rejections"], responses=example(examples.page_of(examples.REJECTION)))
    async def listed(
        principal: Principal = Depends(gate.needs("read")),
        after: str | None = None,
        source: str | None = None,
        code: Code = None,
        limit: Limit = 100,
    ) -> Response:
        """Refused events in the order in which they were stored; each one's `cursor` asks for what came `after` it.

        The event itself, `payload`, is shown to tokens of the scope `payloads`.
        """
        wanted = Wanted(number_after(after), None if source is None else checked_name(source), code, limit + 1)
        found = await rejections.page(principal.workspace, wanted)
        payloads = "payloads" in principal.scopes
        items = [_document(each, payloads) for each in found[:limit]]
        return answer(page(items, cursor_of(found[limit - 1].number) if len(found) > limit else None))


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
