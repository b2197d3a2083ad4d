"""Replays: a workspace told again from its stored touchpoints."""

from typing import Any
from uuid import UUID

from fastapi import Depends, FastAPI
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.events import new_id
from jornada.web import Gate, Limit, Problem, cursor_of, documents, id_after
from jornada.web.app import answer
from jornada.web.pages import page
from services.journey.api.customers import unknown
from services.journey.store import replays
from services.journey.store.replays import STEPS, Replay

_RUNNING = (409, "replay_running", "Another replay of the workspace runs; one at a time.")
_ENDED = (409, "replay_ended", "It has ended.")


def serve(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    """Adds the routes."""

    @app.post("/v1/replays", tags=["replays"], status_code=202, responses=documents.refusals(_RUNNING))
    async def begun(principal: Principal = Depends(gate.needs("admin"))) -> Response:
        """Begins to judge and fold everything anew from the stored touchpoints, while live events go on being folded.

        What is right stays as it is; whose journey comes out otherwise is published. 409 `replay_running` if one runs.
        """
        async with database.transaction([principal.workspace]) as connection:
            replay = await replays.begin(connection, principal.workspace, new_id(), clock.now(), principal.token_id)
        if replay is None:
            raise Problem(*_RUNNING)
        return answer(_document(replay), 202)

    @app.get("/v1/replays", tags=["replays"])
    async def listed(
        principal: Principal = Depends(gate.needs("read")), limit: Limit = 100, cursor: str | None = None
    ) -> Response:
        """All there were, the newest first."""
        async with database.transaction([principal.workspace]) as connection:
            found = await replays.listed(connection, principal.workspace, limit + 1, id_after(cursor))
        following = cursor_of(str(found[limit - 1].id)) if len(found) > limit else None
        return answer(page([_document(each) for each in found[:limit]], following))

    @app.get("/v1/replays/{id}", tags=["replays"])
    async def one(id: UUID, principal: Principal = Depends(gate.needs("read"))) -> Response:
        """How far one is, and what it found so far.

        `compared` subjects are `equal` to what was stored, or `changed` and published anew; of what is `mended`, stored
        but wrong, nobody need hear. What alone took too long is named in `failed`, by its step and its key there (`at`:
        of a customer or an account its id), and left as it was; with a hundred of them the replay fails.
        """
        async with database.transaction([principal.workspace]) as connection:
            replay = await replays.one(connection, principal.workspace, id)
        if replay is None:
            raise unknown("replay")
        return answer(_document(replay))

    @app.post("/v1/replays/{id}/cancel", tags=["replays"], responses=documents.refusals(_ENDED))
    async def cancelled(id: UUID, principal: Principal = Depends(gate.needs("admin"))) -> Response:
        """Ends one where it is. What it set right stays right; nothing is half done."""
        async with database.transaction([principal.workspace]) as connection:
            ended = await replays.end(connection, principal.workspace, id, "cancelled", clock.now())
            replay = await replays.one(connection, principal.workspace, id)
        if replay is None:
            raise unknown("replay")
        if not ended:
            raise Problem(*_ENDED)
        return answer(_document(replay))


def _document(replay: Replay) -> dict[str, Any]:
    return {
        "id": replay.id,
        "status": replay.status,
        "error": replay.error,
        "step": replay.step,
        "steps": STEPS,
        "subjects": replay.subjects,
        **replay.counts._asdict(),
        "failed": [each._asdict() for each in replay.failed],
        "asked_at": replay.asked_at,
        "asked_by": replay.asked_by,
        "ended_at": replay.ended_at,
    }
