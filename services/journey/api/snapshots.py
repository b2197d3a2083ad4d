"""Every subject's snapshot, for training and for whoever starts late."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from starlette.responses import Response, StreamingResponse

from jornada.access.grants import Principal
from jornada.db import Database
from jornada.events import SubjectId, SubjectType, WorkspaceId, encode
from jornada.web import Gate, Limit, cursor_of, id_after
from services.journey.api import documents
from services.journey.store import portraits

_PIECE = 20
_TELL = {"customer": portraits.customer, "account": portraits.account}


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
        at: Annotated[datetime | None, Query(description="An instant of event time; as published by default.")] = None,
    ) -> Response:
        """Snapshots, one a line, by id; the header `Next-Cursor` leads on while there is more.

        As they were published last; or `at` an instant of event time, as each subject's own document is by `as_of`,
        with no lines for those of whom nothing counted yet.
        """
        async with database.transaction([principal.workspace]) as connection:
            found = await portraits.subjects_after(connection, principal.workspace, limit + 1, id_after(cursor))
        headers = {"Next-Cursor": cursor_of(str(found[limit - 1][0]))} if len(found) > limit else None
        until = None if at is None else documents.instant(at, at, "at")
        return Lines(_lines(database, principal.workspace, found[:limit], until), headers=headers)


async def _lines(
    database: Database, workspace: WorkspaceId, found: Sequence[tuple[SubjectId, SubjectType]], at: datetime | None
) -> AsyncIterator[bytes]:
    """The lines of subjects, piece by piece; each piece is of one transaction."""
    for start in range(0, len(found), _PIECE):
        piece = found[start : start + _PIECE]
        async with database.transaction([workspace]) as connection:
            if at is None:
                lines = await portraits.stored(connection, workspace, [id_ for id_, _ in piece])
            else:
                told = [await _TELL[type_](connection, workspace, id_, at, past=True) for id_, type_ in piece]
                lines = [encode(snapshot) for snapshot in told if snapshot is not None]
        yield b"".join(line + b"\n" for line in lines)
