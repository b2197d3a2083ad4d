"""All that journey holds of one customer, streamed: one JSON document a line."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from fastapi import Depends, FastAPI
from starlette.responses import Response, StreamingResponse

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.events import SubjectId, WorkspaceId
from jornada.instants import instant
from jornada.web import Gate
from jornada.web import documents as web_documents
from services.journey.api import documents
from services.journey.api.customers import AMBIGUOUS, customer_named, unknown
from services.journey.api.snapshots import Lines
from services.journey.domain.reading import Moment
from services.journey.domain.sessions import Session
from services.journey.store import paths, portraits, sessions
from services.journey.store.paths import Path

AT_ONCE = 500


def serve(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    """Adds the route."""

    @app.get(
        "/v1/customers/{ref}/export",
        tags=["customers"],
        response_class=Lines,
        responses=web_documents.refusals(AMBIGUOUS),
    )
    async def exported(ref: str, principal: Principal = Depends(gate.needs("read"))) -> Response:
        """All that is held of a customer here; `line` tells what each document is.

        `customer` (with identifiers, traits, measures), then each `session`, oldest first, each `touchpoint` with its
        event as it was accepted, newest first, and `end` with their numbers: without it the stream was cut off.
        Scores are scoring's to tell, decisions and messages notify's; `jornada export` asks all three.
        """
        async with database.transaction([principal.workspace]) as connection:
            id_ = await customer_named(connection, principal.workspace, ref)
            found = await portraits.customer(connection, principal.workspace, id_, clock.now(), past=False)
        if found is None:
            raise unknown("customer")
        first = documents.journey(found)
        return StreamingResponse(_lines(database, principal.workspace, id_, first), media_type=Lines.media_type)


async def _lines(
    database: Database, workspace: WorkspaceId, id_: SubjectId, customer: Mapping[str, Any]
) -> AsyncIterator[bytes]:
    """Page by page, each in a transaction of its own: no more than a page is ever held."""
    yield _line("customer", customer)
    told, after = 0, None
    while page := await _sessions(database, workspace, id_, after):
        for each in page:
            yield _line("session", _session(each))
        told, after = told + len(page), page[-1].started
    touchpoints, before, more = 0, None, True
    while more:
        path = await _path(database, workspace, id_, before)
        for step in path.steps:
            yield _line("touchpoint", documents.whole(*step))
        touchpoints, before, more = touchpoints + len(path.steps), path.next, path.next is not None
    yield _line("end", {"sessions": told, "touchpoints": touchpoints})


async def _sessions(database: Database, workspace: WorkspaceId, id_: SubjectId, after: int | None) -> list[Session]:
    async with database.transaction([workspace]) as connection:
        return await sessions.page(connection, workspace, id_, after, AT_ONCE)


async def _path(database: Database, workspace: WorkspaceId, id_: SubjectId, before: Moment | None) -> paths.Page:
    async with database.transaction([workspace]) as connection:
        return await paths.page(connection, workspace, id_, Path(AT_ONCE, before=before))


def _session(session: Session) -> dict[str, Any]:
    return {
        "session_id": session.id,
        "started_at": instant(session.started),
        "ended_at": instant(session.ended),
        "touchpoints": session.touchpoints,
    }


def _line(name: str, document: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({"line": name, **document}) + b"\n"
