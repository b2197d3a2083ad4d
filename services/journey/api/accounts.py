"""Accounts: one, and lists."""

from fastapi import Depends, FastAPI
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.web import Gate, Limit, cursor_of, id_after
from jornada.web.app import answer
from jornada.web.pages import page
from services.journey.api import documents
from services.journey.api.customers import account_named, unknown
from services.journey.api.documents import AsOf
from services.journey.store import portraits
from services.journey.store.portraits import Filter


def serve(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    """Adds the routes."""

    @app.get("/v1/accounts", tags=["accounts"])
    async def listed(
        principal: Principal = Depends(gate.needs("read")),
        limit: Limit = 100,
        cursor: str | None = None,
        stage: str | None = None,
        q: str | None = None,
        as_of: AsOf = None,
    ) -> Response:
        """Accounts by id; `q` is a part of a name or identifier."""
        documents.refuse_as_of(as_of)
        async with database.transaction([principal.workspace]) as connection:
            wanted = Filter("account", stage, None, q)
            found = await portraits.listed(connection, principal.workspace, wanted, limit + 1, id_after(cursor))
        following = cursor_of(str(found[limit - 1].subject_id)) if len(found) > limit else None
        return answer(page([documents.item(each) for each in found[:limit]], following))

    @app.get("/v1/accounts/{ref}", tags=["accounts"])
    async def one(ref: str, principal: Principal = Depends(gate.needs("read")), as_of: AsOf = None) -> Response:
        """An account's journey as of an instant: its own, and what its people add."""
        at = documents.instant(as_of, clock.now())
        async with database.transaction([principal.workspace]) as connection:
            id_ = await account_named(connection, principal.workspace, ref)
            found = await portraits.account(connection, principal.workspace, id_, at, past=as_of is not None)
        if found is None:
            raise unknown("account")
        return answer(documents.journey(found))
