"""What each source sends, by kind and hour."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.instants import instant, micros
from jornada.web import Gate, Limit, Problem, cursor_of, position_of
from jornada.web import documents as described
from jornada.web.app import answer
from jornada.web.pages import page
from services.journey.api import documents
from services.journey.api.customers import clean
from services.journey.domain.feeding import fed_by
from services.journey.store import in_force, volumes
from services.journey.store.volumes import Place, Wanted

Since = Annotated[datetime | None, Query(description="Hours that begin then or later; all that is kept by default.")]
Until = Annotated[datetime | None, Query(description="Hours that begin before; now by default.")]

_EXAMPLE = {
    "items": [
        {
            "source": "app",
            "kind": "feature_used",
            "hour": "2026-03-02T14:00:00Z",
            "touchpoints": 1204,
            "customers": 311,
            "last_received_at": "2026-03-02T14:59:58.120000Z",
            "measures": ["use"],
        }
    ],
    "next": None,
}


def serve(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    """Adds the routes."""

    @app.get("/v1/volumes", tags=["volumes"], responses=described.example(_EXAMPLE))
    async def listed(
        principal: Principal = Depends(gate.needs("read", sisters=True)),
        limit: Limit = 100,
        cursor: str | None = None,
        since: Since = None,
        until: Until = None,
        source: str | None = None,
        kind: str | None = None,
    ) -> Response:
        """How many touchpoints arrived from each source, of each kind, in each hour (UTC) in which any did.

        `customers` is about how many customers they are: exact to one or two for a dozen, within a tenth for many.
        `measures` are those of a journey that such a touchpoint changes by what holds now.
        History that was sent later and what we sent ourselves is not counted; kinds are as told on arrival. Kept for
        five weeks. By hour, source and kind; the running hour still grows, and so does one that is not yet folded.
        """
        now = clock.now()
        begin = None if since is None else documents.instant(since, now, "since")
        wanted = Wanted(begin, documents.instant(until, now, "until"), _clean(source), _clean(kind))
        async with database.transaction([principal.workspace]) as connection:
            found = await volumes.listed(connection, principal.workspace, wanted, limit + 1, _after(cursor))
            force = await in_force.read(connection, principal.workspace)
        fed = {kind: fed_by(kind, force.vocabulary, force.rules) for kind in {each.kind for each in found}}
        last = found[limit - 1] if len(found) > limit else None
        following = None if last is None else cursor_of(micros(last.hour), last.source, last.kind)
        return answer(page([each._asdict() | {"measures": fed[each.kind]} for each in found[:limit]], following))


def _clean(name: str | None) -> str | None:
    return None if name is None else clean(name)


def _after(cursor: str | None) -> Place | None:
    match position_of(cursor) if cursor else None:
        case None:
            return None
        case [int(us), str(source), str(kind)] if abs(us) < 1 << 56:
            return instant(us), clean(source), clean(kind)
    raise Problem(400, "invalid_cursor", "The cursor is not one of ours.")
