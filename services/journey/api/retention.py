"""For how long a workspace's touchpoints are kept."""

from datetime import datetime
from typing import Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.web import Gate
from jornada.web.app import answer
from services.journey.domain.retention import LONGEST_DAYS, SHORTEST_DAYS, horizon
from services.journey.store import retention
from services.journey.store.retention import Retention

_LOOKED_AT = 200_000


class Wanted(BaseModel):
    """For how many days touchpoints are kept, counted from when they occurred; `null` is for ever."""

    model_config = ConfigDict(extra="forbid")

    days: int | None = Field(ge=SHORTEST_DAYS, le=LONGEST_DAYS, examples=[730])


def serve(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    """Adds the routes."""

    @app.get("/v1/touchpoints/retention", tags=["retention"])
    async def shown(principal: Principal = Depends(gate.needs("read"))) -> Response:
        """For how many days touchpoints are kept, who said so and when; `null` is for ever.

        What occurred before `before` is not kept; all of it is gone where `passed_until` has come as far.
        """
        async with database.transaction([principal.workspace]) as connection:
            said = await retention.read(connection, principal.workspace)
        return answer(_document(said, clock.now()))

    @app.put("/v1/touchpoints/retention", tags=["retention"])
    async def wanted(
        given: Wanted, principal: Principal = Depends(gate.needs("admin")), dry_run: bool = False
    ) -> Response:
        """Has touchpoints be kept for so many days. Older ones go for ever, and journeys are told without them.

        `dry_run` only says how many touchpoints would go now, and of how many customers; `more` where these are not
        all, as at most 200,000 touchpoints are looked at.
        """
        workspace, now = principal.workspace, clock.now()
        async with database.transaction([workspace]) as connection:
            if dry_run:
                before = None if given.days is None else horizon(now, given.days)
                found = await retention.concerned(connection, workspace, before, _LOOKED_AT)
                return answer({"dry_run": True, "days": given.days, "before": before, **found._asdict()})
            await retention.write(connection, workspace, given.days, principal.token_id, now)
            return answer(_document(await retention.read(connection, workspace), now))


def _document(said: Retention | None, now: datetime) -> dict[str, Any]:
    if said is None:
        return {"days": None, "before": None, "passed_until": None, "set_at": None, "set_by": None}
    return {
        "days": said.days,
        "before": None if said.days is None else horizon(now, said.days),
        "passed_until": said.passed_until,
        "set_at": said.set_at,
        "set_by": said.set_by,
    }
