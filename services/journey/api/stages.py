"""The rules of a workspace's stages, and how many stand at each."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.events import WorkspaceId
from jornada.instants import instant
from jornada.web import Gate, Problem
from jornada.web.app import answer
from services.journey.domain import stages
from services.journey.domain.rules import DEFAULT, OWN, RULE_SETS, InvalidRules, RuleSet, own, proposed
from services.journey.domain.vocabulary import Vocabulary
from services.journey.store import in_force, portraits

_PIECE = 200
_LOOKED_AT = 500


class Choice(BaseModel):
    """The name of a rule set: `subscription`, `shop` or `app`; or `own`, which is one of them with parts replaced."""

    rules: str = Field(examples=["subscription"])
    base: str = Field(default=DEFAULT.name, description="With `own`: which one of them it begins from.")
    change: dict[str, Any] = Field(
        default={},
        description="With `own`: the parts that differ, by the names that GET shows.",
        examples=[{"active_days": 5, "at_risk_floor_days": 10}],
    )


def serve(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    """Adds the routes."""

    @app.get("/v1/stages", tags=["stages"])
    async def shown(principal: Principal = Depends(gate.needs("read"))) -> Response:
        """The rule set in force, the one that suits what the workspace sends, and those there are."""
        async with database.transaction([principal.workspace]) as connection:
            force = await in_force.read(connection, principal.workspace)
            seen = await portraits.kinds_seen(connection, principal.workspace, _LOOKED_AT)
        suited = proposed(seen).name if seen else None
        return answer(
            {"rules": force.rules.name, "proposed": suited, "in_force": force.rules, "sets": list(RULE_SETS.values())}
        )

    @app.put("/v1/stages", tags=["stages"])
    async def chosen(
        choice: Choice, principal: Principal = Depends(gate.needs("write")), dry_run: bool = False
    ) -> Response:
        """Chooses a rule set; every subject is told by it within seconds. `dry_run` only says how many would change."""
        async with database.transaction([principal.workspace]) as connection:
            if not dry_run:
                await in_force.hold(connection, principal.workspace)
            wanted = _chosen(choice, (await in_force.read(connection, principal.workspace)).vocabulary)
            if not dry_run:
                await in_force.choose(connection, principal.workspace, wanted)
        if dry_run:
            return answer(await _would_change(database, clock, principal.workspace, wanted))
        return answer({"rules": wanted.name})

    @app.get("/v1/stages/counts", tags=["stages"])
    async def counted(principal: Principal = Depends(gate.needs("read"))) -> Response:
        """How many customers and how many accounts stand at each stage."""
        async with database.transaction([principal.workspace]) as connection:
            return answer(await portraits.stage_counts(connection, principal.workspace))


def _chosen(choice: Choice, spoken: Vocabulary) -> RuleSet:
    base = RULE_SETS.get(choice.base if choice.rules == OWN else choice.rules)
    if base is None:
        raise Problem(
            400, "unknown_rules", f"The rule sets are {', '.join(RULE_SETS)}, and {OWN}, based on one of them."
        )
    if choice.rules != OWN:
        return base
    try:
        return own(base, choice.change, spoken.kinds())
    except InvalidRules as error:
        flaws = [{"at": f"/change/{name}", "message": why} for name, why in error.flaws]
        raise Problem(400, "invalid_rules", f"{flaws[0]['at']}: {flaws[0]['message']}", errors=flaws) from error


async def _would_change(database: Database, clock: Clock, workspace: WorkspaceId, wanted: RuleSet) -> dict[str, object]:
    counts: dict[str, Counter[str]] = {"customers": Counter(), "accounts": Counter()}
    changed, after = 0, UUID(int=0)
    while True:
        async with database.transaction([workspace]) as connection:
            found = await portraits.states(connection, workspace, _PIECE, after)
        for id_, type_, stage, state in found:
            last = state.last[0] if state.last is not None else 0
            now = max(clock.now(), instant(last))
            name = stages.history(stages.timeline(state, wanted), now)[-1].name
            counts[f"{type_}s"][name] += 1
            changed += name != stage
            after = id_
        if len(found) < _PIECE:
            return {"rules": wanted.name, "dry_run": True, "changed": changed, "counts": counts}
        await asyncio.sleep(0)
