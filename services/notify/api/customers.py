"""Why something was, or was not, sent to a customer, and what it said."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from fastapi import Depends, FastAPI, Response

from jornada.access.grants import Principal
from jornada.db import Connection, Database
from jornada.events import WorkspaceId
from jornada.web import Gate, Limit, Problem, cursor_of, id_after, parse_reference
from jornada.web.app import answer
from jornada.web.pages import page
from services.notify.store import decisions, subjects

_Read = Callable[[Connection, WorkspaceId, Sequence[UUID], int, UUID | None], Awaitable[list[dict[str, Any]]]]


def serve(app: FastAPI, gate: Gate, *, database: Database) -> None:
    """Adds the routes."""

    @app.get("/v1/customers/{ref}/decisions", tags=["customers"])
    async def decided(
        ref: str, principal: Principal = Depends(gate.needs("read")), limit: Limit = 100, cursor: str | None = None
    ) -> Response:
        """Every decision on a message to the customer, with its reason."""
        return answer(await _page(decisions.page, principal.workspace, ref, limit, cursor))

    @app.get("/v1/customers/{ref}/messages", tags=["customers"])
    async def written(
        ref: str, principal: Principal = Depends(gate.needs("read")), limit: Limit = 100, cursor: str | None = None
    ) -> Response:
        """Every message to the customer, as it was written."""
        return answer(await _page(decisions.messages, principal.workspace, ref, limit, cursor))

    async def _page(read: _Read, workspace: WorkspaceId, ref: str, limit: int, cursor: str | None) -> Any:
        reference = parse_reference(ref)
        async with database.transaction([workspace]) as connection:
            subject = await subjects.find(connection, workspace, reference)
            if subject is None:
                raise Problem(404, "not_found", "Nobody is known by that reference.")
            family = await subjects.family(connection, workspace, subject)
            found = await read(connection, workspace, family, limit + 1, id_after(cursor))
        return page(found[:limit], cursor_of(str(found[limit - 1]["id"])) if len(found) > limit else None)
