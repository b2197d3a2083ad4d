"""Every subject's snapshot, for training and for whoever starts late."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, Query
from starlette.responses import Response, StreamingResponse

from jornada.access.grants import Principal
from jornada.db import Database
from jornada.events import SubjectId, SubjectType, WorkspaceId, encode
from jornada.web import Gate, Limit, cursor_of, id_after
from services.journey.api import documents
from services.journey.store import portraits

_PIECE = 20
_MOST_INSTANTS = 100
_TELL = {"customer": portraits.customer_through, "account": portraits.account_through}
_AT = Query(max_length=_MOST_INSTANTS, description="Instants of event time; as published by default.")


class Lines(StreamingResponse):
    """One JSON document a line."""

    media_type = "application/x-ndjson"


def serve(app: FastAPI, gate: Gate, database: Database) -> None:
    """Adds the route."""

    @app.get("/v1/snapshots", tags=["snapshots"], response_class=Lines)
    async def snapshots(
        principal: Principal = Depends(gate.needs("read")),
        limit: Limit = 1_000,
        cursor: str | None = None,
        at: Annotated[list[datetime] | None, _AT] = None,
        subject: Annotated[UUID | None, Query(description="Of this customer or account alone, by id.")] = None,
    ) -> Response:
        """Snapshots, one a line, by id; the header `Next-Cursor` leads on while there is more.

        As they were published last; or `at` one or more instants of event time, as each subject's own document is by
        `as_of`: all lines of a subject one after the other, in the order of the instants, with no lines for instants
        by which nothing of it counted yet.
        """
        until = [documents.instant(each, each, "at") for each in at or ()]
        async with database.transaction([principal.workspace]) as connection:
            if subject is None:
                found = await portraits.subjects_after(connection, principal.workspace, limit + 1, id_after(cursor))
            else:
                found = await portraits.subject(connection, principal.workspace, subject)
        headers = {"Next-Cursor": cursor_of(str(found[limit - 1][0]))} if len(found) > limit else None
        return Lines(_lines(database, principal.workspace, found[:limit], until), headers=headers)


async def _lines(
    database: Database,
    workspace: WorkspaceId,
    found: Sequence[tuple[SubjectId, SubjectType]],
    instants: Sequence[datetime],
) -> AsyncIterator[bytes]:
    """The lines of subjects, piece by piece; each piece is of one transaction."""
    step = max(_PIECE // max(len(instants), 1), 1)
    for start in range(0, len(found), step):
        piece = found[start : start + step]
        async with database.transaction([workspace]) as connection:
            if not instants:
                lines = await portraits.stored(connection, workspace, [id_ for id_, _ in piece])
            else:
                told = [await _TELL[type_](connection, workspace, id_, instants) for id_, type_ in piece]
                lines = [encode(snapshot) for each in told for snapshot in each if snapshot is not None]
        yield b"".join(line + b"\n" for line in lines)
