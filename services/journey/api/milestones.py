"""A workspace's own milestones: what they are, who has reached them and how fast, and what a change would do."""

from statistics import median_low
from typing import Any

import msgspec
from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.events import WorkspaceId
from jornada.instants import micros
from jornada.rules import Condition
from jornada.web import Gate, documents
from jornada.web.app import answer
from jornada.web.pages import page
from services.journey.api import conditions
from services.journey.api.sampling import Sample, sampled
from services.journey.domain.segments import Definition, judged
from services.journey.store import in_force, memberships
from services.journey.store.in_force import Written
from services.journey.store.memberships import Count


class Reached(BaseModel):
    """A condition, as docs/rules.md says: the milestone is reached at the first instant at which it is true."""

    when: dict[str, Any] = Field(examples=[{"days": "feature_used", "within": "14 days", "at_least": 3}])
    label: str | None = Field(default=None, min_length=1, max_length=200, examples=["Reports every week"])


def serve(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    """Adds the routes."""

    @app.get("/v1/milestones", tags=["milestones"])
    async def listed(principal: Principal = Depends(gate.needs("read"))) -> Response:
        """The workspace's own, by name, each with how many customers have reached it and after how many seconds.

        Those that ship stand beside them on every journey: `first_value`, `activation`, `trained`, `renewed`.
        """
        async with database.transaction([principal.workspace]) as connection:
            found = await in_force.conditions(connection, principal.workspace, "milestone")
            counts = await memberships.counts(connection, principal.workspace, "milestone")
        return answer(page([_document(each, counts.get(each.name, Count())) for each in found], None))

    @app.get("/v1/milestones/{name}", tags=["milestones"])
    async def one(name: str, principal: Principal = Depends(gate.needs("read"))) -> Response:
        """One of them. `median_seconds` is the middle one of the times from first seen to reaching it."""
        async with database.transaction([principal.workspace]) as connection:
            found = await in_force.conditions(connection, principal.workspace, "milestone")
            counts = await memberships.counts(connection, principal.workspace, "milestone")
        return answer(_document(conditions.named(found, "milestone", name), counts.get(name, Count())))

    @app.put("/v1/milestones/{name}", tags=["milestones"], responses=documents.refusals(conditions.FULL["milestone"]))
    async def defined(
        name: str, given: Reached, principal: Principal = Depends(gate.needs("write")), dry_run: bool = False
    ) -> Response:
        """Sets its condition; within seconds every customer has reached it at the first instant at which that was true.

        One of a shipped milestone's name stands in its place. 400 `invalid_condition` names every flaw in `errors`.
        `dry_run` only says how many would have reached it, who newly, no more, or at another instant.
        """
        workspace = principal.workspace
        if dry_run:
            async with database.transaction([workspace]) as connection:
                wanted = await conditions.condition(connection, workspace, name, given.when)
            return answer(await _would_change(database, clock, workspace, name, wanted))
        async with database.transaction([workspace]) as connection:
            saved = await conditions.saved(connection, workspace, "milestone", name, given.when, clock.now())
            await in_force.relabel(connection, workspace, "milestone", name, saved.version, given.label)
        return answer({"name": name, "label": given.label, "version": saved.version, "when": msgspec.Raw(saved.text)})

    @app.delete("/v1/milestones/{name}", tags=["milestones"])
    async def removed(
        name: str, principal: Principal = Depends(gate.needs("write")), dry_run: bool = False
    ) -> Response:
        """Takes it away: nobody has reached it. One in the place of a shipped milestone gives that its place back."""
        async with database.transaction([principal.workspace]) as connection:
            leaving = await conditions.removed(
                connection, principal.workspace, "milestone", name, clock.now(), dry_run=dry_run
            )
        return answer({"name": name, "dry_run": dry_run, "leaving": leaving})


def _document(each: Written, count: Count) -> dict[str, Any]:
    return {
        "name": each.name,
        "label": each.label,
        "when": msgspec.Raw(each.condition),
        "version": each.version,
        "set_at": each.set_at,
        "customers": count.customers,
        "median_seconds": count.median,
    }


async def _would_change(
    database: Database, clock: Clock, workspace: WorkspaceId, name: str, wanted: Condition
) -> dict[str, Any]:
    """Who would have reached it, told from stored touchpoints, and how many of them not before, no more, or then."""
    async with database.transaction([workspace]) as connection:
        force = await in_force.read(connection, workspace)
    definition, sample, now = Definition("milestone", name, wanted), Sample(), micros(clock.now())
    tried = msgspec.structs.replace(force, definitions=(definition,))
    waits: list[int] = []
    turns = {"entering": 0, "leaving": 0, "moving": 0}
    async for piece in sampled(database, workspace, force.vocabulary, sample):
        async with database.transaction([workspace]) as connection:
            before = await memberships.among(connection, workspace, "milestone", name, [each.id for each in piece])
        for each in piece:
            told = [reading for reading in each.readings if reading.account is None and not reading.ours]
            if each.type != "customer" or not told:
                continue
            stay, standing = judged(told, tried, now).get(definition.key), before.get(each.id)
            turns["entering"] += stay is not None and standing is None
            turns["leaving"] += stay is None and standing is not None
            if stay is not None:
                turns["moving"] += standing is not None and micros(standing) != stay[0]
                waits.append((stay[0] - min(reading.key[0] for reading in told)) // 1_000_000)
    return {
        "name": name,
        "dry_run": True,
        "customers": len(waits),
        **turns,
        "median_seconds": median_low(waits) if waits else None,
        **sample.told(),
    }
