"""Every subject's snapshot, for training and for whoever starts late."""

from fastapi import Depends, FastAPI
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.db import Database
from jornada.web import Gate, Limit, Problem, cursor_of, id_after
from services.journey.store import portraits


class Lines(Response):
    """One JSON document a line."""

    media_type = "application/x-ndjson"


def serve(app: FastAPI, gate: Gate, database: Database) -> None:
    """Adds the route."""

    @app.get("/v1/snapshots", tags=["snapshots"], response_class=Lines)
    async def snapshots(
        principal: Principal = Depends(gate.needs("read")),
        limit: Limit = 1_000,
        cursor: str | None = None,
        at: str | None = None,
    ) -> Response:
        """Snapshots as published, one a line, by id; the header `Next-Cursor` leads on while there is more."""
        if at is not None:
            raise Problem(400, "at_unsupported", "Snapshots are told as they are now; leave `at` out.")
        async with database.transaction([principal.workspace]) as connection:
            found = await portraits.stored(connection, principal.workspace, limit + 1, id_after(cursor))
        lines = b"".join(snapshot + b"\n" for _, snapshot in found[:limit])
        headers = {"Next-Cursor": cursor_of(str(found[limit - 1][0]))} if len(found) > limit else None
        return Lines(lines, headers=headers)
