"""Notices: what operators are told of a workspace, beside alerts about its customers."""

from uuid import UUID

from fastapi import Depends, FastAPI
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.web import Gate, Limit, Problem, documents
from jornada.web.app import answer
from jornada.web.pages import page
from services.scoring.api.faces import import_face, notice_face
from services.scoring.store import freezes, imports

_EXAMPLE = {
    "items": [
        {
            "id": "6f0f1d2c-54b4-5b8e-9b3c-2f6f8d1f2a10",
            "notice": "tracker_silent",
            "source": "app",
            "kind": "feature_used",
            "since": "2026-03-02T14:00:00.000000Z",
            "until": None,
            "standing": True,
            "ended_because": None,
            "last_seen_at": "2026-03-02T14:00:00.000000Z",
            "expected_customers": 400,
            "frozen": ["adoption"],
            "recorded_at": "2026-03-02T17:01:04.000000Z",
            "text": {
                "en": "next to nothing of feature_used from app since 14:00 UTC on 2 Mar 2026, of some 400 customers "
                "an hour: health is frozen, nobody is alerted"
            },
        }
    ],
    "next": None,
}
_OVER = (409, "over", "It is over already.")


def serve(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    """Adds the routes."""

    @app.get("/v1/notices", tags=["notices"], responses=documents.example(_EXAMPLE))
    async def listed(principal: Principal = Depends(gate.needs("read")), limit: Limit = 100) -> Response:
        """What sources have ceased to send, so that what it feeds is frozen, and imports: what stands first.

        `expected_customers` is how many an hour it used to come from, `frozen` the components that are unknown while
        it stands; none where it matters little to any, or comes under another name. `ended_because`: `repaired`,
        `gone` by somebody's word, or `old`. Of an import (`notice`: `import`) `bands` says how the customers stood
        whose past it was, and `untold` how many subjects stood worse by it, which nobody was alerted of.
        """
        async with database.transaction([principal.workspace]) as connection:
            silent = await freezes.newest(connection, principal.workspace, limit)
            past = await imports.newest(connection, principal.workspace, limit)
        found = [*map(notice_face, silent), *map(import_face, past)]
        newest = sorted(found, key=lambda each: str(each["since"]), reverse=True)
        return answer(page(sorted(newest, key=lambda each: not each["standing"])[:limit], None))

    @app.post("/v1/notices/{id}/gone", tags=["notices"], responses=documents.refusals(_OVER))
    async def gone(id: UUID, principal: Principal = Depends(gate.needs("write"))) -> Response:
        """Says that what the notice tells of will not come again, as its source is gone: nothing waits for it any more.

        What it froze is scored as it is, silence from now on. 409 `over` where it had ended.
        """
        async with database.transaction([principal.workspace]) as connection:
            ended = await freezes.gone(connection, principal.workspace, id, clock.now(), principal.token_id)
            found = await freezes.one(connection, principal.workspace, id)
        if found is None:
            raise Problem(404, "not_found", "No such notice.")
        if not ended:
            raise Problem(*_OVER)
        return answer(notice_face(found))
