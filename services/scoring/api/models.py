"""Churn models: the one that serves, what it is told, and those that are registered."""

from typing import Any

import msgspec
from fastapi import Depends, FastAPI
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.db import Database
from jornada.web import Gate, Limit, documents
from jornada.web.app import answer
from jornada.web.pages import cursor_at, instant_after
from services.scoring.domain.features import FEATURES, SCHEMA
from services.scoring.domain.ladder import LEVEL_ONE, refused
from services.scoring.store import facts, models
from services.scoring.store.models import Registered

_BUILT_IN = {
    "id": None,
    "level": LEVEL_ONE.level,
    "name": LEVEL_ONE.name,
    "built_in": True,
    "schema": SCHEMA,
    "passed_over_because": None,
}
_EXAMPLE = {
    "serving": LEVEL_ONE.name,
    "features": [each._asdict() for each in FEATURES[:2]],
    "items": [_BUILT_IN],
    "next": None,
}


def serve(app: FastAPI, gate: Gate, database: Database) -> None:
    """Adds the route."""

    @app.get("/v1/models", tags=["models"], responses=documents.example(_EXAMPLE))
    async def listed(
        principal: Principal = Depends(gate.needs("read")), limit: Limit = 100, cursor: str | None = None
    ) -> Response:
        """Which churn model serves, the features that it is told, and all models: the built-in one, then the newest.

        The built-in one of level 1 is made from health and silence, needs no training, and serves wherever no champion
        can. A champion that this release cannot serve is passed over, and `passed_over_because` says why.
        """
        workspace, after = principal.workspace, instant_after(cursor)
        async with database.transaction([workspace]) as connection:
            force = (await facts.in_force(connection, [workspace]))[workspace]
            found = await models.registered(connection, workspace, limit + 1, after)
        items = [_BUILT_IN] if after is None else []
        last = found[limit - 1] if len(found) > limit else None
        return answer(
            {
                "serving": force.model.name,
                "features": [each._asdict() for each in FEATURES],
                "items": items + [_face(each) for each in found[:limit]],
                "next": None if last is None else cursor_at(last.created_at, last.id),
            }
        )


def _face(model: Registered) -> dict[str, Any]:
    said = model._asdict() | {
        "metrics": msgspec.Raw(model.metrics.encode()),
        "calibrator": None if model.calibrator is None else msgspec.Raw(model.calibrator.encode()),
    }
    return said | {"built_in": False, "passed_over_because": refused(model.level, model.schema)}
